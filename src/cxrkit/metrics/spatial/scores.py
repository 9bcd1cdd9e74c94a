"""All that is asked about the boxes of many questions, in one pass."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.spatial.areas import area_shares
from cxrkit.metrics.spatial.detection import counted_boxes, matched_boxes
from cxrkit.metrics.spatial.matching import iou_matrix, matched_mean_iou
from cxrkit.metrics.spatial.pointing import (
    POINTING_IOU,
    best_overlaps,
    centre_in_reference,
    points_at_reference,
)
from cxrkit.metrics.spatial.questions import QuestionBoxes

DETECTION_IOUS = (0.5, 0.75)


@dataclass(frozen=True)
class BoxScores:
    """What the boxes of N questions score; B predicted boxes in all.

    Attributes:
        mean_iou: `[N]` see `matched_mean_iou`.
        area_shares: `[N, 2]` IoP and IoT, see `area_shares`.
        points: `[N]` see `points_at_reference`.
        centre_inside: `[N]` see `centre_in_reference`.
        hits: `[B]` whether a predicted box has IoU > 0.5 with a reference box.
        counted: `[B]` whether it is among the 100 with the highest scores of its question.
        true_positives: `[B, 2]` see `matched_boxes`, at the IoU thresholds `DETECTION_IOUS`.
    """

    mean_iou: FloatArray
    area_shares: FloatArray
    points: npt.NDArray[np.bool_]
    centre_inside: npt.NDArray[np.bool_]
    hits: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]
    true_positives: npt.NDArray[np.bool_]


def score_boxes(questions: QuestionBoxes) -> BoxScores:
    """Scores the boxes of questions, those with equal numbers of boxes at once.

    >>> box, starts = np.array([[0.0, 0, 2, 2]]), np.array([0, 1])
    >>> scores = score_boxes(QuestionBoxes(box, starts, box, starts, np.array([0.9])))
    >>> scores.mean_iou.tolist(), scores.area_shares.tolist(), scores.hits.tolist()
    ([1.0], [[1.0, 1.0]], [True])
    """
    count, boxes = len(questions), len(questions.predicted)
    scores = BoxScores(
        mean_iou=np.zeros(count),
        area_shares=np.full((count, 2), np.nan),
        points=np.zeros(count, np.bool_),
        centre_inside=np.zeros(count, np.bool_),
        hits=np.zeros(boxes, np.bool_),
        counted=np.zeros(boxes, np.bool_),
        true_positives=np.zeros((boxes, len(DETECTION_IOUS)), np.bool_),
    )
    for group in questions.groups():
        overlaps = iou_matrix(group.reference, group.predicted)
        scores.mean_iou[group.rows] = matched_mean_iou(overlaps)
        scores.area_shares[group.rows] = area_shares(group.reference, group.predicted)
        scores.points[group.rows] = points_at_reference(overlaps, group.scores)
        scores.centre_inside[group.rows] = centre_in_reference(group.reference, group.predicted, group.scores)
        scores.hits[group.predicted_places] = best_overlaps(overlaps) > POINTING_IOU
        scores.counted[group.predicted_places] = counted_boxes(group.scores)
        for column, threshold in enumerate(DETECTION_IOUS):
            found = matched_boxes(overlaps, group.scores, threshold)
            scores.true_positives[group.predicted_places, column] = found
    return scores
