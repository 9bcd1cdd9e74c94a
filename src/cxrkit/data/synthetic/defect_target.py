"""Where defects are planted: always the first fitting film, row or question of the train split."""

import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cxrkit.data.synthetic.csv_files import csv_text, write_gzip
from cxrkit.data.synthetic.identifiers import study_folder
from cxrkit.data.synthetic.mimic_rows import COLUMNS, METADATA_FILE, SPLIT_FILE
from cxrkit.errors import CxrkitError

CsvRow: TypeAlias = list[str]
_FRONTAL = ("AP", "PA")


@dataclass(frozen=True)
class SetRoots:
    """The two roots of a written set."""

    mimic: Path
    qba: Path


@dataclass(frozen=True)
class FilmTarget:
    """A film of the train split: where it stands in the metadata file and on disk."""

    row: int
    subject_id: int
    study_id: int
    is_frontal: bool
    path: Path


def read_rows(path: Path) -> list[CsvRow]:
    """Gives all rows of a `.csv.gz`, the header first."""
    return list(csv.reader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))


def write_rows(path: Path, rows: list[CsvRow]) -> None:
    """Writes rows, the header first, as `.csv.gz`."""
    write_gzip(path, csv_text(rows).encode())


def column(file: str, name: str) -> int:
    """Gives the position of a column in a MIMIC-CXR-JPG file."""
    return COLUMNS[file].index(name)


def studies_of_split(roots: SetRoots, split: str) -> list[list[FilmTarget]]:
    """Gives the films of each study of a split that has an AP or PA film, in the order of the files."""
    split_rows = read_rows(roots.mimic / SPLIT_FILE)
    splits = {row[column(SPLIT_FILE, "dicom_id")]: row[column(SPLIT_FILE, "split")] for row in split_rows}
    studies: dict[int, list[FilmTarget]] = {}
    for number, row in enumerate(read_rows(roots.mimic / METADATA_FILE)):
        dicom_id = row[column(METADATA_FILE, "dicom_id")]
        if splits.get(dicom_id) == split:
            subject_id, study_id = (
                int(row[column(METADATA_FILE, key)]) for key in ("subject_id", "study_id")
            )
            is_frontal = row[column(METADATA_FILE, "ViewPosition")] in _FRONTAL
            path = roots.mimic / "files" / study_folder(subject_id, study_id) / f"{dicom_id}.jpg"
            studies.setdefault(study_id, []).append(
                FilmTarget(number, subject_id, study_id, is_frontal, path)
            )
    found = [films for films in studies.values() if any(film.is_frontal for film in films)]
    if not found:
        raise too_small(f"a {split} study with an AP or PA film")
    return found


def train_studies(roots: SetRoots) -> list[list[FilmTarget]]:
    """Gives the films of each train study that has an AP or PA film, in the order of the files."""
    return studies_of_split(roots, "train")


def test_film(roots: SetRoots) -> FilmTarget:
    """Gives an AP or PA film of the test split."""
    return next(film for film in studies_of_split(roots, "test")[0] if film.is_frontal)


def set_film_size(roots: SetRoots, number: int, width: int, height: int) -> None:
    """Writes a film's width and height into the metadata file.

    Args:
        roots: of the set.
        number: the film's row there.
        width: in pixels.
        height: in pixels.
    """
    path = roots.mimic / METADATA_FILE
    rows = read_rows(path)
    rows[number][column(METADATA_FILE, "Columns")] = str(width)
    rows[number][column(METADATA_FILE, "Rows")] = str(height)
    write_rows(path, rows)


def frontal_film(roots: SetRoots) -> FilmTarget:
    """Gives an AP or PA film of the train split, of a study with several films when there is one."""
    studies = train_studies(roots)
    films = next((films for films in studies if len(films) > 1), studies[0])
    return next(film for film in films if film.is_frontal)


def too_small(need: str) -> CxrkitError:
    """Gives the error for a set in which a defect finds no place."""
    return CxrkitError(
        "the defect cannot be planted into so small a set",
        expected=need,
        next_step="write more patients",
    )
