"""The one router: 27 question types of MIMIC-Ext-CXR-QBA, each with its answer head or none.

Target builder, losses, metrics, analysis and page all read `QUESTION_TYPES`; nothing else decides
which head answers a question. Source of the types: the PhysioNet page of MIMIC-Ext-CXR-QBA 1.0.0.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class Head(StrEnum):
    """The answer heads; FREE_TEXT means that no head answers the question."""

    BINARY = "binary"
    CATEGORY = "category"
    REGION = "region"
    SEVERITY = "severity"
    FREE_TEXT = "free_text"


class Subject(StrEnum):
    """What a question asks about."""

    ABNORMALITY = "abnormality"
    FINDING = "finding"
    DEVICE = "device"
    ARTIFACT = "artifact"
    OTHER = "other"


ANSWER_HEADS = (Head.BINARY, Head.CATEGORY, Head.REGION, Head.SEVERITY)
MULTI_LABEL_HEADS = frozenset({Head.CATEGORY, Head.REGION})
BINARY_CLASSES = ("no", "yes")
SEVERITIES = ("none", "mild", "moderate", "severe")

_SEVERITY_WORDS = {
    "none": ("none", "no"),
    "mild": ("mild", "minimal", "small", "slight", "trace", "tiny", "minor", "subtle", "low"),
    "moderate": ("moderate", "medium", "intermediate"),
    "severe": ("severe", "large", "significant", "marked", "massive", "extensive", "substantial", "high"),
}
_SEVERITY_OF_WORD = {word: name for name, words in _SEVERITY_WORDS.items() for word in words}


@dataclass(frozen=True)
class QuestionType:
    """One of the 27 types.

    Attributes:
        name: the prefixed identifier, as in `question_id`.
        strategy: the data set's question strategy.
        head: the head that answers it.
        subject: what it asks about.
        yes_means_normal: for a yes/no type, "yes" says that nothing is abnormal.
    """

    name: str
    strategy: str
    head: Head
    subject: Subject
    yes_means_normal: bool = False

    @property
    def bare_name(self) -> str:
        """The name without its letter-and-number prefix, as in the documentation's JSON sample."""
        return _PREFIX.sub("", self.name)


_PREFIX = re.compile(r"^(?:[A-D]\d\d|A)_")

_A, _B, _C, _D = "indication", "abnormal", "region_abnormal", "finding"
QUESTION_TYPES: tuple[QuestionType, ...] = (
    QuestionType("A_indication", _A, Head.FREE_TEXT, Subject.OTHER),
    QuestionType("B01_describe_all", _B, Head.CATEGORY, Subject.ABNORMALITY),
    QuestionType("B02_describe_abnormal", _B, Head.CATEGORY, Subject.ABNORMALITY),
    QuestionType("B03_is_abnormal", _B, Head.BINARY, Subject.ABNORMALITY),
    QuestionType("B04_is_normal", _B, Head.BINARY, Subject.ABNORMALITY, yes_means_normal=True),
    QuestionType("B08_describe_subcat", _B, Head.CATEGORY, Subject.ABNORMALITY),
    QuestionType("B09_describe_abnormal_subcat", _B, Head.CATEGORY, Subject.ABNORMALITY),
    QuestionType("B10_is_abnormal_subcat", _B, Head.BINARY, Subject.ABNORMALITY),
    QuestionType("B11_is_normal_subcat", _B, Head.BINARY, Subject.ABNORMALITY, yes_means_normal=True),
    QuestionType("B12_describe_device", _B, Head.CATEGORY, Subject.DEVICE),
    QuestionType("B13_has_devices", _B, Head.BINARY, Subject.DEVICE),
    QuestionType("B14_describe_acquisition", _B, Head.FREE_TEXT, Subject.OTHER),
    QuestionType("B15_describe_imaging_artifacts", _B, Head.FREE_TEXT, Subject.ARTIFACT),
    QuestionType("B16_has_imaging_artifacts", _B, Head.BINARY, Subject.ARTIFACT),
    QuestionType("C01_describe_region", _C, Head.CATEGORY, Subject.ABNORMALITY),
    QuestionType("C02_describe_abnormal_region", _C, Head.CATEGORY, Subject.ABNORMALITY),
    QuestionType("C03_is_abnormal_region", _C, Head.BINARY, Subject.ABNORMALITY),
    QuestionType("C04_is_normal_region", _C, Head.BINARY, Subject.ABNORMALITY, yes_means_normal=True),
    QuestionType("C07_describe_region_device", _C, Head.CATEGORY, Subject.DEVICE),
    QuestionType("C08_has_region_device", _C, Head.BINARY, Subject.DEVICE),
    QuestionType("D01_describe_finding", _D, Head.CATEGORY, Subject.FINDING),
    QuestionType("D02_has_finding", _D, Head.BINARY, Subject.FINDING),
    QuestionType("D03_where_is_finding", _D, Head.REGION, Subject.FINDING),
    QuestionType("D04_how_severe_is_finding", _D, Head.SEVERITY, Subject.FINDING),
    QuestionType("D05_describe_device", _D, Head.CATEGORY, Subject.DEVICE),
    QuestionType("D06_has_device", _D, Head.BINARY, Subject.DEVICE),
    QuestionType("D07_where_is_device", _D, Head.REGION, Subject.DEVICE),
)
QUESTION_TYPE_NAMES: tuple[str, ...] = tuple(entry.name for entry in QUESTION_TYPES)

_BY_NAME = {entry.name: entry for entry in QUESTION_TYPES}
# "describe_device" is the bare form of both B12 and D05: ambiguous bare names need the strategy.
_BY_BARE_NAME: dict[tuple[str, str], QuestionType] = {
    (entry.strategy, entry.bare_name): entry for entry in QUESTION_TYPES
}


def find_question_type(name: str, strategy: str = "", question_id: str = "") -> QuestionType | None:
    """Finds the type for a name with or without its prefix; None when no type has it.

    Args:
        name: `question_type` as stored, e.g. `D02_has_finding` or `has_finding`.
        strategy: `question_strategy`; tells apart bare names that two strategies share.
        question_id: its stem is tried when the bare name alone is ambiguous.

    >>> find_question_type("has_finding", "finding").name
    'D02_has_finding'
    >>> find_question_type("D02_has_smell") is None
    True
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    if (strategy, name) in _BY_BARE_NAME:
        return _BY_BARE_NAME[strategy, name]
    candidates = [entry for entry in QUESTION_TYPES if entry.bare_name == name]
    if len(candidates) > 1:
        stem = question_id.rpartition("_")[0]
        candidates = [entry for entry in candidates if entry.name == stem]
    return candidates[0] if len(candidates) == 1 else None


def severity_class(word: str) -> str | None:
    """Gives the severity class of a modifier's word; None when the word is in no class.

    >>> severity_class("Small"), severity_class("interesting")
    ('mild', None)
    """
    return _SEVERITY_OF_WORD.get(word.strip().lower())
