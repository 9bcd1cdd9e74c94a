"""The stored codes of a DICOM film, plain or compressed."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import simplejpeg

from cxrkit.data.films.dicom_header import DicomHeader
from cxrkit.data.films.dicom_package import missing_dicom_package
from cxrkit.data.films.film_error import FilmError
from cxrkit.data.films.jpeg import JpegFrame, check_jpeg_end, read_jpeg_frame
from cxrkit.data.films.lossless_jpeg import decode_lossless_jpeg

if TYPE_CHECKING:
    from pydicom import Dataset

_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_PLAIN = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", _BIG_ENDIAN})
_RLE = "1.2.840.10008.1.2.5"
_JPEG = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_JPEG_2000 = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})
_LOSSLESS_JPEG = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})
# pydicom's name of the decoder for each other transfer syntax.
_PLUGINS = {
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    _RLE: "pydicom",
}
_READ = _PLAIN | _JPEG | _LOSSLESS_JPEG | frozenset(_PLUGINS)
_LOSSLESS_FRAME = 0xC3
_TILE_LIMIT = 4096


def decode_frame(dataset: "Dataset", header: DicomHeader) -> npt.NDArray[np.uint8 | np.uint16]:
    """Gives the codes as they are stored, sign and unused bits included: `[h, w]`.

    Raises:
        FilmError: the transfer syntax is not read, or its data is cut off or damaged.
        CxrkitError: the package that decodes it is not installed.
    """
    syntax = header.transfer_syntax
    if syntax not in _READ:
        raise FilmError("unsupported_pixels", "a transfer syntax that is not read")
    if syntax in _PLAIN:
        return _read_plain(dataset, header)
    if header.shift:
        raise FilmError("unsupported_pixels", "compressed, with unused low bits")
    if syntax == _RLE:
        return _decode_with_pydicom(dataset, header, _PLUGINS[syntax])
    stream = _single_frame(dataset)
    check_jpeg_end(stream)
    if syntax in _JPEG_2000:
        _check_jpeg_2000(stream, header)
    else:
        _check_stream(read_jpeg_frame(stream), header)
    if syntax in _JPEG:
        return _decode_jpeg(stream, header)
    if syntax in _LOSSLESS_JPEG:
        return _decode_lossless_jpeg(stream, header)
    return _decode_with_pydicom(dataset, header, _PLUGINS[syntax])


def _read_plain(dataset: "Dataset", header: DicomHeader) -> npt.NDArray[np.uint8 | np.uint16]:
    if header.bits_allocated == 8 and header.transfer_syntax == _BIG_ENDIAN:
        raise FilmError("unsupported_pixels", "8 bits in a big-endian file")
    count = header.width * header.height
    needed = count * header.bits_allocated // 8
    if len(dataset.PixelData) < needed:
        raise FilmError("truncated_image", f"{len(dataset.PixelData)} bytes of pixels instead of {needed}")
    order = ">" if header.transfer_syntax == _BIG_ENDIAN else "<"
    codes = np.frombuffer(dataset.PixelData, f"{order}u{header.bits_allocated // 8}", count)
    return codes.reshape(header.height, header.width)


def _single_frame(dataset: "Dataset") -> bytes:
    from pydicom.encaps import get_frame

    return bytes(get_frame(dataset.PixelData, 0, number_of_frames=1))


def _check_stream(frame: JpegFrame, header: DicomHeader) -> None:
    """Refuses a stream of another size than the header's: a decoder would reserve memory for it."""
    if (frame.width, frame.height, frame.components) != (header.width, header.height, 1):
        raise FilmError("damaged_image", "the compressed stream is not of Columns x Rows grey pixels")


def _decode_jpeg(stream: bytes, header: DicomHeader) -> npt.NDArray[np.uint8]:
    frame = read_jpeg_frame(stream)
    if frame.bits != 8 or header.bits_allocated != 8:
        raise FilmError("unsupported_pixels", f"JPEG with {frame.bits} bits")
    try:
        grey: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(stream, "GRAY", strict=True)[:, :, 0]
    except ValueError as error:
        raise FilmError("damaged_image", "the decoder found corrupt data") from error
    return grey


def _check_jpeg_2000(stream: bytes, header: DicomHeader) -> None:
    """Refuses a codestream whose SIZ segment (ISO/IEC 15444-1, A.5.1) does not say Columns x Rows."""
    if stream[:4] != b"\xff\x4f\xff\x51" or len(stream) < 42:
        raise FilmError("unreadable_image", "no JPEG 2000 codestream")
    x1, y1, x0, y0, tile_width, tile_height, _, _ = np.frombuffer(stream, ">u4", 8, 8).tolist()
    components = int.from_bytes(stream[40:42], "big")
    if (x1 - x0, y1 - y0, components) != (header.width, header.height, 1):
        raise FilmError("damaged_image", "the compressed stream is not of Columns x Rows grey pixels")
    if not tile_width or not tile_height or x1 * y1 > _TILE_LIMIT * tile_width * tile_height:
        raise FilmError("damaged_image", "tiles of an impossible size")


def _decode_lossless_jpeg(stream: bytes, header: DicomHeader) -> npt.NDArray[np.uint8 | np.uint16]:
    frame = read_jpeg_frame(stream)
    if frame.marker != _LOSSLESS_FRAME or not header.bits_allocated - 8 < frame.bits <= header.bits_allocated:
        raise FilmError("damaged_image", "the compressed stream contradicts the header")
    if find_spec("gdcm") is None:
        raise missing_dicom_package("python-gdcm")
    codes = decode_lossless_jpeg(stream, header.width, header.height, header.bits_allocated, header.signed)
    kind = "<u1" if header.bits_allocated == 8 else "<u2"
    return np.frombuffer(codes, kind).reshape(header.height, header.width)


def _decode_with_pydicom(
    dataset: "Dataset", header: DicomHeader, plugin: str
) -> npt.NDArray[np.uint8 | np.uint16]:
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    if plugin not in decoder.available_plugins:
        raise missing_dicom_package(f"for {plugin}")
    try:
        pixels, _ = decoder.as_array(dataset, index=0, raw=True, decoding_plugin=plugin)
    except RuntimeError as error:
        raise FilmError("damaged_image", "the decoder found corrupt data") from error
    if pixels.shape != (header.height, header.width):
        raise FilmError("damaged_image", "the decoder gave another size")
    kind = np.uint8 if pixels.dtype.itemsize == 1 else np.uint16
    # Signed codes are read as they lie in memory: the table of grey levels knows the sign.
    return np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder("="), copy=False)).view(kind)
