"""The films of a run: which files are meant, and which of them can be used."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl

from cxrkit.data.films.film_error import FILM_CODES
from cxrkit.data.films.film_list import FilmFile, FilmList, StoredAs
from cxrkit.data.mimic_cxr.films import FilmTable
from cxrkit.data.mimic_cxr.layout import MimicCxrLayout
from cxrkit.data.rejects import Reject, RejectLog, film_remedy
from cxrkit.data.source_state import FILM_SUFFIXES, film_paths, film_place
from cxrkit.errors import DataLayoutError


def film_files(table: FilmTable, mimic: MimicCxrLayout) -> FilmList:
    """Gives all films of the tables, in their order."""
    ids = table.films.select("subject_id", "study_id", "dicom_id").iter_rows()
    return FilmList(
        mimic.image_folder,
        [film_place(*row) for row in ids],
        table.films["dicom_id"].to_list(),
        table.films["columns"].to_numpy(),
        table.films["rows"].to_numpy(),
        FILM_SUFFIXES,
    )


def rejected_film_files(rejects: Sequence[Reject], mimic: MimicCxrLayout) -> list[FilmFile]:
    """Gives the films whose files an earlier run rejected, for their signature."""
    places = [
        (row.dicom_id, film_place(row.subject_id, row.study_id, row.dicom_id))
        for row in rejects
        if row.code in FILM_CODES
    ]
    return [FilmFile(dicom, film_paths(mimic.image_folder, place), 0, 0) for dicom, place in places]


def accept_films(
    table: FilmTable, mimic: MimicCxrLayout, stored: Sequence[StoredAs], rejects: RejectLog
) -> tuple[pl.DataFrame, dict[int, frozenset[str]]]:
    """Gives the usable films with their `path`, and the ids of the others by study.

    Args:
        table: all films.
        mimic: where they lie.
        stored: what became of each.
        rejects: takes the unusable ones.

    Raises:
        DataLayoutError: no film can be used.
    """
    root = len(str(mimic.image_folder)) + 1
    paths: list[str] = []
    good = np.zeros(len(stored), dtype=np.bool_)
    rejected: dict[int, set[str]] = {}
    ids = table.films.select("subject_id", "study_id", "dicom_id").iter_rows()
    for row, ((subject, study, dicom), result) in enumerate(zip(ids, stored, strict=True)):
        paths.append("files/" + str(result.path)[root:])
        good[row] = not result.code
        if result.code:
            where = f"files/{film_place(subject, study, dicom)}"
            rejects.add(
                Reject(result.code, "image", subject, study, dicom, where=where, detail=result.detail)
            )
            rejected.setdefault(study, set()).add(dicom)
    films = table.films.with_columns(pl.Series("path", paths, dtype=pl.String)).filter(pl.Series(good))
    if films.is_empty():
        raise _nothing_usable(stored)
    return films, {study: frozenset(ids) for study, ids in rejected.items()}


def _nothing_usable(stored: Sequence[StoredAs]) -> DataLayoutError:
    first = next(result for result in stored if result.code)
    counts = Counter(result.code for result in stored)
    listed = ", ".join(f"{code} {count}" for code, count in counts.most_common())
    return DataLayoutError(
        "no film can be used",
        expected="8-bit JPEG files of the size in the metadata table",
        found=f"{len(stored)} films rejected ({listed}); the first: {first.code} {first.path}",
        next_step=film_remedy(counts),
    )
