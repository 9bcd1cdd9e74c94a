"""One film from its file to 8-bit grey in the store's square, or the reason why it cannot be used."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

_MEGAPIXEL_LIMIT = 64_000_000
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_PADDING = b"\x00\n\r "
_EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"})


class FilmError(Exception):
    """A film cannot be used; becomes a reject.

    Args:
        code: the reject's reason code.
        detail: what the reject's row says.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class StoredFilm:
    """A film in the store's square; x_store = x_px * scale + pad_x, y_store = y_px * scale + pad_y.

    Attributes:
        pixels: `[S, S]` uint8, zeros beside the film.
        scale: store pixels per film pixel.
        pad_x: columns of zeros on the left.
        pad_y: rows of zeros at the top.
    """

    pixels: npt.NDArray[np.uint8]
    scale: float
    pad_x: float
    pad_y: float


def decode_film(path: Path, width: int, height: int, size: int) -> StoredFilm:
    """Decodes a JPEG or PNG file strictly and fits it into a square.

    The longest side becomes `size`; shrinking is antialiased. JPEG's own scaled decoding is used
    down to the smallest step that is not below the wanted size.

    Args:
        path: the file.
        width: expected width (`Columns`).
        height: expected height (`Rows`).
        size: side S of the square.

    Raises:
        FilmError: the file is missing, unreadable, cut off, no image, too large, or of another size.
    """
    data = _read(path)
    _check_complete(data)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as film:
            _check_header(film, width, height)
            target = fitted_size(width, height, size)
            film.draft("L", target)
            reduced = film.convert("L")
    except Image.DecompressionBombError as error:
        raise FilmError("image_too_large") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        cut = "truncated" in str(error)
        raise FilmError("truncated_image" if cut else "unreadable_image", type(error).__name__) from error
    return _letterbox(reduced, target, size, size / max(width, height))


def fitted_size(width: int, height: int, size: int) -> tuple[int, int]:
    """Gives width and height in the store: the longest side becomes `size`, none becomes 0.

    >>> fitted_size(2544, 3056, 320)
    (266, 320)
    """
    scale = size / max(width, height)
    return max(1, min(size, round(width * scale))), max(1, min(size, round(height * scale)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FilmError("missing_image") from error
    except OSError as error:
        raise FilmError("unreadable_image", type(error).__name__) from error


def _check_complete(data: bytes) -> None:
    """A decoder fills a cut-off film with grey; the end marker must be there (padding may follow)."""
    if data.startswith(_JPEG_START):
        complete = data.rstrip(_PADDING).endswith(_JPEG_END)
    elif data.startswith(_PNG_START):
        complete = data.rstrip(_PADDING).endswith(_PNG_END)
    elif not data:
        raise FilmError("truncated_image", "0 bytes")
    else:
        raise FilmError("not_an_image")
    if not complete:
        raise FilmError("truncated_image", f"{len(data)} bytes without an end marker")


def _check_header(film: Image.Image, width: int, height: int) -> None:
    if film.width * film.height > _MEGAPIXEL_LIMIT:
        raise FilmError("image_too_large", f"{film.width}x{film.height}")
    if film.size != (width, height):
        raise FilmError("size_mismatch", f"{film.width}x{film.height}, table says {width}x{height}")
    if film.mode not in _EIGHT_BIT_MODES:
        raise FilmError("unsupported_pixels", film.mode)


def _letterbox(film: Image.Image, target: tuple[int, int], size: int, scale: float) -> StoredFilm:
    pad_x, pad_y = (size - target[0]) // 2, (size - target[1]) // 2
    pixels = np.zeros((size, size), dtype=np.uint8)
    pixels[pad_y : pad_y + target[1], pad_x : pad_x + target[0]] = np.asarray(
        # Pillow widens this filter when shrinking: a weighted mean over the area, no aliasing.
        film.resize(target, Image.Resampling.BILINEAR)
    )
    return StoredFilm(pixels, scale, float(pad_x), float(pad_y))
