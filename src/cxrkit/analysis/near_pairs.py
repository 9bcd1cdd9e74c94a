"""Films that show the same picture: all pairs within a small distance, without comparing all with all.

A film's small picture, less its mean and divided by its length, is a point on a sphere; contrast and
brightness play no role. Points that are close are close along every axis, so pairs are sought among
neighbours along the longest axis, and given up at the first axis that parts them: none is missed.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
AXES = 12
_FITTED_ON = 20_000
# Each is then looked at in detail: some minutes on two cores.
MOST_PAIRS = 50_000


@dataclass(frozen=True)
class NearPairs:
    """Pairs of films.

    Attributes:
        first: `[K]` rows.
        second: `[K]` rows, larger than those of `first`.
        truncated: there are more pairs than were kept.
    """

    first: IntArray
    second: IntArray
    truncated: bool


def near_pairs(points: FloatArray, distance: float, most: int = MOST_PAIRS) -> NearPairs:
    """Gives all pairs of points within a distance.

    Args:
        points: `[N, D]`; the rows that are `nan` are left out.
        distance: Euclidean.
        most: pairs to keep.
    """
    usable = np.flatnonzero(~np.isnan(points).any(1))
    if len(usable) < 2:
        return NearPairs(np.zeros(0, np.int64), np.zeros(0, np.int64), False)
    chosen = points[usable]
    turned = _along_main_axes(chosen)
    order = np.argsort(turned[:, 0], kind="stable")
    found = np.zeros((most, 2), np.int64)
    count = _search(np.ascontiguousarray(turned[order]), np.ascontiguousarray(chosen[order]), distance, found)
    kept = found[: min(count, most)]
    pairs = np.sort(usable[order[kept]], axis=1)
    ranked = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return NearPairs(ranked[:, 0], ranked[:, 1], count > most)


def unit_points(thumbnails: npt.NDArray[np.uint8], left_out: npt.NDArray[np.bool_]) -> FloatArray:
    """Gives small pictures as points of unit length around 0, `[N, D]`; `nan` for those left out.

    Args:
        thumbnails: `[N, S, S]`.
        left_out: `[N]`.
    """
    points = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    points -= points.mean(1, keepdims=True)
    length = np.sqrt((points**2).sum(1, keepdims=True))
    np.divide(points, length, out=points, where=length > 0)
    points[left_out | (length[:, 0] == 0)] = np.nan
    return points


def _along_main_axes(points: FloatArray) -> FloatArray:
    """Turns the points so that the first axes part them most; distances stay as they are or shrink."""
    step = max(1, len(points) // _FITTED_ON)
    sample = points[::step].astype(np.float64)
    _, axes = np.linalg.eigh(np.cov(sample, rowvar=False) + 1e-12 * np.eye(points.shape[1]))
    turned: FloatArray = points @ axes[:, ::-1][:, :AXES].astype(np.float32)
    return turned


@numba.njit(nogil=True)
def _search(
    turned: FloatArray, points: FloatArray, distance: float, found: IntArray
) -> int:  # pragma: no cover - compiled
    limit = distance * distance
    # What rounding may move a point along an axis.
    reach = distance + 1e-5
    count = 0
    for first in range(len(turned)):
        for second in range(first + 1, len(turned)):
            if turned[second, 0] - turned[first, 0] > reach:
                break
            along = 0.0
            for axis in range(turned.shape[1]):
                step = turned[first, axis] - turned[second, axis]
                along += step * step
                if along > limit + 1e-6:
                    break
            if along > limit + 1e-6:
                continue
            whole = 0.0
            for axis in range(points.shape[1]):
                step = points[first, axis] - points[second, axis]
                whole += step * step
            if whole <= limit:
                if count < len(found):
                    found[count, 0] = first
                    found[count, 1] = second
                count += 1
    return count
