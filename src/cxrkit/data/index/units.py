"""The work of one index: studies in chunks, each with all that a process needs to read it."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt
import polars as pl

from cxrkit.data.index.placed_boxes import FilmOfStudy
from cxrkit.data.index.study_work import IndexUnit, StrayStudy, StudyWork
from cxrkit.data.qba.layout import QbaFiles
from cxrkit.data.qba.member_reader import Place
from cxrkit.data.qba.members import find_place, study_code, study_key

STUDIES_PER_CHUNK = 128


@dataclass(frozen=True)
class IndexPlan(Sequence[IndexUnit]):
    """All units of an index, made one by one when they are asked for.

    Attributes:
        films: accepted films, sorted; as `FilmTable.films`.
        studies: of `studies_of_films`.
        rejected_films: dicom_ids of rejected films by study_id.
        qba: questions and scene graphs, or None.
        strays: `[T]` codes of studies that have questions or metadata but no accepted film.
        known: `[M]` codes of the studies of the metadata table, sorted.
        studies_per_chunk: studies of a unit; the index does not depend on it.
    """

    films: pl.DataFrame
    studies: pl.DataFrame
    rejected_films: dict[int, frozenset[str]]
    qba: QbaFiles | None
    strays: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    studies_per_chunk: int

    @property
    def study_units(self) -> int:
        """Number of units with studies; those with strays follow."""
        return -(-self.studies.height // self.studies_per_chunk)

    def studies_in(self, unit: int) -> int:
        """Gives the number of studies or strays of a unit."""
        strays = unit >= self.study_units
        first = (unit - self.study_units * strays) * self.studies_per_chunk
        return min(self.studies_per_chunk, (len(self.strays) if strays else self.studies.height) - first)

    def __len__(self) -> int:
        return self.study_units + -(-len(self.strays) // self.studies_per_chunk)

    @overload
    def __getitem__(self, position: int) -> IndexUnit: ...
    @overload
    def __getitem__(self, position: slice) -> list[IndexUnit]: ...
    def __getitem__(self, position: int | slice) -> IndexUnit | list[IndexUnit]:
        """Makes a unit."""
        if isinstance(position, slice):
            return [self[number] for number in range(*position.indices(len(self)))]
        if not 0 <= position < len(self):
            raise IndexError(position)
        if position < self.study_units:
            first = position * self.studies_per_chunk
            return IndexUnit(position, tuple(self._studies(first, self.studies_per_chunk)), ())
        first = (position - self.study_units) * self.studies_per_chunk
        return IndexUnit(position, (), tuple(self._strays(first)))

    def study(self, row: int) -> StudyWork:
        """Gives the work of one study."""
        return next(self._studies(row, 1))

    def signature(self) -> str:
        """Gives a hash of the studies, films and strays: with another one, no chunk is the same."""
        digest = hashlib.sha256(f"{self.studies_per_chunk}".encode())
        digest.update("\n".join(self.films["dicom_id"]).encode())
        for name in ("subject_id", "study_id", "split", "columns", "rows"):
            digest.update(self.films[name].to_numpy().tobytes())
        digest.update(self.strays.tobytes())
        rejected = sorted((study, sorted(ids)) for study, ids in self.rejected_films.items())
        digest.update(json.dumps(rejected).encode())
        return digest.hexdigest()

    def _studies(self, first: int, number: int) -> Iterator[StudyWork]:
        chunk = self.studies.slice(first, number).rows()
        first_image = chunk[0][3]
        films = self.films.slice(first_image, sum(row[4] for row in chunk))
        shapes = list(zip(*(films[name].to_list() for name in ("dicom_id", "columns", "rows")), strict=True))
        for row, (subject_id, study_id, split, image, films_of_study) in enumerate(chunk, start=first):
            start = image - first_image
            placed = enumerate(shapes[start : start + films_of_study], start=image)
            yield StudyWork(
                row,
                (subject_id, study_id),
                split,
                {dicom: FilmOfStudy(film, width, height) for film, (dicom, width, height) in placed},
                self.rejected_films.get(study_id, frozenset()),
                *self._places(study_code(subject_id, study_id)),
            )

    def _places(self, code: int) -> tuple[Place | None, Place | None]:
        if self.qba is None:
            return None, None
        return find_place(self.qba.questions, code), find_place(self.qba.scenes, code)

    def _strays(self, first: int) -> Iterator[StrayStudy]:
        for code in self.strays[first : first + self.studies_per_chunk].tolist():
            row = int(np.searchsorted(self.known, code))
            known = row < len(self.known) and self.known[row] == code
            reason = "study_without_image" if known else "study_not_in_metadata"
            yield StrayStudy(study_key(code), reason, self._places(code)[0])


def studies_of_films(films: pl.DataFrame) -> pl.DataFrame:
    """Gives the studies of sorted films: subject_id, study_id, split, first_image, num_images."""
    numbered = films.with_row_index("image_row")
    return (
        numbered.group_by("subject_id", "study_id", maintain_order=True)
        .agg(
            pl.col("split").first(),
            pl.col("image_row").min().alias("first_image"),
            pl.len().alias("num_images"),
        )
        .sort("subject_id", "study_id")
    )


def plan_index(
    films: pl.DataFrame,
    rejected_films: dict[int, frozenset[str]],
    subject_of_study: dict[int, int],
    qba: QbaFiles | None,
    studies_per_chunk: int | None = None,
) -> IndexPlan:
    """Plans an index.

    Args:
        films: accepted films, sorted.
        rejected_films: dicom_ids of rejected films by study_id.
        subject_of_study: the studies of the metadata table.
        qba: questions and scene graphs, or None.
        studies_per_chunk: studies of a unit; None = `STUDIES_PER_CHUNK`.
    """
    studies = studies_of_films(films)
    indexed = _codes(studies["subject_id"].to_numpy(), studies["study_id"].to_numpy())
    study_ids = np.fromiter(subject_of_study, dtype=np.int64, count=len(subject_of_study))
    subjects = np.fromiter(subject_of_study.values(), dtype=np.int64, count=len(subject_of_study))
    known = np.sort(_codes(subjects, study_ids))
    asked = qba.questions.codes if qba else np.zeros(0, dtype=np.int64)
    strays = np.setdiff1d(np.union1d(known, asked), indexed)
    return IndexPlan(
        films, studies, rejected_films, qba, strays, known, studies_per_chunk or STUDIES_PER_CHUNK
    )


def _codes(subjects: npt.NDArray[np.integer], studies: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    return np.asarray(subjects.astype(np.int64) * study_code(1, 0) + studies, dtype=np.int64)
