"""Shrinks a decoded film to its size in the store, antialiased, without moving a point of it."""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from cxrkit.data.films.shape import FilmShape


def scaled_film(
    grey: npt.NDArray[np.uint8], columns: int, rows: int, reduction: float, shape: FilmShape
) -> npt.NDArray[np.uint8]:
    """Gives the film's pixels in the store's size, without padding: `[shape.height, shape.width]`.

    The film's width times the scale is seldom whole. The film is not stretched to the next whole pixel, as
    its boxes would then lie beside it by up to half a pixel: the last column covers the film's edge.

    Args:
        grey: `[h, w]`, the film or a smaller copy of it.
        columns: width of the film in pixels.
        rows: height of the film in pixels.
        reduction: pixels of `grey` per film pixel.
        shape: the wanted geometry.
    """
    reach_x = _reach(shape.width, columns, shape.scale) * reduction
    reach_y = _reach(shape.height, rows, shape.scale) * reduction
    missing_y = max(0, math.ceil(reach_y) - grey.shape[0])
    missing_x = max(0, math.ceil(reach_x) - grey.shape[1])
    if missing_x or missing_y:
        grey = np.pad(grey, ((0, missing_y), (0, missing_x)), mode="edge")
    # Pillow widens this filter when shrinking: a weighted mean over the area, no aliasing.
    film = Image.fromarray(grey).resize(
        (shape.width, shape.height), Image.Resampling.BILINEAR, box=(0, 0, reach_x, reach_y)
    )
    return np.asarray(film)


def _reach(stored: int, length: int, scale: float) -> float:
    """Gives how many film pixels the stored ones cover; a film thinner than a pixel fills it."""
    return length if length * scale < 0.5 else stored / scale
