"""DICOM to grey: one frame of one sample, through rescale and window to 8 bits."""

import io
import struct
import warnings
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.dicom_frame import decode_frame
from cxrkit.data.films.dicom_grey import GREY_TAGS, grey_table
from cxrkit.data.films.dicom_header import HEADER_TAGS, read_dicom_header
from cxrkit.data.films.dicom_package import missing_dicom_package
from cxrkit.data.films.film_error import FilmError

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFLATED_SYNTAX = b"1.2.840.10008.1.2.1.99"
# Tag, representation and length: where the next element would begin with them, a file may end instead.
_ELEMENT_HEAD = 8
# What a cut-off file is taken for when its missing tags are asked for.
_WHEN_CUT = frozenset({"dicom_incomplete", "unreadable_image"})
# What pydicom and the decoders let escape on damaged files, as found by damaging them at random. A plain
# `except Exception` would also hide mistakes of this program that raise something else.
_ESCAPING = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


class _WatchedBytes(io.BytesIO):
    """A file in memory that notices when its reader wants more than there is.

    pydicom answers the end of a file inside an element with a warning and a data set that lacks tags: what is
    left looks like a file that never had them.

    Attributes:
        is_cut: a read gave less than it was asked for, other than at a place where a file may end.
    """

    is_cut = False

    def read(self, size: int | None = -1, /) -> bytes:
        """Gives so many bytes, fewer at the end."""
        start = self.tell()
        data = super().read(size)
        if size is not None and len(data) < size:
            may_end = size == _ELEMENT_HEAD and not data and start == self.getbuffer().nbytes
            self.is_cut = self.is_cut or not may_end
        return data


def decode_dicom(data: bytes, expected: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Decodes a DICOM file to 8-bit grey, dark where little was absorbed: `[h, w]`.

    Modality LUT or rescale, then VOI LUT or window (without either: the range of the pixels), then
    MONOCHROME1 inverted (DICOM PS3.3, C.7.6.3.1.2, C.11.1 and C.11.2).

    Args:
        data: the whole file.
        expected: width and height from the metadata table.

    Raises:
        FilmError: it is cut off, damaged, incomplete, too large, of another size, or no single grey frame.
        CxrkitError: pydicom or a decoder is not installed.
    """
    _require_pydicom()
    if _DEFLATED_SYNTAX in data:
        # A deflated file may inflate to any size, and pydicom inflates it before the header can be read.
        raise FilmError("unsupported_pixels", "deflated data set")
    from pydicom import config
    from pydicom.errors import BytesLengthException, InvalidDicomError

    with config.disable_value_validation(), warnings.catch_warnings():
        # pydicom warns of odd values by quoting them; a film is used or rejected, nothing in between.
        warnings.simplefilter("ignore")
        stream = _WatchedBytes(data)
        try:
            return _decode(_read(stream), expected)
        except FilmError as error:
            if stream.is_cut and error.code in _WHEN_CUT:
                raise _cut_off(data) from error
            raise
        except (*_ESCAPING, BytesLengthException, InvalidDicomError) as error:
            if stream.is_cut:
                raise _cut_off(data) from error
            raise FilmError("unreadable_image", type(error).__name__) from error


def _cut_off(data: bytes) -> FilmError:
    return FilmError("truncated_image", f"the file ends inside an element, after {len(data)} bytes")


def _require_pydicom() -> None:
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise missing_dicom_package("pydicom") from error


def _read(stream: io.BytesIO) -> "Dataset":
    from pydicom import dcmread

    tags: list[Any] = [*HEADER_TAGS, *GREY_TAGS, "PixelData"]
    return dcmread(stream, specific_tags=tags)


def _decode(dataset: "Dataset", expected: tuple[int, int]) -> npt.NDArray[np.uint8]:
    header = read_dicom_header(dataset, expected)
    codes = decode_frame(dataset, header)
    return grey_table(dataset, header, codes)[codes]
