"""JPEG to grey, strictly: what libjpeg only warns of (lost blocks, missing data) is an error here."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg

from cxrkit.data.films.film_error import FilmError, check_size

JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PADDING = b"\x00\n\r "
# Frame markers SOF0 to SOF15; C4, C8 and CC are tables. The decoder takes Huffman-coded DCT only.
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_READ_MARKERS = frozenset({0xC0, 0xC1, 0xC2})
_ALONE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
# Each scan of a progressive film costs a pass over the whole picture; a real film has about ten.
_SCAN_LIMIT = 500
_PROGRESSIVE = 0xC2


# A short side of 2544 shrinks to 318 pixels: not worth decoding four times as many for 320.
_ENOUGH = 0.98


class JpegFrame(NamedTuple):
    """What a JPEG's frame header says.

    Attributes:
        marker: second byte of the marker, 0xC0 for a baseline film.
        bits: per sample.
        width: in pixels.
        height: in pixels.
        components: 1 for grey.
    """

    marker: int
    bits: int
    width: int
    height: int
    components: int


def read_jpeg_frame(data: bytes) -> JpegFrame:
    """Reads the frame header of a JPEG or JPEG-LS stream.

    Raises:
        FilmError: there is none.
    """
    place = 2
    while place + 9 < len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF or marker in _ALONE_MARKERS:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_MARKERS or marker == 0xF7:
            height, width = (
                int.from_bytes(data[place + 5 : place + 7], "big"),
                int.from_bytes(data[place + 7 : place + 9], "big"),
            )
            return JpegFrame(marker, data[place + 4], width, height, data[place + 9])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    raise FilmError("unreadable_image", "no frame header")


def check_jpeg_end(data: bytes) -> None:
    """Refuses a stream without its end marker, after which padding may follow.

    Raises:
        FilmError: it is cut off.
    """
    if not data.rstrip(_PADDING).endswith(_JPEG_END):
        raise FilmError("truncated_image", f"{len(data)} bytes without an end marker")


def decode_jpeg(
    data: bytes, expected: tuple[int, int], wanted: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], float]:
    """Decodes a JPEG to grey, shrunk to the smallest eighths that are not (2 %) below the wanted size.

    Args:
        data: the whole file.
        expected: width and height from the metadata table.
        wanted: width and height below which the film must not shrink by more than 2 %.

    Returns:
        `[h, w]`, and its pixels per film pixel.

    Raises:
        FilmError: it is cut off, damaged, too large, of another size, or not 8-bit Huffman-coded.
    """
    check_jpeg_end(data)
    frame = read_jpeg_frame(data)
    check_size((frame.width, frame.height), expected)
    if frame.marker not in _READ_MARKERS or frame.bits != 8:
        raise FilmError("unsupported_pixels", f"JPEG process {frame.marker - 0xC0}, {frame.bits} bits")
    if _has_many_scans(frame) and data.count(b"\xff\xda") > _SCAN_LIMIT:
        raise FilmError("damaged_image", f"more than {_SCAN_LIMIT} scans")
    eighths = _smallest_eighths(expected, wanted)
    width, height = (_shrunk(length, eighths) for length in expected)
    try:
        grey = simplejpeg.decode_jpeg(data, "GRAY", min_height=height, min_width=width, strict=True)
    except ValueError as error:
        raise FilmError("damaged_image", "the decoder found corrupt data") from error
    if grey.shape[:2] != (height, width):
        raise FilmError("damaged_image", f"decoded to {grey.shape[1]}x{grey.shape[0]}, not {width}x{height}")
    pixels: npt.NDArray[np.uint8] = grey[:, :, 0]
    return pixels, eighths / 8


def _has_many_scans(frame: JpegFrame) -> bool:
    """Only such films are searched for scans: it takes a tenth of the time of decoding."""
    return frame.marker == _PROGRESSIVE or frame.components > 1


def _smallest_eighths(size: tuple[int, int], wanted: tuple[int, int]) -> int:
    for eighths in range(1, 8):
        shrunk = (_shrunk(length, eighths) for length in size)
        if all(length >= _ENOUGH * least for length, least in zip(shrunk, wanted, strict=True)):
            return eighths
    return 8


def _shrunk(length: int, eighths: int) -> int:
    return math.ceil(length * eighths / 8)
