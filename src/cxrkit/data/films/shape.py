"""Where a film's pixels go: its size in the store and the way from film pixels to its square."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Padding = Literal["square", "none"]
# A strip of 1 x 60,000 pixels must not become a store film of 320 x 19 million.
LONGEST_SIDE = 4


@dataclass(frozen=True)
class StoreLayout:
    """How films are stored.

    Attributes:
        size: S, the setting `image_store_size` in pixels.
        padding: "square" scales the longest side to S and stores S x S, zeros beside the film; "none" scales
            the shortest side to S (the longest to 4 S at most) and stores the film alone.
        stored: False keeps no pixels: films are decoded whenever they are read.
    """

    size: int
    padding: Padding = "square"
    stored: bool = True


@dataclass(frozen=True)
class FilmShapes:
    """The geometry of films, one element of each array per film.

    x_square = x_px * scale + pad_x and y_square = y_px * scale + pad_y.

    Attributes:
        width: int64, of the scaled film in pixels.
        height: the same.
        side: int64, side of the square in which the film is read.
        scale: float64, square pixels per film pixel.
        pad_x: int64, columns of zeros on the left.
        pad_y: int64, rows of zeros at the top.
        stored_width: int64, of what is stored.
        stored_height: the same.
    """

    width: npt.NDArray[np.int64]
    height: npt.NDArray[np.int64]
    side: npt.NDArray[np.int64]
    scale: npt.NDArray[np.float64]
    pad_x: npt.NDArray[np.int64]
    pad_y: npt.NDArray[np.int64]
    stored_width: npt.NDArray[np.int64]
    stored_height: npt.NDArray[np.int64]


@dataclass(frozen=True)
class FilmShape:
    """The geometry of one film; see `FilmShapes`."""

    width: int
    height: int
    side: int
    scale: float
    pad_x: int
    pad_y: int
    stored_width: int
    stored_height: int


def fit_films(columns: npt.ArrayLike, rows: npt.ArrayLike, layout: StoreLayout) -> FilmShapes:
    """Gives the geometry of many films.

    Args:
        columns: widths in pixels, positive.
        rows: heights in pixels, positive.
        layout: how they are stored.
    """
    sizes = np.stack([np.asarray(columns, dtype=np.float64), np.asarray(rows, dtype=np.float64)])
    longest = layout.size / sizes.max(axis=0)
    if layout.padding == "square":
        scale = longest
    else:
        scale = np.minimum(layout.size / sizes.min(axis=0), LONGEST_SIDE * longest)
    width, height = np.maximum(np.rint(sizes * scale).astype(np.int64), 1)
    side = np.full_like(width, layout.size) if layout.padding == "square" else np.maximum(width, height)
    padded = layout.padding == "square"
    return FilmShapes(
        width=width,
        height=height,
        side=side,
        scale=scale,
        pad_x=(side - width) // 2,
        pad_y=(side - height) // 2,
        stored_width=side if padded else width,
        stored_height=side if padded else height,
    )


def fit_film(columns: int, rows: int, layout: StoreLayout) -> FilmShape:
    """Gives the geometry of one film.

    >>> shape = fit_film(2544, 3056, StoreLayout(320))
    >>> (shape.width, shape.height, shape.pad_x, shape.side)
    (266, 320, 27, 320)
    >>> shape = fit_film(2544, 3056, StoreLayout(320, "none"))
    >>> (shape.stored_width, shape.stored_height, shape.side)
    (320, 384, 384)
    """
    shapes = fit_films([columns], [rows], layout)
    return FilmShape(
        width=int(shapes.width[0]),
        height=int(shapes.height[0]),
        side=int(shapes.side[0]),
        scale=float(shapes.scale[0]),
        pad_x=int(shapes.pad_x[0]),
        pad_y=int(shapes.pad_y[0]),
        stored_width=int(shapes.stored_width[0]),
        stored_height=int(shapes.stored_height[0]),
    )


def letterbox(film: npt.NDArray[np.uint8], side: int, pad_x: int, pad_y: int) -> npt.NDArray[np.uint8]:
    """Gives a film in a square of zeros: `[side, side]`."""
    square = np.zeros((side, side), dtype=np.uint8)
    square[pad_y : pad_y + film.shape[0], pad_x : pad_x + film.shape[1]] = film
    return square
