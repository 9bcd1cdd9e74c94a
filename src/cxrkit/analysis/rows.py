"""Facts about every row that several counts need: split, filter, known target."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.analysis.counting import Column, slices
from cxrkit.config.grades import minimum_rating
from cxrkit.config.values import QualityGrade, ViewFilter
from cxrkit.data.batches.selection import VIEWS_OF_FILTER, has_target
from cxrkit.data.index import Index

BoolColumn = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Columns of the index that do not stand in it as such.

    Attributes:
        split_of_image: int8 `[images]`.
        split_of_question: int8 `[questions]`.
        image_in_view: bool `[images]`, the view filter takes the film.
        study_in_view: bool `[studies]`, the study has a film that the view filter takes.
        question_in_view: bool `[questions]`, the study has a film that the view filter takes.
        question_graded: bool `[questions]`, the rating is high enough.
        question_usable: bool `[questions]`, a head answers it and its target is known.
        question_kept: bool `[questions]`, all three: the question takes part in training or evaluation.
    """

    split_of_image: Column
    split_of_question: Column
    image_in_view: BoolColumn
    study_in_view: BoolColumn
    question_in_view: BoolColumn
    question_graded: BoolColumn
    question_usable: BoolColumn
    question_kept: BoolColumn


def read_rows(index: Index, quality_grade: QualityGrade, view_filter: ViewFilter) -> Rows:
    """Reads what the other counts share.

    Args:
        index: the opened index.
        quality_grade: lowest grade of a question that is used.
        view_filter: which films are used.
    """
    split = index.column("studies", "split")
    study_of_image = index.column("images", "study_row")
    study_of_question = index.column("questions", "study_row")
    image_in_view = np.isin(index.column("images", "view"), VIEWS_OF_FILTER[view_filter])
    study_in_view = np.zeros(len(split), dtype=np.bool_)
    study_in_view[study_of_image[image_in_view]] = True
    in_view = study_in_view[study_of_question]
    graded = index.column("questions", "rating") >= minimum_rating(quality_grade)
    usable = _usable_questions(index, len(study_of_question))
    kept = in_view & graded & usable
    return Rows(
        split[study_of_image],
        split[study_of_question],
        image_in_view,
        study_in_view,
        in_view,
        graded,
        usable,
        kept,
    )


def _usable_questions(index: Index, count: int) -> BoolColumn:
    usable = np.zeros(count, dtype=np.bool_)
    for piece in slices(count):
        usable[piece] = has_target(index, np.arange(piece.start, piece.stop, dtype=np.int64))
    return usable
