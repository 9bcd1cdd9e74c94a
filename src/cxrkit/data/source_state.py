"""A cheap signature of the inputs, to tell whether a workspace is still up to date."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from cxrkit.data.films.film_list import FilmFile
from cxrkit.data.mimic_cxr.layout import MimicCxrLayout
from cxrkit.data.qba.layout import QbaPlaces

FILM_SUFFIXES = (".jpg", ".jpeg", ".JPG", ".JPEG", ".png", ".PNG", ".dcm", ".DCM")


def film_place(subject_id: int, study_id: int, dicom_id: str) -> str:
    """Gives a film's path below the image folder, without suffix.

    >>> film_place(10000032, 50414267, "a-b")
    'p10/p10000032/s50414267/a-b'
    """
    patient = f"p{subject_id}"
    return f"{patient[:3]}/{patient}/s{study_id}/{dicom_id}"


def film_paths(image_folder: Path, place: str) -> tuple[Path, ...]:
    """Gives the files in which a film may be."""
    return tuple(image_folder / f"{place}{suffix}" for suffix in FILM_SUFFIXES)


def inputs_signature(mimic: MimicCxrLayout, qba: QbaPlaces | None) -> str:
    """Gives a hash of names, sizes and times of tables, archives and extracted study files.

    The films themselves are not looked at, only those that were rejected: see `films_signature`.
    """
    states = [_state(path) for _, path in sorted(mimic.tables.items())]
    if qba is not None:
        files = [qba.questions, *([qba.scenes] if qba.scenes else [])]
        states += [state for source in files for state in source.signature()]
        states += [_state(qba.dataset_info)] if qba.dataset_info else []
    return _digest(states)


def films_signature(films: Iterable[FilmFile]) -> str:
    """Gives a hash of sizes and times of rejected films, so that a mended download is noticed."""
    return _digest([_state(path) for film in films for path in film.paths])


def _state(path: Path) -> tuple[str, int, int]:
    if not path.exists():
        return path.name, -1, -1
    state = path.stat()
    return path.name, state.st_size, state.st_mtime_ns


def _digest(states: Sequence[tuple[str, int, int]]) -> str:
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()
