"""From stored codes to 8-bit grey: a table of every code, so that no picture of floats is ever made."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.dicom_header import DicomHeader
from cxrkit.data.films.film_error import FilmError

if TYPE_CHECKING:
    from pydicom import Dataset

FloatArray = npt.NDArray[np.float64]
GREY_TAGS = (
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
)


def grey_table(
    dataset: "Dataset", header: DicomHeader, codes: npt.NDArray[np.uint8 | np.uint16]
) -> npt.NDArray[np.uint8]:
    """Gives the grey level of every code: `[256]` or `[65536]`.

    Args:
        dataset: with the tags of `GREY_TAGS`, all optional.
        header: how codes are read.
        codes: the film; without a window the grey levels span its values.

    Raises:
        FilmError: a table, window or rescale of the file cannot be used.
    """
    every = np.arange(256 if codes.dtype.itemsize == 1 else 65536, dtype=np.int64)
    values = _modality_values(dataset, _stored_values(every, header))
    fractions = _voi_fractions(dataset, values)
    if fractions is None:
        fractions = _range_fractions(values, codes)
    if not np.isfinite(fractions).all():
        raise FilmError("unreadable_image", "rescale or window is not a number")
    shown = fractions.clip(0, 1)
    grey: npt.NDArray[np.uint8] = np.rint((1 - shown if header.inverted else shown) * 255).astype(np.uint8)
    return grey


def _stored_values(codes: npt.NDArray[np.int64], header: DicomHeader) -> FloatArray:
    values = (codes >> header.shift) & ((1 << header.bits_stored) - 1)
    if header.signed:
        values = np.where(values >> (header.bits_stored - 1), values - (1 << header.bits_stored), values)
    return np.asarray(values, dtype=np.float64)


def _modality_values(dataset: "Dataset", values: FloatArray) -> FloatArray:
    if dataset.get("ModalityLUTSequence"):
        table, _, first = _lookup_table(dataset.ModalityLUTSequence[0])
        return _look_up(values, table, first)
    slope, intercept = _number(dataset, "RescaleSlope", 1.0), _number(dataset, "RescaleIntercept", 0.0)
    if slope == 0:
        raise FilmError("unreadable_image", "RescaleSlope is 0")
    return values * slope + intercept


def _voi_fractions(dataset: "Dataset", values: FloatArray) -> FloatArray | None:
    """Gives what a screen shows of each value, 0 to 1 and beyond; None when the file does not say."""
    if dataset.get("VOILUTSequence"):
        table, bits, first = _lookup_table(dataset.VOILUTSequence[0])
        return _look_up(values, table, first) / ((1 << bits) - 1)
    if dataset.get("WindowCenter") in (None, "") or dataset.get("WindowWidth") in (None, ""):
        return None
    center, width = _number(dataset, "WindowCenter", 0.0), _number(dataset, "WindowWidth", 0.0)
    return window_fractions(values, center, width, str(dataset.get("VOILUTFunction") or "LINEAR").upper())


def window_fractions(values: FloatArray, center: float, width: float, function: str) -> FloatArray:
    """Applies a window (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3).

    Args:
        values: after the modality's step.
        center: in the same unit.
        width: the same.
        function: LINEAR, LINEAR_EXACT or SIGMOID.

    Returns:
        0 below the window, 1 above it, like `values` otherwise.

    Raises:
        FilmError: the width is too small or the function unknown.
    """
    if not width >= (1 if function == "LINEAR" else np.finfo(np.float64).tiny):
        raise FilmError("unreadable_image", "WindowWidth is too small")
    if function == "SIGMOID":
        exponent = (-4 * (values - center) / width).clip(-700, 700)
        sigmoid: FloatArray = 1 / (1 + np.exp(exponent))
        return sigmoid
    if function == "LINEAR_EXACT":
        return ((values - center) / width + 0.5).clip(0, 1)
    if function != "LINEAR":
        raise FilmError("unreadable_image", "an unknown VOILUTFunction")
    if width == 1:
        return (values > center - 0.5).astype(np.float64)
    return ((values - (center - 0.5)) / (width - 1) + 0.5).clip(0, 1)


def _range_fractions(values: FloatArray, codes: npt.NDArray[np.uint8 | np.uint16]) -> FloatArray:
    present = np.zeros(len(values), dtype=np.bool_)
    present[codes] = True
    low, high = values[present].min(), values[present].max()
    fractions: FloatArray = (values - low) / (high - low if high > low else 1.0)
    return fractions


def _lookup_table(item: "Dataset") -> tuple[FloatArray, int, int]:
    """Gives a lookup table, its bits and the value of its first entry."""
    count, first, bits = (int(value) for value in item.LUTDescriptor)
    data: bytes | Sequence[int] | int = item.LUTData
    if isinstance(data, bytes):
        entries = np.frombuffer(data, "<u2" if item.is_little_endian is not False else ">u2")
    else:
        entries = np.atleast_1d(np.asarray(data, dtype=np.int64))
    count = count or 65536
    if not 8 <= bits <= 16 or len(entries) < count:
        raise FilmError("unreadable_image", "a lookup table contradicts its descriptor")
    return entries[:count].astype(np.float64), bits, first


def _look_up(values: FloatArray, table: FloatArray, first: int) -> FloatArray:
    places = np.rint(values - first).clip(0, len(table) - 1).astype(np.int64)
    return table[places]


def _number(dataset: "Dataset", keyword: str, missing: float) -> float:
    value: Any = dataset.get(keyword)
    if value in (None, ""):
        return missing
    # Several windows may be given as alternatives; the first is the one to show.
    return float(value[0] if not isinstance(value, str | float | int) else value)
