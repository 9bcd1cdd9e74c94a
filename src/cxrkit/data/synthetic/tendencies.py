"""How often each entity is present, how long it stays, and what it comes with.

The numbers follow the order of frequencies in MIMIC-CXR (effusion, opacity, atelectasis, cardiomegaly
often, lesion and fracture seldom), with the rare ones raised so that a set of some hundred studies holds
at least some twenty of each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Tendency:
    """How an entity behaves in a patient's course.

    Attributes:
        share: about the share of studies with it, before the loads and companions below.
        stay: probability that it is still there in the patient's next study.
        heart, acute, infection, trauma: how strongly its log-odds follow that trait of patient and study.
        companions: what is added to its log-odds when another entity is there.
    """

    share: float
    stay: float
    heart: float = 0.0
    acute: float = 0.0
    infection: float = 0.0
    trauma: float = 0.0
    companions: Mapping[str, float] = field(default_factory=dict)


# Order matters: a companion is drawn before the entity that it makes likelier.
TENDENCIES: Mapping[str, Tendency] = MappingProxyType(
    {
        "cardiomegaly": Tendency(0.20, 0.90, heart=1.3),
        "pulmonary edema": Tendency(0.12, 0.40, heart=0.9, acute=0.7, companions={"cardiomegaly": 0.7}),
        "pleural effusion": Tendency(
            0.21, 0.60, heart=0.5, acute=0.6, companions={"cardiomegaly": 0.6, "pulmonary edema": 0.8}
        ),
        "pneumonia": Tendency(0.14, 0.35, infection=1.3),
        "consolidation": Tendency(0.11, 0.35, infection=0.6, companions={"pneumonia": 1.0}),
        "lung opacity": Tendency(0.19, 0.45, infection=0.4),
        "pneumothorax": Tendency(0.13, 0.45, trauma=0.9, acute=0.3),
        "atelectasis": Tendency(
            0.19, 0.50, acute=0.5, companions={"pleural effusion": 1.0, "pneumothorax": 0.3}
        ),
        "lung nodule": Tendency(0.085, 0.85),
        "lung mass": Tendency(0.06, 0.85),
        "mediastinal widening": Tendency(0.145, 0.80, heart=0.3, trauma=0.3),
        "rib fracture": Tendency(0.075, 0.85, trauma=1.1),
        "clavicle fracture": Tendency(0.045, 0.80, trauma=0.9),
        "pleural thickening": Tendency(0.06, 0.90),
        "emphysema": Tendency(0.07, 0.95),
        "endotracheal tube": Tendency(0.025, 0.40, acute=1.8),
        "nasogastric tube": Tendency(0.02, 0.40, acute=0.8, companions={"endotracheal tube": 3.0}),
        "central venous catheter": Tendency(0.08, 0.50, acute=1.2),
        "chest tube": Tendency(
            0.02, 0.50, acute=0.4, companions={"pneumothorax": 2.0, "pleural effusion": 0.7}
        ),
        "pacemaker": Tendency(0.05, 0.97, heart=1.0),
        "sternal wires": Tendency(0.06, 0.98, heart=0.8),
        "ecg leads": Tendency(0.08, 0.30, acute=1.2),
    }
)

ABNORMAL_SHARE: Mapping[str, float] = MappingProxyType({"train": 0.76, "validate": 0.76, "test": 0.89})
STUDIES_PER_PATIENT = (0.42, 0.23, 0.13, 0.09, 0.055, 0.035, 0.022, 0.018)
# Not drawn on one film together: one hides the signs of the other.
EXCLUSIVE: tuple[tuple[str, str], ...] = (
    ("emphysema", "pulmonary edema"),
    ("lung mass", "lung nodule"),
    ("pleural thickening", "pleural effusion"),
)
