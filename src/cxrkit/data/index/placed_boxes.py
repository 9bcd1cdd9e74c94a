"""Boxes of one study's answers and regions on its accepted films, checked."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cxrkit.boxes import BOX_TOLERANCE_PX
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.data.qba.records import Localizations

_CODE_LIMIT = 127


class FilmOfStudy(NamedTuple):
    """An accepted film: row in `images`, width and height in pixels."""

    image_row: int
    width: int
    height: int


# A box that passed the checks, xyxy_px on one film; a plain tuple, for there are hundreds per study.
PlacedBox = tuple[int, float, float, float, float, bool, int]
BOX_FIELDS = ("image_row", "x1", "y1", "x2", "y2", "is_fallback", "localization_quality")


class PlacedBoxes(NamedTuple):
    """What became of the boxes of one localization.

    Attributes:
        boxes: usable ones, in the order of the file.
        faults: (reason code, dicom_id) of each unusable one.
        elsewhere: number of boxes by dicom_id of a film that is not accepted.
        is_trustworthy: one of the boxes may serve as a grounding target: it is no fallback and has
            localization quality 3 or better.
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
    trustworthy = False
    faults: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, int]] = []
    for dicom_id, localization in localizations.items():
        if localization is None or not localization.bboxes:
            continue
        film = films.get(dicom_id)
        if film is None:
            elsewhere.append((dicom_id, len(localization.bboxes)))
            continue
        fallback, quality = bool(localization.is_fallback), _quality(localization.localization_quality)
        image_row, width, height = film
        before = len(boxes)
        for box in localization.bboxes:
            code = check_box(box, width, height)
            if code:
                faults.append((code, dicom_id))
            else:
                x1, y1, x2, y2 = box
                boxes.append((image_row, x1, y1, x2, y2, fallback, quality))
        trustworthy |= len(boxes) > before and not fallback and quality >= MINIMUM_BOX_QUALITY
    return PlacedBoxes(tuple(boxes), tuple(faults), tuple(elsewhere), trustworthy)


def distinct_boxes(localizations: Sequence[PlacedBoxes]) -> tuple[PlacedBox, ...]:
    """Gives the distinct boxes of some localizations, sorted by film and corners.

    Of equal ones the best stands: a real one before a fallback, then the one of higher quality.
    """
    boxes = sorted(box for placed in localizations for box in placed.boxes)
    if len({box[:5] for box in boxes}) == len(boxes):
        return tuple(boxes)
    best: dict[tuple[float, ...], PlacedBox] = {}
    for box in boxes:
        known = best.get(box[:5])
        if known is None or (not box[5], box[6]) > (not known[5], known[6]):
            best[box[:5]] = box
    return tuple(best.values())


def check_box(corners: Sequence[float], width: int, height: int) -> str:
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


def _quality(stated: float | None) -> int:
    return int(max(0, min(stated or 0, _CODE_LIMIT)))
