"""Average precision of boxes by COCO's rules, for many weightings of the questions at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan
from cxrkit.metrics.spatial.questions import IntArray

MOST_BOXES = 100
RECALLS = np.linspace(0.0, 1.0, 101)


def matched_boxes(overlaps: FloatArray, scores: FloatArray, threshold: float) -> npt.NDArray[np.bool_]:
    """Tells which predicted boxes are true positives.

    COCO's greedy rule: from the highest score down (the first box wins a tie), each box takes the free
    reference box with which its IoU is largest (the last one of equals), if it is at least the threshold.

    Args:
        overlaps: `[Q, n, m]` IoU of reference and predicted boxes.
        scores: `[Q, m]`.
        threshold: least IoU of a match.

    Returns:
        `[Q, m]`.

    >>> matched_boxes(np.array([[[0.8, 0.9]]]), np.array([[0.7, 0.6]]), 0.5).tolist()
    [[True, False]]
    """
    questions, n, m = overlaps.shape
    found = np.zeros((questions, m), np.bool_)
    if n == 0:
        return found
    free = np.ones((questions, n), np.bool_)
    every = np.arange(questions)
    order = np.argsort(-scores, axis=1, kind="stable")
    for place in range(min(m, MOST_BOXES)):
        box = order[:, place]
        own = np.where(free, overlaps[every, :, box], -1.0)
        best = n - 1 - own[:, ::-1].argmax(1)
        hit = own[every, best] >= min(threshold, 1 - 1e-10)
        found[every, box] = hit
        free[every[hit], best[hit]] = False
    return found


def counted_boxes(scores: FloatArray) -> npt.NDArray[np.bool_]:
    """Tells which boxes are among the 100 with the highest scores of their question, `[Q, m]`."""
    place = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(place < MOST_BOXES)


@dataclass(frozen=True)
class RankedBoxes:
    """Predicted boxes of all questions from the highest score down, kept at the true positives only.

    Between two true positives precision only falls, so no other place matters.

    Attributes:
        order: `[B]` which boxes, highest score first; the order of the boxes decides ties.
        hits: `[K]` places of the true positives in that order.
    """

    order: IntArray
    hits: IntArray

    @classmethod
    def of_boxes(cls, scores: FloatArray, true_positive: npt.NDArray[np.bool_]) -> "RankedBoxes":
        """Sorts boxes `[B]` once for all weightings."""
        order = np.argsort(-scores, kind="stable")
        return cls(order, np.flatnonzero(true_positive[order]))


def weighted_detection_precision(
    ranked: RankedBoxes, box_weights: FloatArray, reference_weight: FloatArray
) -> FloatArray:
    """Gives the average precision under R weightings of the questions.

    Definition: boxes of all questions from the highest score down; precision at a recall is the largest
    precision at that recall or a higher one; mean over the recalls 0, 0.01 .. 1, 0 where a recall is not
    reached. Range 0..1; `nan` without reference boxes.
    Source: Lin et al., ECCV 2014; equals pycocotools' `COCOeval` for one class, all areas, no crowd.

    Args:
        ranked: the boxes and which of them are true positives.
        box_weights: `[R, B]` weights of the boxes, in ranked order.
        reference_weight: `[R]` summed weight of the reference boxes.

    Returns:
        `[R]`.

    >>> ranked = RankedBoxes.of_boxes(np.array([0.9, 0.8]), np.array([True, False]))
    >>> weighted_detection_precision(ranked, np.ones((1, 2)), np.array([2.0])).round(4).tolist()
    [0.505]
    """
    if len(ranked.hits) == 0:
        return np.where(reference_weight > 0, 0.0, np.nan)
    found = np.cumsum(box_weights[:, ranked.hits], axis=1)
    starts = np.r_[0, ranked.hits[:-1] + 1]
    last = ranked.hits[-1] + 1
    flagged = np.cumsum(np.add.reduceat(box_weights[:, :last], starts, axis=1), axis=1)
    precision = np.nan_to_num(divide_or_nan(found, flagged), nan=0.0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = divide_or_nan(found, reference_weight[:, None])
    return np.array([_mean_over_recalls(*curve) for curve in zip(recall, precision, strict=True)])


def _mean_over_recalls(recall: FloatArray, precision: FloatArray) -> float:
    if np.isnan(recall[-1]):
        return float("nan")
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(precision, 0.0)[places].mean())
