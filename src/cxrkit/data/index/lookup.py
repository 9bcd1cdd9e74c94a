"""A single question with all that the index knows of it, for inspection; training reads columns instead."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from cxrkit.vocabulary import QUESTION_TYPE_NAMES, SPLITS

if TYPE_CHECKING:
    from cxrkit.data.index.opener import Index


class QuestionRecord(NamedTuple):
    """A question with its study.

    Attributes:
        subject_id: patient number.
        study_id: study number.
        split: train, validate or test.
        question_id: unique inside the study.
        question_type: one of the 27 names.
        rating: 0 (unrated) .. 6 (A++).
        question: text.
        answer: texts of the main answers.
        image_rows: the study's films, rows of `images`.
        boxes_xyxy_px: `[K, 4]` boxes of the main answers.
        box_image_rows: `[K]` the film of each.
        observations: rows of the study's observations.
    """

    subject_id: int
    study_id: int
    split: str
    question_id: str
    question_type: str
    rating: int
    question: str
    answer: str
    image_rows: range
    boxes_xyxy_px: npt.NDArray[np.float32]
    box_image_rows: npt.NDArray[np.int32]
    observations: range


def question_record(index: "Index", row: int) -> QuestionRecord:
    """Gives a question.

    Args:
        index: the opened index.
        row: of `questions`.

    Raises:
        IndexError: there is no such row.
    """
    if not 0 <= row < index.questions.num_rows:
        raise IndexError(f"question row {row} of {index.questions.num_rows}")

    def of_question(name: str) -> int:
        return int(index.column("questions", name)[row])

    study = of_question("study_row")

    def of_study(name: str) -> int:
        return int(index.column("studies", name)[study])

    first, number = of_question("first_box"), of_question("num_boxes")
    corners = [
        index.column("answer_boxes", name)[first : first + number] for name in ("x1", "y1", "x2", "y2")
    ]
    return QuestionRecord(
        subject_id=of_study("subject_id"),
        study_id=of_study("study_id"),
        split=SPLITS[of_study("split")],
        question_id=index.text(of_question("question_id_text")),
        question_type=QUESTION_TYPE_NAMES[of_question("question_type")],
        rating=of_question("rating"),
        question=index.text(of_question("question_text")),
        answer=index.text(of_question("answer_text")),
        image_rows=range(of_study("first_image"), of_study("first_image") + of_study("num_images")),
        boxes_xyxy_px=np.stack(corners, axis=-1),
        box_image_rows=index.column("answer_boxes", "image_row")[first : first + number],
        observations=range(
            of_study("first_observation"), of_study("first_observation") + of_study("num_observations")
        ),
    )
