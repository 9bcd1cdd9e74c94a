"""Boxes of one study's answers and regions on its accepted films, checked."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from cxrkit.boxes import BOX_TOLERANCE_PX
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.data.qba.records import Localization, Localizations

Corners = tuple[float, float, float, float]
_CODE_LIMIT = 127


class FilmOfStudy(NamedTuple):
    """An accepted film: row in `images`, width and height in pixels."""

    image_row: int
    width: int
    height: int


class PlacedBox(NamedTuple):
    """A box that passed the checks, xyxy_px on one film."""

    image_row: int
    corners: Corners
    is_fallback: bool
    localization_quality: int

    @property
    def worth(self) -> tuple[bool, int]:
        """Ranks equal boxes: real before fallback, then by quality."""
        return not self.is_fallback, self.localization_quality

    @property
    def is_trustworthy(self) -> bool:
        """It may serve as a grounding target: no fallback, localization quality 3 or better."""
        return not self.is_fallback and self.localization_quality >= MINIMUM_BOX_QUALITY


class PlacedBoxes(NamedTuple):
    """What became of the boxes of one localization.

    Attributes:
        boxes: usable ones, in the order of the file.
        faults: (reason code, dicom_id) of each unusable one.
        elsewhere: number of boxes by dicom_id of a film that is not accepted.
        is_trustworthy: one of the boxes is.
    """

    boxes: tuple[PlacedBox, ...]
    faults: tuple[tuple[str, str], ...] = ()
    elsewhere: tuple[tuple[str, int], ...] = ()
    is_trustworthy: bool = False


NO_BOXES = PlacedBoxes(())


def place_boxes(localizations: Localizations | None, films: Mapping[str, FilmOfStudy]) -> PlacedBoxes:
    """Sorts the boxes of a localization into usable ones and others.

    Args:
        localizations: boxes by dicom_id.
        films: accepted films of the study by dicom_id.
    """
    if not localizations:
        return NO_BOXES
    boxes: list[PlacedBox] = []
    faults: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, int]] = []
    for dicom_id, localization in localizations.items():
        if localization is None or not localization.bboxes:
            continue
        film = films.get(dicom_id)
        if film is None:
            elsewhere.append((dicom_id, len(localization.bboxes)))
            continue
        fallback, quality = bool(localization.is_fallback), _quality(localization)
        image_row, width, height = film
        for box in localization.bboxes:
            corners: Corners = tuple(box)  # type: ignore[assignment]
            code = check_box(corners, width, height)
            if code:
                faults.append((code, dicom_id))
            else:
                boxes.append(PlacedBox(image_row, corners, fallback, quality))
    trustworthy = any(box.is_trustworthy for box in boxes)
    return PlacedBoxes(tuple(boxes), tuple(faults), tuple(elsewhere), trustworthy)


def check_box(corners: Corners, width: int, height: int) -> str:
    """Gives the reason code of an unusable box, or "" for a good one.

    >>> check_box((0.0, 0.0, 9.0, 9.0), 10, 10), check_box((9.0, 0.0, 1.0, 9.0), 10, 10)
    ('', 'box_unordered')
    """
    if len(corners) != 4:
        return "box_malformed"
    x1, y1, x2, y2 = corners
    low = -BOX_TOLERANCE_PX
    # Not-a-number and infinity fail these too.
    if low <= x1 < x2 <= width - low and low <= y1 < y2 <= height - low:
        return ""
    if not all(map(math.isfinite, corners)):
        return "box_malformed"
    return "box_unordered" if x2 <= x1 or y2 <= y1 else "box_outside_image"


def _quality(localization: Localization) -> int:
    return int(max(0, min(localization.localization_quality or 0, _CODE_LIMIT)))
