"""The questions' words: a few phrasings per question type, so that question texts recur."""

from collections.abc import Mapping
from types import MappingProxyType

# "{noun}" is the asked finding or device, "{region}" a region, "{group}" a group of findings or devices.
PHRASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "A_indication": (
            "{patient}. {reason}. {evaluation}",
            "Indication: {patient}, {reason_lower}. What does the film show?",
        ),
        "B01_describe_all": (
            "Describe this chest film.",
            "What are the findings, normal and abnormal?",
            "Write the findings of this study.",
        ),
        "B02_describe_abnormal": (
            "Which abnormalities are present?",
            "Describe all abnormal findings.",
            "What is wrong on this film?",
        ),
        "B03_is_abnormal": (
            "Is anything abnormal on this film?",
            "Are there any abnormal findings?",
            "Does the study show an abnormality?",
        ),
        "B04_is_normal": (
            "Is this a normal chest film?",
            "Is the study normal?",
            "Does everything look normal?",
        ),
        "B08_describe_subcat": (
            "Describe the findings concerning {group}.",
            "What can be said about {group}?",
        ),
        "B09_describe_abnormal_subcat": (
            "Describe the abnormal findings concerning {group}.",
            "What is abnormal concerning {group}?",
        ),
        "B10_is_abnormal_subcat": (
            "Is there anything abnormal concerning {group}?",
            "Are there abnormal findings concerning {group}?",
        ),
        "B11_is_normal_subcat": (
            "Is everything normal concerning {group}?",
            "Are the findings concerning {group} normal?",
        ),
        "B12_describe_device": ("Describe the {group}.", "Which {group} can be seen?"),
        "B13_has_devices": ("Are there any {group}?", "Does the film show {group}?"),
        "B14_describe_acquisition": ("How was this film taken?", "In which projection was the film taken?"),
        "B15_describe_imaging_artifacts": ("Describe any imaging artifacts.", "What disturbs the image?"),
        "B16_has_imaging_artifacts": ("Are there imaging artifacts?", "Does anything overlie the chest?"),
        "C01_describe_region": ("Describe the {region}.", "What is seen in the {region}?"),
        "C02_describe_abnormal_region": (
            "Describe any abnormality in the {region}.",
            "What is abnormal in the {region}?",
        ),
        "C03_is_abnormal_region": (
            "Is there any abnormality in the {region}?",
            "Is anything abnormal in the {region}?",
        ),
        "C04_is_normal_region": ("Does the {region} look normal?", "Is the {region} normal?"),
        "C07_describe_region_device": (
            "Describe the devices in the {region}.",
            "Which devices lie in the {region}?",
        ),
        "C08_has_region_device": (
            "Are there devices in the {region}?",
            "Is any device seen in the {region}?",
        ),
        "D01_describe_finding": ("Describe {noun}, if present.", "What can be said about {noun}?"),
        "D02_has_finding": ("Is there {noun}?", "Does the film show {noun}?", "Can {noun} be seen?"),
        "D03_where_is_finding": ("Where is {noun}?", "In which region is {noun} seen?"),
        "D04_how_severe_is_finding": ("How severe is {noun}?", "What is the extent of {noun}?"),
        "D05_describe_device": ("Describe {noun}, if present.", "What can be said about {noun}?"),
        "D06_has_device": ("Is there {noun}?", "Does the film show {noun}?", "Can {noun} be seen?"),
        "D07_where_is_device": ("Where is {noun}?", "Where does {noun} lie?"),
    }
)

REASONS: tuple[str, ...] = (
    "Shortness of breath",
    "Cough and fever",
    "Chest pain",
    "Follow-up of a known finding",
    "Check of tubes and lines",
    "Fall with chest pain",
    "Before surgery",
)
EVALUATIONS: tuple[str, ...] = (
    "Evaluate for pneumonia.",
    "Evaluate for an effusion or edema.",
    "Evaluate for a pneumothorax.",
    "Evaluate for an acute change.",
)
