"""The tags of a DICOM file that its picture needs, checked before a pixel is decoded."""

from typing import TYPE_CHECKING, NamedTuple

from cxrkit.data.films.film_error import FilmError, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

_REQUIRED = (
    "Rows",
    "Columns",
    "PhotometricInterpretation",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
)
HEADER_TAGS = (*_REQUIRED, "SamplesPerPixel", "NumberOfFrames", "HighBit")
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})


class DicomHeader(NamedTuple):
    """How a film's stored codes are read.

    Attributes:
        transfer_syntax: its UID.
        width: in pixels.
        height: in pixels.
        bits_allocated: 8 or 16.
        bits_stored: bits of a code that carry its value.
        shift: bits below them.
        signed: codes are two's complement.
        inverted: large values are dark (MONOCHROME1).
    """

    transfer_syntax: str
    width: int
    height: int
    bits_allocated: int
    bits_stored: int
    shift: int
    signed: bool
    inverted: bool


def read_dicom_header(dataset: "Dataset", expected: tuple[int, int]) -> DicomHeader:
    """Reads and checks what describes the picture.

    Args:
        dataset: as pydicom read it.
        expected: width and height from the metadata table.

    Raises:
        FilmError: a tag is missing or unusable, or the picture is not one frame of 8- or 16-bit grey.
    """
    for keyword in _REQUIRED:
        if dataset.get(keyword) in (None, ""):
            raise FilmError("dicom_incomplete", keyword)
    transfer_syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if not transfer_syntax:
        raise FilmError("dicom_incomplete", "TransferSyntaxUID")
    check_size((_whole(dataset, "Columns"), _whole(dataset, "Rows")), expected)
    _check_single_grey_frame(dataset)
    if "PixelData" not in dataset:
        raise FilmError("dicom_incomplete", "PixelData")
    allocated, stored, signed = (
        _whole(dataset, name) for name in ("BitsAllocated", "BitsStored", "PixelRepresentation")
    )
    if allocated not in (8, 16):
        raise FilmError("unsupported_pixels", f"BitsAllocated {allocated}")
    high = _whole(dataset, "HighBit", stored - 1)
    if not 1 <= stored <= high + 1 <= allocated or signed not in (0, 1):
        raise FilmError("unreadable_image", "BitsStored, HighBit or PixelRepresentation contradict")
    return DicomHeader(
        transfer_syntax=str(transfer_syntax),
        width=expected[0],
        height=expected[1],
        bits_allocated=allocated,
        bits_stored=stored,
        shift=high + 1 - stored,
        signed=bool(signed),
        inverted=dataset.PhotometricInterpretation == "MONOCHROME1",
    )


def _check_single_grey_frame(dataset: "Dataset") -> None:
    frames, samples = _whole(dataset, "NumberOfFrames", 1), _whole(dataset, "SamplesPerPixel", 1)
    if frames != 1:
        raise FilmError("unsupported_pixels", f"{frames} frames")
    if samples != 1 or dataset.PhotometricInterpretation not in _GREY:
        raise FilmError("unsupported_pixels", f"colour: {samples} samples to a pixel")


def _whole(dataset: "Dataset", keyword: str, missing: int | None = None) -> int:
    value = dataset.get(keyword)
    if value in (None, ""):
        value = missing
    if not isinstance(value, int):
        raise FilmError("unreadable_image", f"{keyword} is not one whole number")
    return int(value)
