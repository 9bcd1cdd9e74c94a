"""The films of a data set: which files they may be in, and what became of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt


class FilmFile(NamedTuple):
    """A film to be stored: its id, the files it may be in, and its expected size in pixels."""

    dicom_id: str
    paths: tuple[Path, ...]
    width: int
    height: int


class StoredAs(NamedTuple):
    """What became of a film: the file that was read, or the reason why there is none."""

    path: Path
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class FilmColumns:
    """What the plan of a store is made of, one element per film.

    Attributes:
        dicom_ids: text.
        places: the first file, or what stands for all files of a film.
        widths: int64 pixels.
        heights: the same.
    """

    dicom_ids: Sequence[str]
    places: Sequence[str]
    widths: npt.NDArray[np.int64]
    heights: npt.NDArray[np.int64]


class FilmList(Sequence[FilmFile]):
    """Films as columns: a `FilmFile` and its paths are made when they are asked for.

    A list of `FilmFile` costs about two kilobytes per film, a gigabyte for the whole of MIMIC-CXR.

    Args:
        image_folder: holds what `places` name.
        places: path of each film below it, without suffix, as `p10/p10000032/s50414267/<dicom_id>`.
        dicom_ids: text.
        widths: in pixels.
        heights: in pixels.
        suffixes: which files a film may be in, the likeliest first.
    """

    def __init__(
        self,
        image_folder: Path,
        places: Sequence[str],
        dicom_ids: Sequence[str],
        widths: npt.ArrayLike,
        heights: npt.ArrayLike,
        suffixes: Sequence[str],
    ) -> None:
        self._root = f"{image_folder}/"
        self._suffixes = tuple(suffixes)
        self._columns = FilmColumns(
            dicom_ids, places, np.asarray(widths, dtype=np.int64), np.asarray(heights, dtype=np.int64)
        )

    def __len__(self) -> int:
        return len(self._columns.dicom_ids)

    @overload
    def __getitem__(self, place: int) -> FilmFile: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[FilmFile]: ...
    def __getitem__(self, place: int | slice) -> FilmFile | Sequence[FilmFile]:
        """Gives a film, or those of a slice as a list."""
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        stem = self._root + self._columns.places[place]
        return FilmFile(
            self._columns.dicom_ids[place],
            tuple(Path(stem + suffix) for suffix in self._suffixes),
            int(self._columns.widths[place]),
            int(self._columns.heights[place]),
        )

    @property
    def columns(self) -> FilmColumns:
        """The films as columns; `places` are below the image folder."""
        return self._columns

    @property
    def origin(self) -> str:
        """The image folder and the suffixes: with the columns it says which files are meant."""
        return "\n".join((self._root, *self._suffixes))


def columns_of(films: Sequence[FilmFile]) -> tuple[FilmColumns, str]:
    """Gives films as columns, and where their places lie."""
    if isinstance(films, FilmList):
        return films.columns, films.origin
    widths = np.fromiter((film.width for film in films), np.int64, len(films))
    heights = np.fromiter((film.height for film in films), np.int64, len(films))
    columns = FilmColumns(
        [film.dicom_id for film in films], [str(film.paths[0]) for film in films], widths, heights
    )
    return columns, ""


def image_list_fingerprint(dicom_ids: Sequence[str]) -> str:
    """Gives the hex sha256 of the stored films' ids in order."""
    return hashlib.sha256("\n".join(dicom_ids).encode()).hexdigest()
