"""The 14 findings of MIMIC-CXR and the table from entity names to them.

Order: that of the columns of `mimic-cxr-2.0.0-chexpert.csv.gz` (alphabetical). The mapping of
QBA's entities is not published; this table is ours and names that it lacks count as unmapped.
"""

FINDINGS: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
FINDING_INDEX: dict[str, int] = {name: index for index, name in enumerate(FINDINGS)}
NO_FINDING = FINDING_INDEX["No Finding"]
SUPPORT_DEVICES = FINDING_INDEX["Support Devices"]
# What uncertain (-1) and blank labels count as in training.
LABEL_POLICIES = {
    "zeros": "uncertain and blank labels count as 0",
    "ones": "uncertain labels count as 1, blank ones as 0",
    "ignore": "uncertain labels are left out, blank ones count as 0",
    "blank_ignore": "uncertain and blank labels are left out",
}
COLUMN_ALIASES: dict[str, str] = {"Airspace Opacity": "Lung Opacity"}

_ENTITIES: dict[str, tuple[str, ...]] = {
    "Atelectasis": (
        "atelectasis", "linear atelectasis", "patchy atelectasis", "linear/patchy atelectasis",
        "laminar atelectasis", "lobar atelectasis", "segmental atelectasis", "round atelectasis",
        "total atelectasis", "plate-like atelectasis", "lobar/segmental collapse", "lobar collapse",
        "lung collapse", "volume loss",
    ),
    "Cardiomegaly": ("cardiomegaly", "enlarged cardiac silhouette", "enlarged heart"),
    "Consolidation": ("consolidation", "airspace consolidation"),
    "Edema": (
        "edema", "pulmonary edema", "interstitial edema", "alveolar edema", "vascular congestion",
        "pulmonary vascular congestion", "pulmonary edema/hazy opacity", "fluid overload/heart failure",
        "fluid overload", "heart failure", "pulmonary congestion", "kerley lines",
    ),
    "Enlarged Cardiomediastinum": (
        "enlarged cardiomediastinum", "mediastinal widening", "mediastinal enlargement",
        "widened mediastinum",
        "superior mediastinal mass/enlargement", "superior mediastinal enlargement", "mediastinal mass",
    ),
    "Fracture": (
        "fracture", "rib fracture", "spinal fracture", "clavicle fracture", "vertebral fracture",
        "vertebral compression fracture", "humeral fracture", "callus rib fracture", "sternum fracture",
    ),
    "Lung Lesion": (
        "lung lesion", "nodule", "lung nodule", "pulmonary nodule", "mass", "lung mass", "pulmonary mass",
        "calcified nodule", "multiple nodules", "multiple masses/nodules", "cavitation", "cyst/bullae",
        "mass/nodule (not otherwise specified)", "lung cancer", "lung metastasis", "granuloma",
    ),
    "Lung Opacity": (
        "lung opacity", "opacity", "airspace opacity", "infiltration", "infiltrates", "infiltrate",
        "interstitial pattern", "reticular interstitial pattern", "alveolar pattern", "ground glass pattern",
        "increased density", "hazy opacity", "increased reticular markings/ild pattern",
    ),
    "No Finding": ("normal", "no finding", "no abnormality", "unremarkable"),
    "Pleural Effusion": (
        "pleural effusion", "effusion", "loculated pleural effusion", "hydropneumothorax", "hemothorax",
        "costophrenic angle blunting", "empyema",
    ),
    "Pleural Other": (
        "pleural thickening", "apical pleural thickening", "pleural plaques", "pleural plaque",
        "pleural/parenchymal scarring", "pleural scarring", "pleural calcification", "pleural mass",
        "pleural other",
    ),
    "Pneumonia": ("pneumonia", "aspiration pneumonia", "atypical pneumonia", "bronchopneumonia", "infection"),
    "Pneumothorax": ("pneumothorax", "tension pneumothorax"),
    "Support Devices": (
        "support devices", "support device", "device", "medical device", "endotracheal tube",
        "enteric tube", "nasogastric tube", "nsg tube", "feeding tube", "orogastric tube", "dobhoff tube",
        "tracheostomy tube", "chest tube", "chest drain", "chest drain tube", "pigtail catheter",
        "central venous catheter", "central venous line", "central line", "picc line", "picc",
        "ij line", "subclavian line", "swan-ganz catheter", "pulmonary artery catheter", "port",
        "port-a-cath", "chest port", "dialysis catheter", "catheter", "pacemaker", "dual chamber device",
        "single chamber device", "pacemaker lead", "pacemaker leads", "cardiac pacer and wires",
        "implantable cardioverter defibrillator", "icd", "intra-aortic balloon pump",
        "sternal wires", "sternotomy wires", "surgical clips", "prosthetic valve", "heart valve prosthesis",
        "electrical device", "monitoring leads", "ecg leads", "stent", "tube", "line", "wires",
    ),
}  # fmt: skip
_FINDING_OF_ENTITY = {
    entity: FINDING_INDEX[name] for name, entities in _ENTITIES.items() for entity in entities
}


def finding_of_entity(entity: str) -> int | None:
    """Gives the index in `FINDINGS` of an entity name; None when the table lacks the name.

    >>> finding_of_entity("Pulmonary Edema") == FINDING_INDEX["Edema"]
    True
    >>> finding_of_entity("hernia") is None
    True
    """
    return _FINDING_OF_ENTITY.get(" ".join(entity.lower().replace("_", " ").split()))


def entity_names() -> tuple[str, ...]:
    """Gives every entity name that the table maps to a finding."""
    return tuple(_FINDING_OF_ENTITY)


def canonical_column(name: str) -> str:
    """Gives the finding that a CSV column stands for: `Airspace Opacity` is `Lung Opacity`."""
    return COLUMN_ALIASES.get(name, name)
