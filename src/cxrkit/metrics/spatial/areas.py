"""Areas that boxes cover together: a point counts once, however many boxes lie over it."""

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan


def covered_areas(first: FloatArray, second: FloatArray) -> FloatArray:
    """Gives the areas of two sets of boxes and of what both cover, exactly.

    The edges of all boxes cut the plane into cells, each of which a box covers wholly or not at all.

    Args:
        first: `[Q, n, 4]` boxes without negative sides.
        second: `[Q, m, 4]` likewise.

    Returns:
        `[Q, 3]`: area of the union of `first`, of the union of `second`, and of the intersection of both.

    >>> squares = np.array([[[0.0, 0, 2, 2], [0, 0, 2, 1]]])
    >>> covered_areas(squares, np.array([[[1.0, 0, 3, 2]]])).tolist()
    [[4.0, 4.0, 2.0]]
    """
    both = np.concatenate([first, second], axis=1)
    across = np.sort(both[..., [0, 2]].reshape(len(both), -1), axis=1)
    down = np.sort(both[..., [1, 3]].reshape(len(both), -1), axis=1)
    sizes = np.diff(down, axis=1)[:, :, None] * np.diff(across, axis=1)[:, None, :]
    by_first, by_second = (covers(boxes, across, down) for boxes in (first, second))
    return np.stack(
        [(sizes * cells).sum((1, 2)) for cells in (by_first, by_second, by_first & by_second)], axis=-1
    )


def covers(boxes: FloatArray, across: FloatArray, down: FloatArray) -> npt.NDArray[np.bool_]:
    """Tells which cells between edges some box covers, where no cell is cut by a box.

    Args:
        boxes: `[Q, n, 4]` without negative sides.
        across: `[Q, K]` ascending, with all vertical edges of the boxes.
        down: `[Q, L]` ascending, with all horizontal ones.

    Returns:
        `[Q, L - 1, K - 1]`.

    >>> covers(np.array([[[0.0, 0, 1, 1]]]), np.array([[0.0, 1, 2]]), np.array([[0.0, 1]])).tolist()
    [[[True, False]]]
    """
    columns = _between(boxes[..., 0], boxes[..., 2], across)
    rows = _between(boxes[..., 1], boxes[..., 3], down)
    covered: npt.NDArray[np.bool_] = rows.transpose(0, 2, 1) @ columns > 0
    return covered


def _between(low: FloatArray, high: FloatArray, edges: FloatArray) -> npt.NDArray[np.float32]:
    """Gives 1 where a stretch between edges `[Q, K]` lies in a range `[Q, n]`: `[Q, n, K - 1]`."""
    inside = (low[..., None] <= edges[:, None, :-1]) & (high[..., None] >= edges[:, None, 1:])
    return inside.astype(np.float32)


def area_shares(reference: FloatArray, predicted: FloatArray) -> FloatArray:
    """Gives IoP and IoT of each question.

    Definition: with P and T what the predicted and the reference boxes cover together, IoP = |P and T| / |P|
    (how much of what is pointed at is right) and IoT = |P and T| / |T| (how much of the target is found).
    Range 0..1. IoP is `nan` where the predicted boxes cover nothing, IoT where the reference boxes do not;
    no predicted box at all gives an IoT of 0.

    Args:
        reference: `[Q, n, 4]` boxes without negative sides.
        predicted: `[Q, m, 4]` likewise.

    Returns:
        `[Q, 2]`: IoP and IoT.

    >>> area_shares(np.array([[[0.0, 0, 4, 2]]]), np.array([[[0.0, 0, 2, 4]]])).tolist()
    [[0.5, 0.5]]
    """
    areas = covered_areas(predicted, reference)
    return divide_or_nan(areas[:, 2:], areas[:, :2])
