"""What batches, inference and evaluation see of the films, stored or not."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt


class FilmSource(Protocol):
    """Films by row of the index's `images`, each letterboxed in a square of its own side.

    x_square = x_px * scale + pad_x and y_square = y_px * scale + pad_y.
    """

    @property
    def size(self) -> int:
        """The setting `image_store_size`."""

    @property
    def count(self) -> int:
        """Number of films."""

    @property
    def side(self) -> npt.NDArray[np.int32]:
        """Side of each film's square in pixels: `[count]`."""

    @property
    def scale(self) -> npt.NDArray[np.float32]:
        """Square pixels per film pixel: `[count]`."""

    @property
    def pad_x(self) -> npt.NDArray[np.float32]:
        """Columns of zeros on the left: `[count]`."""

    @property
    def pad_y(self) -> npt.NDArray[np.float32]:
        """Rows of zeros at the top: `[count]`."""

    def read(self, image_row: int) -> npt.NDArray[np.uint8]:
        """Gives a film as `[side, side]`, zeros beside it; may be a read-only view.

        Raises:
            IndexError: there is no such row.
            ArtifactError: the film's file cannot be decoded any more (films that are not stored).
        """


def stack_films(source: FilmSource, image_rows: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Gives films as one array `[B, C, C]`, C the largest side; smaller squares lie at the top left."""
    side = int(source.side[list(image_rows)].max(initial=0))
    stacked = np.zeros((len(image_rows), side, side), dtype=np.uint8)
    for place, row in zip(stacked, image_rows, strict=True):
        film = source.read(int(row))
        place[: film.shape[0], : film.shape[1]] = film
    return stacked
