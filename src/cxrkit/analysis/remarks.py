"""What the analysis has to say, and the limits that make it say so."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from cxrkit.reporting.formatting import format_count

Level = Literal["blocking", "warning"]
Task: TypeAlias = Literal["vqa", "classify"]
TASKS: tuple[Task, ...] = ("vqa", "classify")
_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class Thresholds:
    """The limits behind verdict and warnings.

    Attributes:
        rejected_image_share: more rejected films than this share stop training.
        majority_share: a commonest answer with more than this share is called imbalanced.
        question_type_share: one type with more than this share of the questions is called skewed.
        head_share: a head with less than this share of the questions is called rare.
        region_group_share: a group with less than this share of positive mentions is under-represented.
        region_answers: fewer training answers than this make a region under-represented.
        label_positives: fewer positive studies than this in a split make a label uncertain.
        training_studies: fewer training studies than this make every result unstable.
        evaluation_studies: fewer studies than this in validate or test make scores imprecise.
        fallback_box_share: more generic boxes than this share are worth a warning.
        box_coverage: a smaller share of frontal films with a real box is worth a warning.
        masked_share: more questions than this without a known target are worth a warning.
        unrated_share: more unrated questions than this are worth a warning.
        question_only_gain: a type whose text alone beats the commonest answer by more than this is worth one.
        question_only_errors_avoided: or by more than this share of the commonest answer's errors.
        label_conflict_share: more contradictions of a finding than this are worth a warning.
        label_conflict_studies: with fewer compared studies than this a finding's share says nothing.
    """

    rejected_image_share: float = 0.05
    majority_share: float = 0.8
    question_type_share: float = 0.25
    head_share: float = 0.02
    region_group_share: float = 0.02
    region_answers: int = 20
    label_positives: int = 20
    training_studies: int = 1000
    evaluation_studies: int = 100
    fallback_box_share: float = 0.5
    box_coverage: float = 0.5
    masked_share: float = 0.05
    unrated_share: float = 0.5
    question_only_gain: float = 0.1
    question_only_errors_avoided: float = 0.5
    label_conflict_share: float = 0.25
    label_conflict_studies: int = 20


@dataclass(frozen=True)
class Remark:
    """One thing that stops training or that a user should know.

    Attributes:
        level: `blocking` or `warning`.
        code: a fixed word for programs.
        message: one sentence for people.
        values: the numbers behind it, by name.
        threshold: the limit that was passed; None where there is no number.
        tasks: whose training it stops or concerns.
    """

    level: Level
    code: str
    message: str
    values: Mapping[str, float | int | None] = field(default_factory=dict)
    threshold: float | int | None = None
    tasks: tuple[Task, ...] = TASKS

    def to_json(self) -> dict[str, Any]:
        """Gives the remark as plain values."""
        return {**asdict(self), "values": dict(self.values), "tasks": list(self.tasks)}


def name_some(values: Mapping[str, Any], form: Callable[[Any], str] = format_count) -> str:
    """Gives the first names with their numbers, and how many more there are.

    >>> name_some({"Fracture": 3, "Edema": 12})
    'Fracture (3), Edema (12)'
    """
    listed = ", ".join(f"{name} ({form(value)})" for name, value in list(values.items())[:_NAMED_AT_MOST])
    more = len(values) - _NAMED_AT_MOST
    return f"{listed} and {format_count(more)} more" if more > 0 else listed


def filter_words(data: Mapping[str, Any]) -> str:
    """Gives the filter of a report in words."""
    return f"grade {data['filter']['quality_grade']}, {data['filter']['view_filter']}"
