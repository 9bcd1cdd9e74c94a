"""Reads films from their files, one by one: for small data, where a store is not worth its space."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.decode import decode_film
from cxrkit.data.films.film_error import FilmError
from cxrkit.data.films.shape import StoreLayout, letterbox
from cxrkit.data.films.store_record import StoreRecord, check_image_list, read_store_record
from cxrkit.data.index.artifact import changed_workspace
from cxrkit.data.index.opener import Index
from cxrkit.errors import ArtifactError


@dataclass(frozen=True)
class FilmFiles:
    """The films of a workspace, decoded whenever they are read; `FilmFiles.open` makes it.

    The same pixels as `ImageStore` gives, and the same attributes.

    Attributes:
        workspace: the folder it was opened from.
        size: the setting `image_store_size`.
        count: number of films.
        side: `[count]` int32, side of each film's square.
        scale: `[count]` float32, square pixels per film pixel.
        pad_x: `[count]` float32, columns of zeros on the left.
        pad_y: `[count]` float32, rows of zeros at the top.
    """

    workspace: Path
    size: int
    count: int
    side: npt.NDArray[np.int32] = field(repr=False)
    scale: npt.NDArray[np.float32] = field(repr=False)
    pad_x: npt.NDArray[np.float32] = field(repr=False)
    pad_y: npt.NDArray[np.float32] = field(repr=False)
    _index: Index = field(repr=False)
    _record: StoreRecord = field(repr=False)

    @classmethod
    def open(cls, workspace: Path) -> "FilmFiles":
        """Opens the films of a finished workspace, made with or without a store.

        Args:
            workspace: the folder given to `prepare_workspace`.

        Raises:
            ArtifactError: the workspace is missing, unfinished or damaged.
        """
        record = read_store_record(workspace)
        check_image_list(record)
        return cls(
            workspace,
            record.size,
            record.count,
            record.column("side"),
            record.column("scale"),
            record.column("pad_x"),
            record.column("pad_y"),
            Index.open(workspace),
            record,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (self.workspace, self._record.image_list, self.size)

    def __len__(self) -> int:
        return self.count

    def path(self, image_row: int) -> Path:
        """Gives the file of a film."""
        return self._index.image_path(image_row)

    def read(self, image_row: int) -> npt.NDArray[np.uint8]:
        """Decodes a film: `[side, side]`, zeros beside it, read-only.

        Raises:
            IndexError: there is no such row.
            ArtifactError: its file cannot be used any more.
        """
        if not 0 <= image_row < self.count:
            raise IndexError(f"image row {image_row} of {self.count}")
        path = self.path(image_row)
        columns = int(self._index.column("images", "columns")[image_row])
        rows = int(self._index.column("images", "rows")[image_row])
        try:
            film = decode_film(path, columns, rows, StoreLayout(self.size, self._record.padding))
        except FilmError as error:
            raise ArtifactError(
                "a film that was usable when the workspace was prepared cannot be read any more",
                expected=f"{path}, as it was then",
                found=f"{error.code} {error.detail}".rstrip(),
                next_step="bring the film back, or run `cxrkit prepare` again, which rejects such films",
            ) from error
        side, pad_x, pad_y = (int(column[image_row]) for column in (self.side, self.pad_x, self.pad_y))
        square = film if film.shape == (side, side) else letterbox(film, side, pad_x, pad_y)
        square.flags.writeable = False
        return square


def _open_again(workspace: Path, image_list: str, size: int) -> FilmFiles:
    films = FilmFiles.open(workspace)
    if (films._record.image_list, films.size) != (image_list, size):
        raise changed_workspace(workspace)
    return films
