"""Labels of the field and the one question-type router."""

from cxrkit.vocabulary.findings import (
    FINDING_INDEX,
    FINDINGS,
    LABEL_POLICIES,
    NO_FINDING,
    SUPPORT_DEVICES,
    canonical_column,
    finding_of_entity,
)
from cxrkit.vocabulary.questions import (
    ANSWER_HEADS,
    BINARY_CLASSES,
    MULTI_LABEL_HEADS,
    QUESTION_TYPE_NAMES,
    QUESTION_TYPES,
    SEVERITIES,
    Head,
    QuestionType,
    Subject,
    find_question_type,
    severity_class,
)
from cxrkit.vocabulary.regions import (
    GROUP_OF_REGION,
    PARENT_OF_REGION,
    REGION_GROUPS,
    REGION_INDEX,
    REGIONS,
    mirrored_region,
    names_of_region,
    regions_of_name,
)

CLASSES_OF_HEAD: dict[Head, tuple[str, ...]] = {
    Head.BINARY: BINARY_CLASSES,
    Head.CATEGORY: FINDINGS,
    Head.REGION: REGIONS,
    Head.SEVERITY: SEVERITIES,
}
SPLITS: tuple[str, ...] = ("train", "validate", "test")

__all__ = [
    "ANSWER_HEADS",
    "BINARY_CLASSES",
    "CLASSES_OF_HEAD",
    "FINDINGS",
    "FINDING_INDEX",
    "GROUP_OF_REGION",
    "LABEL_POLICIES",
    "MULTI_LABEL_HEADS",
    "NO_FINDING",
    "PARENT_OF_REGION",
    "QUESTION_TYPES",
    "QUESTION_TYPE_NAMES",
    "REGIONS",
    "REGION_GROUPS",
    "REGION_INDEX",
    "SEVERITIES",
    "SPLITS",
    "SUPPORT_DEVICES",
    "Head",
    "QuestionType",
    "Subject",
    "canonical_column",
    "find_question_type",
    "finding_of_entity",
    "mirrored_region",
    "names_of_region",
    "regions_of_name",
    "severity_class",
]
