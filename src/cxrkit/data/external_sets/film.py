"""A picture of an external set as a film: one grey square, zeros beside the picture."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from cxrkit.data.films.resample import scaled_film
from cxrkit.data.films.shape import StoreLayout, fit_film, letterbox
from cxrkit.errors import DataLayoutError

_MOST_PIXELS = 64_000_000


def read_film(path: Path, size: int) -> npt.NDArray[np.uint8]:
    """Reads a JPEG or PNG, in colour or grey, and scales it as the image store scales films.

    The sets keep grey radiographs in colour files; their luminance is the film.

    Args:
        path: the picture.
        size: S, side of the square in pixels.

    Returns:
        `[S, S]`.

    Raises:
        DataLayoutError: it cannot be read whole.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError(f"{picture.width} x {picture.height} pixels")
            grey = _grey(picture)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataLayoutError(
            f"the film {path} cannot be read",
            expected="a whole JPEG or PNG file of at most 64 megapixels",
            found=f"{type(error).__name__}: {error}",
            next_step="download it again; no empty film takes its place",
        ) from error
    rows, columns = grey.shape
    shape = fit_film(columns, rows, StoreLayout(size))
    return letterbox(scaled_film(grey, columns, rows, 1.0, shape), shape.side, shape.pad_x, shape.pad_y)


def _grey(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Gives a picture in 256 levels; one of more levels by its own range, where Pillow would cut them off."""
    if picture.mode not in ("I", "F") and not picture.mode.startswith("I;16"):
        return np.asarray(picture.convert("L"))
    levels = np.asarray(picture).astype(np.float64)
    if not np.isfinite(levels).all():
        raise ValueError("a level is no number")
    low, high = float(levels.min()), float(levels.max())
    return np.rint((levels - low) / max(high - low, 1.0) * 255).astype(np.uint8)
