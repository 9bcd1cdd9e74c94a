"""Box conventions and conversions.

Names say what a box is: `xyxy_px` are corners in pixels of the original film, `xyxy_rel` corners as
fractions of width and height, `cxcywh_rel` centre and size as fractions.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.floating]
# How far an edge may lie outside the film; QBA does not say whether edges are closed.
BOX_TOLERANCE_PX = 1.0


def xyxy_to_cxcywh(boxes: FloatArray) -> FloatArray:
    """Gives centre and size of boxes stated by their corners.

    Args:
        boxes: `[..., 4]` as x1, y1, x2, y2.

    Returns:
        `[..., 4]` as centre x, centre y, width, height, in the same unit.

    >>> xyxy_to_cxcywh(np.array([0.0, 0.0, 4.0, 2.0])).tolist()
    [2.0, 1.0, 4.0, 2.0]
    """
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes: FloatArray) -> FloatArray:
    """Gives the corners of boxes stated by centre and size; the inverse of `xyxy_to_cxcywh`.

    >>> cxcywh_to_xyxy(np.array([2.0, 1.0, 4.0, 2.0])).tolist()
    [0.0, 0.0, 4.0, 2.0]
    """
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def intersection_over_union(first: FloatArray, second: FloatArray) -> FloatArray:
    """Gives the IoU of boxes pair by pair (broadcast), 0 where the union is empty.

    Args:
        first: `[..., 4]` corners x1, y1, x2, y2.
        second: `[..., 4]` corners in the same unit.

    Returns:
        `[...]` in 0..1.

    >>> float(intersection_over_union(np.array([0.0, 0, 2, 2]), np.array([1.0, 0, 3, 2])))
    0.3333333333333333
    """
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    overlap = np.prod(np.clip(high - low, 0, None), axis=-1)
    union = _area(first) + _area(second) - overlap
    result: FloatArray = np.where(union > 0, overlap / np.where(union > 0, union, 1), 0.0)
    return result


def _area(boxes: FloatArray) -> FloatArray:
    area: FloatArray = np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None), axis=-1)
    return area


def lies_in_image(
    boxes: FloatArray, width: int, height: int, tolerance_px: float = BOX_TOLERANCE_PX
) -> npt.NDArray[np.bool_]:
    """Tells which corner boxes are ordered and lie inside an image, up to a tolerance.

    Args:
        boxes: `[..., 4]` x1, y1, x2, y2 in pixels.
        width: image width in pixels (MIMIC column `Columns`).
        height: image height in pixels (MIMIC column `Rows`).
        tolerance_px: how far an edge may lie outside.

    >>> lies_in_image(np.array([[0.0, 0, 9, 9], [0, 0, 30, 9]]), width=10, height=10).tolist()
    [True, False]
    """
    inside = (boxes[..., :2] >= -tolerance_px).all(-1) & np.isfinite(boxes).all(-1)
    inside &= (boxes[..., 2] <= width + tolerance_px) & (boxes[..., 3] <= height + tolerance_px)
    ordered: npt.NDArray[np.bool_] = inside & (boxes[..., 2:] > boxes[..., :2]).all(-1)
    return ordered
