"""Which films and which questions of a split take part: filters applied when reading, never a rebuild."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cxrkit.data.index import Index
from cxrkit.errors import DataLayoutError
from cxrkit.vocabulary import ANSWER_HEADS, QUESTION_TYPE_NAMES, SPLITS, Head

IntArray = npt.NDArray[np.int64]

VIEWS_OF_FILTER: dict[str, tuple[int, ...]] = {
    "frontal_only": (0,),
    "lateral_only": (1,),
    "all": (0, 1, 2, 3),
}


@dataclass(frozen=True)
class Filters:
    """What is asked of the films and questions.

    Attributes:
        view_filter: `frontal_only`, `lateral_only` or `all`.
        minimum_rating: smallest question rating, 0 (unrated) .. 6 (A++).
        question_types: names of the types to keep; None keeps all 27.
        max_samples: at most so many films per split; None for all.
    """

    view_filter: str = "frontal_only"
    minimum_rating: int = 4
    question_types: tuple[str, ...] | None = None
    max_samples: int | None = None


@dataclass(frozen=True)
class Selection:
    """The films of a split with the answerable questions of each.

    Attributes:
        image_rows: `[F]` rows of the index's images, one entry per film.
        questions: `[Q]` rows of the index's questions, grouped by film.
        first: `[F + 1]` film f has `questions[first[f]:first[f + 1]]`.
        free_text: questions left out because no head answers them.
        masked: questions left out because their target is unknown or unmapped.
    """

    image_rows: IntArray
    questions: IntArray
    first: IntArray
    free_text: int
    masked: int

    @property
    def films(self) -> int:
        """Number of films."""
        return len(self.image_rows)


def has_target(index: Index, rows: IntArray) -> npt.NDArray[np.bool_]:
    """Tells which questions have a usable target for the head that answers them.

    Args:
        index: the opened index.
        rows: `[Q]` question rows.
    """
    head = index.column("questions", "head")[rows]
    usable = {
        Head.BINARY: index.column("questions", "binary_target")[rows] >= 0,
        Head.CATEGORY: index.column("questions", "category_valid")[rows],
        Head.REGION: index.column("questions", "region_valid")[rows],
        Head.SEVERITY: index.column("questions", "severity_target")[rows] >= 0,
    }
    result = np.zeros(len(rows), dtype=np.bool_)
    for code, name in enumerate(ANSWER_HEADS):
        result |= (head == code) & usable[name]
    return result


def select_questions(index: Index, split: str, filters: Filters, *, one_film_per_study: bool) -> Selection:
    """Chooses films and questions of one split.

    Args:
        index: the opened index.
        split: `train`, `validate` or `test`.
        filters: view, grade and type filters.
        one_film_per_study: take only the first matching film of a study, so that every question is
            answered once (evaluation); otherwise every matching film carries the study's questions.

    Raises:
        DataLayoutError: no question is left; a split is never filled with invented samples.
    """
    images = select_films(index, split, filters.view_filter, one_film_per_study=one_film_per_study)
    studies = index.column("images", "study_row")[images]
    chosen, counts, free_text, masked = _questions_of_studies(index, studies, filters)
    keep = counts > 0
    if not keep.any():
        raise DataLayoutError(
            f"no question of the {split} split passes the filters",
            expected="at least one question with an answer head and a known target",
            found=f"{len(images)} films, {free_text} free-text and {masked} masked questions, {filters}",
            next_step="loosen data.quality_grade, data.view_filter or data.question_types",
        )
    images, counts = images[keep], counts[keep]
    return _limited(Selection(images, chosen, _starts(counts), free_text, masked), filters.max_samples)


def select_films(index: Index, split: str, view_filter: str, *, one_film_per_study: bool) -> IntArray:
    """Gives the image rows of a split that match the view filter, in index order."""
    study_of_image = index.column("images", "study_row")
    in_split = index.column("studies", "split")[study_of_image] == SPLITS.index(split)
    matches = in_split & np.isin(index.column("images", "view"), VIEWS_OF_FILTER[view_filter])
    rows = np.flatnonzero(matches).astype(np.int64)
    if one_film_per_study and len(rows):
        rows = rows[np.unique(study_of_image[rows], return_index=True)[1]]
    return rows


def _starts(counts: IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _questions_of_studies(
    index: Index, studies: IntArray, filters: Filters
) -> tuple[IntArray, IntArray, int, int]:
    """Gives the accepted question rows grouped by film, their counts, and what was left out."""
    first = index.column("studies", "first_question")[studies]
    number = index.column("studies", "num_questions")[studies].astype(np.int64)
    film = np.repeat(np.arange(len(studies)), number)
    rows = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + np.repeat(first, number)
    wanted = index.column("questions", "rating")[rows] >= filters.minimum_rating
    if filters.question_types is not None:
        codes = [QUESTION_TYPE_NAMES.index(name) for name in filters.question_types]
        wanted &= np.isin(index.column("questions", "question_type")[rows], codes)
    rows, film = rows[wanted], film[wanted]
    answerable = index.column("questions", "head")[rows] >= 0
    usable = has_target(index, rows)
    counts = np.bincount(film[usable], minlength=len(studies)).astype(np.int64)
    return rows[usable], counts, int((~answerable).sum()), int((answerable & ~usable).sum())


def _limited(selection: Selection, max_samples: int | None) -> Selection:
    if max_samples is None or selection.films <= max_samples:
        return selection
    first = selection.first[: max_samples + 1]
    return replace(
        selection,
        image_rows=selection.image_rows[:max_samples],
        questions=selection.questions[: first[-1]],
        first=first,
    )
