"""What the readers of external question sets give: questions about chest films, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

ExternalName: TypeAlias = Literal["vqa_rad", "slake"]
EXTERNAL_SETS: tuple[ExternalName, ...] = ("vqa_rad", "slake")


@dataclass(frozen=True)
class ExternalQuestion:
    """A question about a chest film of another data set.

    Attributes:
        question_id: as the set names it.
        image_name: as the set names it; the same name is the same film.
        film: its file.
        question: English text.
        answer: English text.
        is_closed: the set calls it a closed question (yes/no or a choice).
    """

    question_id: str
    image_name: str
    film: Path
    question: str
    answer: str
    is_closed: bool


@dataclass(frozen=True)
class QuestionSet:
    """The chest questions of an external set.

    Attributes:
        name: of the set.
        split: which part was read.
        questions: in the order of the file.
        total: questions of the file and split before any was left out.
        left_out: number of questions by the reason why they are not among `questions`.
    """

    name: ExternalName
    split: str
    questions: tuple[ExternalQuestion, ...]
    total: int
    left_out: Mapping[str, int]
