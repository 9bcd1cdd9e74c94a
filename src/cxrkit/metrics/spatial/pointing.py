"""Whether the box that a model is surest of lies where it should."""

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray

POINTING_IOU = 0.5


def best_overlaps(overlaps: FloatArray) -> FloatArray:
    """Gives each predicted box's largest IoU with a reference box, `[Q, m]` from `[Q, n, m]`; 0 without any.

    >>> best_overlaps(np.array([[[0.2, 0.8], [0.4, 0.1]]])).tolist()
    [[0.4, 0.8]]
    """
    best: FloatArray = overlaps.max(axis=1, initial=0.0)
    return best


def points_at_reference(overlaps: FloatArray, scores: FloatArray) -> npt.NDArray[np.bool_]:
    """Tells whether the predicted box with the highest score has IoU > 0.5 with a reference box.

    The first box wins a tie of scores. No predicted box points at nothing. The mean over questions with
    reference boxes is the pointing accuracy.

    Args:
        overlaps: `[Q, n, m]` IoU of reference and predicted boxes, from `iou_matrix`.
        scores: `[Q, m]` of the predicted boxes.

    Returns:
        `[Q]`.

    >>> points_at_reference(np.array([[[0.0, 0.8]]]), np.array([[0.1, 0.7]])).tolist()
    [True]
    """
    if scores.shape[1] == 0:
        return np.zeros(len(scores), np.bool_)
    best = np.take_along_axis(best_overlaps(overlaps), scores.argmax(1)[:, None], axis=1)[:, 0]
    return np.asarray(best > POINTING_IOU)


def centre_in_reference(
    reference: FloatArray, predicted: FloatArray, scores: FloatArray
) -> npt.NDArray[np.bool_]:
    """Tells whether the centre of the predicted box with the highest score lies in a reference box.

    Edges belong to a box; the first box wins a tie of scores; no predicted box, and one without area, is a
    miss. The mean over questions with reference boxes is the pointing game's accuracy.
    Source: Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016, without a margin.

    Args:
        reference: `[Q, n, 4]` boxes without negative sides.
        predicted: `[Q, m, 4]` likewise.
        scores: `[Q, m]`.

    Returns:
        `[Q]`.

    >>> reference, predicted = np.array([[[0.0, 0, 2, 2]]]), np.array([[[1.0, 1, 3, 3], [0, 0, 1, 1]]])
    >>> centre_in_reference(reference, predicted, np.array([[0.5, 0.4]])).tolist()
    [True]
    """
    if scores.shape[1] == 0:
        return np.zeros(len(scores), np.bool_)
    top = np.take_along_axis(predicted, scores.argmax(1)[:, None, None], axis=1)
    low, high = top[..., :2], top[..., 2:]
    centre = (low + high) / 2
    inside = (reference[..., :2] <= centre) & (centre <= reference[..., 2:])
    has_area = (reference[..., 2:] > reference[..., :2]).all(-1)
    hit = np.any(inside.all(-1) & has_area, axis=1)
    return np.asarray(hit & np.all(high > low, axis=(1, 2)))
