"""Mean IoU under the best one-to-one matching."""

from itertools import permutations
from math import perm

import numpy as np
from scipy.optimize import linear_sum_assignment

from cxrkit.boxes import intersection_over_union
from cxrkit.metrics.counts import FloatArray

# Up to so many ways to match, trying them all for all questions at once is faster than a solver for each.
_MOST_WAYS = 30


def iou_matrix(reference: FloatArray, predicted: FloatArray) -> FloatArray:
    """Gives the IoU of every reference box with every predicted box.

    Args:
        reference: `[..., n, 4]`.
        predicted: `[..., m, 4]`.

    Returns:
        `[..., n, m]` in 0..1; 0 for a box without area.

    >>> iou_matrix(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 2], [4, 4, 5, 5]])).tolist()
    [[1.0, 0.0]]
    """
    return np.asarray(
        intersection_over_union(reference[..., :, None, :], predicted[..., None, :, :]), float
    )  # fmt: skip


def matched_mean_iou(overlaps: FloatArray) -> FloatArray:
    """Gives the mean IoU of each question's boxes under the matching that makes it largest.

    Definition: boxes are paired one to one so that the summed IoU is largest (Hungarian method, Kuhn 1955;
    no greedy order), divided by the larger number of boxes: a box without partner counts 0, on both sides.
    Range 0..1; two empty sets of boxes count 1, one empty set counts 0.

    Args:
        overlaps: `[Q, n, m]` IoU of reference and predicted boxes, from `iou_matrix`.

    Returns:
        `[Q]`.

    >>> matched_mean_iou(np.array([[[1.0, 0.0]], [[0.5, 0.25]]])).tolist()
    [0.5, 0.25]
    """
    questions, n, m = overlaps.shape
    few, many = sorted((n, m))
    if many == 0:
        return np.ones(questions)
    if few == 0:
        return np.zeros(questions)
    values = overlaps if n <= m else overlaps.transpose(0, 2, 1)
    if perm(many, few) <= _MOST_WAYS or few == 1:
        best = _best_of_all(values)
    else:
        best = np.array([_best_by_solver(matrix) for matrix in values])
    mean: FloatArray = best / many
    return mean


def _best_of_all(values: FloatArray) -> FloatArray:
    _, few, many = values.shape
    best: FloatArray = np.max(
        [values[:, range(few), list(chosen)].sum(1) for chosen in permutations(range(many), few)], axis=0
    )
    return best


def _best_by_solver(matrix: FloatArray) -> float:
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    return float(matrix[rows, columns].sum())
