"""PNG to grey, strictly: every chunk's checksum is checked, the header before anything is inflated."""

import io
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from cxrkit.data.films.film_error import FilmError, check_size

PNG_START = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT_DEPTHS = frozenset({1, 2, 4, 8})


def decode_png(data: bytes, expected: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Decodes a PNG to grey: `[h, w]`.

    Args:
        data: the whole file; padding may follow the last chunk.
        expected: width and height from the metadata table.

    Raises:
        FilmError: it is cut off, damaged, too large, of another size, or deeper than 8 bits.
    """
    header = _check_chunks(data)
    width, height = (int.from_bytes(header[place : place + 4], "big") for place in (0, 4))
    check_size((width, height), expected)
    if header[8] not in _EIGHT_BIT_DEPTHS:
        raise FilmError("unsupported_pixels", f"PNG with {header[8]} bits")
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as film:
            return np.asarray(film.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, zlib.error) as error:
        raise FilmError("damaged_image", type(error).__name__) from error


def _check_chunks(data: bytes) -> bytes:
    """Gives the content of the first chunk, once all chunks up to the last are whole."""
    place, header = len(PNG_START), b""
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        end = place + 12 + length
        if end > len(data):
            break
        kind = data[place + 4 : place + 8]
        body = memoryview(data)[place + 4 : end - 4]
        if zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            raise FilmError("damaged_image", "a chunk's checksum is wrong")
        if place == len(PNG_START):
            if kind != b"IHDR" or length != 13:
                raise FilmError("unreadable_image", "no image header")
            header = bytes(body[4:])
        if kind == b"IEND":
            return header
        place = end
    raise FilmError("truncated_image", f"{len(data)} bytes without an end marker")
