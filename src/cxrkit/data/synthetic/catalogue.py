"""What the records say of each entity: words, categories, parents, where its absence is looked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ANATOMICAL, DISEASE, DEVICE = "ANATOMICAL_FINDING", "DISEASE", "DEVICE"
NORMAL = "normal"


@dataclass(frozen=True)
class EntityRecord:
    """An entity as the records know it.

    Attributes:
        noun: the entity with its article, for use in sentences.
        category: one of the data set's observation categories.
        subcategories: groups that questions ask about.
        look_at: regions that a statement of its absence refers to.
        parents: more general entities.
        relatives: entities that make a statement of its absence doubtful.
        size_words: words for mild, moderate and severe.
        texture: modifier of texture, "" for none.
    """

    noun: str
    category: str
    subcategories: tuple[str, ...]
    look_at: tuple[str, ...]
    parents: tuple[str, ...] = ()
    relatives: tuple[str, ...] = ()
    size_words: tuple[str, str, str] = ("mild", "moderate", "severe")
    texture: str = ""


_SIZES = ("small", "moderate", "large")
_ANGLES = ("left costophrenic angle", "right costophrenic angle")
_APICES = ("left apical zone", "right apical zone")
_DOMES = ("left hemidiaphragm", "right hemidiaphragm")
_SHADOWS = ("pneumonia", "consolidation", "atelectasis", "lung nodule", "lung mass", "pulmonary edema")

ENTITIES: Mapping[str, EntityRecord] = MappingProxyType(
    {
        "cardiomegaly": EntityRecord("cardiomegaly", ANATOMICAL, ("HEART",), ("heart",)),
        "mediastinal widening": EntityRecord(
            "mediastinal widening", ANATOMICAL, ("MEDIASTINUM",), ("mediastinum", "upper mediastinum")
        ),
        "pleural effusion": EntityRecord(
            "a pleural effusion", ANATOMICAL, ("PLEURA",), _ANGLES, (), ("pleural thickening",), _SIZES
        ),
        "consolidation": EntityRecord(
            "consolidation", ANATOMICAL, ("LUNG_FIELD",), ("lungs",), ("lung opacity",), ("pneumonia",),
            texture="dense",
        ),
        "pneumonia": EntityRecord(
            "pneumonia", DISEASE, ("INFECTION", "LUNG_FIELD", "PULMONARY_DISEASES"), ("lungs",),
            ("lung opacity",), ("consolidation",), texture="patchy",
        ),
        "lung opacity": EntityRecord(
            "a lung opacity", ANATOMICAL, ("LUNG_FIELD",), ("lungs",), (), _SHADOWS, texture="hazy"
        ),
        "atelectasis": EntityRecord(
            "atelectasis", ANATOMICAL, ("LUNG_FIELD",), ("left lower lung zone", "right lower lung zone"),
            ("lung opacity",), texture="linear",
        ),
        "pneumothorax": EntityRecord("a pneumothorax", ANATOMICAL, ("PLEURA",), _APICES, size_words=_SIZES),
        "lung nodule": EntityRecord(
            "a lung nodule", ANATOMICAL, ("LUNG_FIELD", "LUNG_LESION"), ("lungs",), ("lung lesion",),
            ("lung mass",), _SIZES,
        ),
        "lung mass": EntityRecord(
            "a lung mass", ANATOMICAL, ("LUNG_FIELD", "LUNG_LESION"), ("lungs",), ("lung lesion",),
            ("lung nodule",), _SIZES,
        ),
        "pulmonary edema": EntityRecord(
            "pulmonary edema", ANATOMICAL, ("LUNG_FIELD", "PULMONARY_DISEASES"), ("lungs", "interstitial"),
            ("lung opacity",),
        ),
        "rib fracture": EntityRecord(
            "a rib fracture", ANATOMICAL, ("BONES",), ("left lung", "right lung"), ("fracture",)
        ),
        "clavicle fracture": EntityRecord(
            "a clavicle fracture", ANATOMICAL, ("BONES",), ("left clavicle", "right clavicle"), ("fracture",)
        ),
        "pleural thickening": EntityRecord(
            "pleural thickening", ANATOMICAL, ("PLEURA",), _APICES, (), ("pleural effusion", "pneumothorax")
        ),
        "emphysema": EntityRecord("emphysema", DISEASE, ("LUNG_FIELD", "PULMONARY_DISEASES"), ("lungs",)),
        "hernia": EntityRecord("a hiatal hernia", ANATOMICAL, ("DIAPHRAGM",), (*_DOMES, "stomach")),
        "endotracheal tube": EntityRecord(
            "an endotracheal tube", DEVICE, ("TUBE",), ("trachea", "carina"), ("tube",)
        ),
        "nasogastric tube": EntityRecord(
            "a nasogastric tube", DEVICE, ("TUBE",), ("upper mediastinum", "stomach"), ("tube",)
        ),
        "chest tube": EntityRecord("a chest tube", DEVICE, ("TUBE",), ("left lung", "right lung"), ("tube",)),
        "central venous catheter": EntityRecord(
            "a central venous catheter", DEVICE, ("LINE",), ("svc", "cavoatrial junction"), ("catheter",)
        ),
        "pacemaker": EntityRecord("a pacemaker", DEVICE, ("CARDIAC_DEVICE",), ("heart",)),
        "sternal wires": EntityRecord(
            "a row of sternal wires", DEVICE, ("SURGICAL_DEVICE",), ("mediastinum",)
        ),
        "ecg leads": EntityRecord(
            "a set of ECG leads", DEVICE, ("MONITORING",), ("lungs",), ("monitoring leads",)
        ),
    }
)  # fmt: skip

# Subcategories with the words for them in questions; `B11` is not asked of the last two (as in the data
# set, where it is asked less often than the others).
FINDING_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "LUNG_FIELD": "the lung fields",
        "PLEURA": "the pleura",
        "HEART": "the heart",
        "MEDIASTINUM": "the mediastinum",
        "BONES": "the bones",
        "PULMONARY_DISEASES": "lung disease",
        "INFECTION": "infection",
        "LUNG_LESION": "focal lung lesions",
    }
)
GROUPS_WITHOUT_NORMAL_QUESTION = ("INFECTION", "LUNG_LESION")
GROUP_REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "LUNG_FIELD": ("lungs",),
        "PLEURA": (*_APICES, *_ANGLES),
        "HEART": ("heart",),
        "MEDIASTINUM": ("mediastinum",),
        "BONES": ("left clavicle", "right clavicle", "spine"),
        "PULMONARY_DISEASES": ("lungs",),
        "INFECTION": ("lungs",),
        "LUNG_LESION": ("lungs",),
    }
)
DEVICE_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "TUBE": "tubes",
        "LINE": "lines or catheters",
        "CARDIAC_DEVICE": "cardiac devices",
        "SURGICAL_DEVICE": "surgical material",
        "MONITORING": "monitoring leads",
    }
)


def categories_of(entities: list[str]) -> list[str]:
    """Gives the sorted categories of entities; a normal film counts as anatomical."""
    return sorted({ANATOMICAL if name == NORMAL else ENTITIES[name].category for name in entities})


def subcategories_of(entities: list[str]) -> list[str]:
    """Gives the sorted subcategories of entities."""
    return sorted({group for name in entities if name != NORMAL for group in ENTITIES[name].subcategories})


def parents_of(entities: list[str]) -> list[str]:
    """Gives the sorted parents of entities."""
    return sorted({parent for name in entities if name != NORMAL for parent in ENTITIES[name].parents})
