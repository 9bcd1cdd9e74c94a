"""Which films and which questions of a split take part: filters applied when reading, never a rebuild."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cxrkit.data.batches.spans import rows_of_spans
from cxrkit.data.index import Index
from cxrkit.errors import DataLayoutError
from cxrkit.vocabulary import ANSWER_HEADS, QUESTION_TYPE_NAMES, QUESTION_TYPES, SPLITS, Head

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

VIEWS_OF_FILTER: dict[str, tuple[int, ...]] = {
    "frontal_only": (0,),
    "lateral_only": (1,),
    "all": (0, 1, 2, 3),
}
# Passes over all questions go by so many films at a time, about 800,000 questions of MIMIC.
_FILMS_AT_A_TIME = 4096


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
    """The films of a split; their questions are found in the index when they are needed.

    It holds two numbers per film and nothing per question: 42 M questions cost no memory, here or in a
    worker process.

    Attributes:
        image_rows: `[F]` rows of the index's images, one entry per film.
        num_questions: `[F]` answerable questions of each film.
        filters: which questions of a film's study take part; None for films without questions.
        free_text_by_type: questions left out because no head answers them, by the name of their type.
        masked: questions left out because their target is unknown or unmapped.
    """

    image_rows: IntArray
    num_questions: IntArray
    filters: Filters | None
    free_text_by_type: dict[str, int]
    masked: int

    @property
    def free_text(self) -> int:
        """Questions left out because no head answers them."""
        return sum(self.free_text_by_type.values())

    @property
    def films(self) -> int:
        """Number of films."""
        return len(self.image_rows)

    def question_rows(self, index: Index, films: IntArray) -> tuple[IntArray, IntArray]:
        """Gives the answerable questions of some films.

        Args:
            index: the opened index.
            films: `[B]` positions in the selection.

        Returns:
            Question rows `[N]`, film by film in the order of the index, and how many each film has `[B]`.
        """
        if self.filters is None:
            return np.zeros(0, dtype=np.int64), np.zeros(len(films), dtype=np.int64)
        asked = _asked_questions(index, self.image_rows[films], self.filters)
        return asked.rows[asked.usable], asked.counts(len(films))

    def parts(self, index: Index) -> Iterator[IntArray]:
        """Gives the rows of all questions, film by film, in arrays of bounded length."""
        for start in range(0, self.films, _FILMS_AT_A_TIME):
            films = np.arange(start, min(start + _FILMS_AT_A_TIME, self.films))
            yield self.question_rows(index, films)[0]

    def question_texts(self, index: Index) -> IntArray:
        """Gives the texts of the questions, each once: ascending rows of the index's texts."""
        seen = np.zeros(index.texts.num_rows, dtype=np.bool_)
        for rows in self.parts(index):
            seen[index.column("questions", "question_text")[rows]] = True
        return np.flatnonzero(seen)


def has_target(index: Index, rows: IntArray) -> BoolArray:
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
    everything = _count_questions(index, images, filters)
    keep = everything.num_questions > 0
    if not keep.any():
        raise DataLayoutError(
            f"no question of the {split} split passes the filters",
            expected="at least one question with an answer head and a known target",
            found=f"{len(images)} films, {everything.free_text} free-text and {everything.masked} masked"
            f" questions, {filters}",
            next_step="loosen data.quality_grade, data.view_filter or data.question_types",
        )
    limit = slice(filters.max_samples)
    return replace(
        everything,
        image_rows=images[keep][limit],
        num_questions=everything.num_questions[keep][limit],
    )


def select_films(index: Index, split: str, view_filter: str, *, one_film_per_study: bool) -> IntArray:
    """Gives the image rows of a split that match the view filter, in index order."""
    study_of_image = index.column("images", "study_row")
    in_split = index.column("studies", "split")[study_of_image] == SPLITS.index(split)
    matches = in_split & np.isin(index.column("images", "view"), VIEWS_OF_FILTER[view_filter])
    rows = np.flatnonzero(matches).astype(np.int64)
    if one_film_per_study and len(rows):
        rows = rows[np.unique(study_of_image[rows], return_index=True)[1]]
    return rows


@dataclass(frozen=True)
class _Asked:
    """Questions that pass the filters: rows `[N]`, film `[N]` of each, usable `[N]`, has a head `[N]`."""

    rows: IntArray
    film: IntArray
    usable: BoolArray
    answerable: BoolArray

    def counts(self, films: int) -> IntArray:
        return np.bincount(self.film[self.usable], minlength=films).astype(np.int64)


def _asked_questions(index: Index, image_rows: IntArray, filters: Filters) -> _Asked:
    studies = index.column("images", "study_row")[image_rows]
    rows, film = rows_of_spans(
        index.column("studies", "first_question")[studies], index.column("studies", "num_questions")[studies]
    )
    wanted = index.column("questions", "rating")[rows] >= filters.minimum_rating
    if filters.question_types is not None:
        codes = [QUESTION_TYPE_NAMES.index(name) for name in filters.question_types]
        wanted &= np.isin(index.column("questions", "question_type")[rows], codes)
    rows, film = rows[wanted], film[wanted]
    return _Asked(rows, film, has_target(index, rows), index.column("questions", "head")[rows] >= 0)


def _count_questions(index: Index, image_rows: IntArray, filters: Filters) -> Selection:
    """Gives all the films with their counts, those without a question too."""
    counts, masked = [np.zeros(0, dtype=np.int64)], 0
    free_text = np.zeros(len(QUESTION_TYPES), dtype=np.int64)
    for start in range(0, len(image_rows), _FILMS_AT_A_TIME):
        part = image_rows[start : start + _FILMS_AT_A_TIME]
        asked = _asked_questions(index, part, filters)
        counts.append(asked.counts(len(part)))
        types = index.column("questions", "question_type")[asked.rows[~asked.answerable]]
        free_text += np.bincount(types, minlength=len(free_text))
        masked += int((asked.answerable & ~asked.usable).sum())
    by_type = {
        kind.name: int(number) for kind, number in zip(QUESTION_TYPES, free_text, strict=True) if number
    }
    return Selection(image_rows, np.concatenate(counts), filters, by_type, masked)
