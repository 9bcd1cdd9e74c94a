"""Metrics of boxes: mean IoU under the best one-to-one matching, pointing accuracy.

All boxes are corners x1, y1, x2, y2 in one unit, `[n, 4]`; n may be 0.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from cxrkit.boxes import intersection_over_union
from cxrkit.metrics.counts import FloatArray

IntArray: TypeAlias = npt.NDArray[np.int64]

POINTING_IOU = 0.5


def iou_matrix(reference: FloatArray, predicted: FloatArray) -> FloatArray:
    """Gives the IoU of every reference box with every predicted box.

    Args:
        reference: `[n, 4]`.
        predicted: `[m, 4]`.

    Returns:
        `[n, m]` in 0..1.

    >>> iou_matrix(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 2], [4, 4, 5, 5]])).tolist()
    [[1.0, 0.0]]
    """
    return np.asarray(intersection_over_union(reference[:, None, :], predicted[None, :, :]), float)


def iou_matrices(
    reference: FloatArray, reference_starts: IntArray, predicted: FloatArray, predicted_starts: IntArray
) -> list[FloatArray]:
    """Gives the IoU matrix of each of Q questions, computed for all of them at once.

    Args:
        reference: `[A, 4]` boxes, question after question.
        reference_starts: `[Q + 1]` where each question's boxes begin and end.
        predicted: `[B, 4]` likewise.
        predicted_starts: `[Q + 1]` likewise.

    Returns:
        Q matrices `[n, m]` in 0..1.

    >>> box, starts = np.array([[0.0, 0, 2, 2]]), np.array([0, 1, 1])
    >>> [matrix.shape for matrix in iou_matrices(box, starts, box, starts)]
    [(1, 1), (0, 0)]
    """
    rows, columns = np.diff(reference_starts), np.diff(predicted_starts)
    limits = np.concatenate([[0], np.cumsum(rows * columns)])
    question = np.repeat(np.arange(len(rows)), rows * columns)
    place = np.arange(limits[-1]) - limits[question]
    first = reference[reference_starts[question] + place // columns[question]]
    second = predicted[predicted_starts[question] + place % columns[question]]
    overlaps = np.asarray(intersection_over_union(first, second), float)
    parts = np.split(overlaps, limits[1:-1]) if len(rows) else []
    return [part.reshape(shape) for part, shape in zip(parts, zip(rows, columns, strict=True), strict=True)]


def matched_mean_iou(overlaps: FloatArray) -> float:
    """Gives the mean IoU of one question's boxes under the matching that makes it largest.

    Definition: boxes are paired one to one so that the summed IoU is largest (Hungarian method, Kuhn 1955;
    no greedy order), divided by the larger number of boxes: a box without partner counts 0, on both sides.
    Range 0..1; two empty sets of boxes count 1, one empty set counts 0.

    Args:
        overlaps: `[n, m]` IoU of reference and predicted boxes, from `iou_matrix`.

    >>> matched_mean_iou(np.array([[1.0, 0.0]]))
    0.5
    """
    larger = max(overlaps.shape)
    if larger == 0:
        return 1.0
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return float(overlaps[rows, columns].sum() / larger)


def points_at_reference(overlaps: FloatArray, scores: FloatArray) -> bool:
    """Tells whether the predicted box with the highest score has IoU > 0.5 with a reference box.

    The first box wins a tie of scores. No predicted box points at nothing. The mean over questions with
    reference boxes is the pointing accuracy.

    Args:
        overlaps: `[n, m]` IoU of reference and predicted boxes, from `iou_matrix`.
        scores: `[m]` of the predicted boxes.

    >>> points_at_reference(np.array([[0.0, 0.8]]), np.array([0.1, 0.7]))
    True
    """
    if len(scores) == 0:
        return False
    return bool(overlaps[:, int(np.argmax(scores))].max(initial=0.0) > POINTING_IOU)
