"""Average precision of boxes by COCO's rules, for many weightings of the questions at once."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray
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
class DetectionStatistic:
    """Average precision of boxes over questions, as a statistic of patients.

    Definition: boxes of all questions from the highest score down (ties in the order of the boxes); precision
    at a recall is the largest precision at that recall or a higher one; mean over the recalls 0, 0.01 .. 1, 0
    where a recall is not reached. Range 0..1; `nan` without reference boxes.
    Source: Lin et al., ECCV 2014; equals pycocotools' `COCOeval` for one class, each question an image, all
    areas, no crowd, at most 100 boxes per question.

    Attributes:
        positions: `[B]` the patient's position of each predicted box, highest score first.
        true_positive: `[B]` see `matched_boxes`, in that order.
        references: `[P]` number of reference boxes of each patient.
    """

    positions: IntArray
    true_positive: npt.NDArray[np.bool_]
    references: FloatArray

    @classmethod
    def of_boxes(
        cls,
        scores: FloatArray,
        true_positive: npt.NDArray[np.bool_],
        positions: IntArray,
        references: FloatArray,
    ) -> "DetectionStatistic":
        """Sorts the counted boxes (`[B]` each) once for all resamples.

        >>> positions, found = np.array([0, 0]), np.array([True, False])
        >>> statistic = DetectionStatistic.of_boxes(np.array([0.9, 0.8]), found, positions, np.array([2.0]))
        >>> statistic.under(np.ones((1, 1))).round(4).tolist()
        [0.505]
        """
        order = np.argsort(-scores, kind="stable")
        return cls(positions[order], true_positive[order], references)

    @property
    def width(self) -> int:
        """See `PatientStatistic.width`: a resample needs its weights only."""
        return len(self.references)

    def under(self, weights: FloatArray) -> FloatArray:
        """See `PatientStatistic.under`."""
        total = weights @ self.references
        result: FloatArray = _precisions()(
            np.ascontiguousarray(weights, dtype=float), self.positions, self.true_positive, total, RECALLS
        )
        return result


@cache
def _precisions() -> Any:
    """Gives the compiled loop; numba is loaded when the first boxes are scored."""
    import numba

    return numba.njit(nogil=True)(_loop_of_precisions)


def _loop_of_precisions(
    weights: FloatArray,
    positions: IntArray,
    true_positive: npt.NDArray[np.bool_],
    total: FloatArray,
    recalls: FloatArray,
) -> FloatArray:
    """Gives the average precision for each of R lines of patient weights `[R, P]`."""
    result = np.full(len(weights), np.nan)
    precision, recall = np.zeros(true_positive.sum()), np.zeros(true_positive.sum())
    for line in range(len(weights)):
        if total[line] == 0:
            continue
        found, flagged, places = 0.0, 0.0, 0
        for box in range(len(positions)):
            weight = weights[line, positions[box]]
            flagged += weight
            if true_positive[box]:
                # Between two true positives precision only falls: no other place matters.
                found += weight
                precision[places] = found / flagged if flagged > 0 else 0.0
                recall[places] = found / total[line]
                places += 1
        added, best, wanted = 0.0, 0.0, len(recalls) - 1
        for place in range(places - 1, -1, -1):
            while wanted >= 0 and recalls[wanted] > recall[place]:
                added += best
                wanted -= 1
            best = max(best, precision[place])
        result[line] = (added + best * (wanted + 1)) / len(recalls)
    return result
