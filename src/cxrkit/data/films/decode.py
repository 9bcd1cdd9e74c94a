"""One film from its file to 8-bit grey in the store's geometry, or the reason why it cannot be used."""

import stat
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.film_error import FilmError
from cxrkit.data.films.jpeg import JPEG_START, decode_jpeg
from cxrkit.data.films.png import PNG_START, decode_png
from cxrkit.data.films.resample import scaled_film
from cxrkit.data.films.shape import FilmShape, StoreLayout, fit_film, letterbox

_FILE_LIMIT = 256 * 2**20


def decode_film(path: Path, columns: int, rows: int, layout: StoreLayout) -> npt.NDArray[np.uint8]:
    """Decodes a JPEG, PNG or DICOM file strictly and gives it as it is stored.

    The kind of file is told by its content.

    Args:
        path: the file.
        columns: expected width in pixels.
        rows: expected height in pixels.
        layout: how films are stored.

    Returns:
        `[stored_height, stored_width]` of `fit_film(columns, rows, layout)`.

    Raises:
        FilmError: the file is missing, unreadable, cut off, damaged, no image, too large, or of another size.
        CxrkitError: it is a DICOM file and the packages that read it are not installed.
    """
    shape = fit_film(columns, rows, layout)
    grey, reduction = _decode(_read(path), (columns, rows), (shape.width, shape.height))
    film = scaled_film(grey, columns, rows, reduction, shape)
    return letterbox(film, shape.side, shape.pad_x, shape.pad_y) if _is_padded(shape) else film


def _is_padded(shape: FilmShape) -> bool:
    return (shape.stored_width, shape.stored_height) != (shape.width, shape.height)


def _decode(
    data: bytes, expected: tuple[int, int], wanted: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], float]:
    if data.startswith(JPEG_START):
        return decode_jpeg(data, expected, wanted)
    if data.startswith(PNG_START):
        return decode_png(data, expected), 1.0
    if data[128:132] == b"DICM":
        # DICOM needs packages that most users never need.
        from cxrkit.data.films.dicom import decode_dicom

        return decode_dicom(data, expected), 1.0
    raise FilmError("not_an_image") if data else FilmError("truncated_image", "0 bytes")


def _read(path: Path) -> bytes:
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise FilmError("unreadable_image", "not a regular file")
        if state.st_size > _FILE_LIMIT:
            raise FilmError("image_too_large", f"a file of {state.st_size} bytes")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FilmError("missing_image") from error
    except OSError as error:
        raise FilmError("unreadable_image", type(error).__name__) from error
