"""How far stated probabilities can be believed."""

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan

BINS = 10


def calibration_sums_of_rows(labels: npt.NDArray[np.bool_], probabilities: FloatArray) -> FloatArray:
    """Gives what the calibration error of any set of rows is computed from.

    Args:
        labels: `[N, C]`.
        probabilities: `[N, C]` in 0..1.

    Returns:
        `[N, 10, 3]`: for each of ten bins of equal width, the row's number of pairs in it, the sum of their
        probabilities, and the number of positives.
    """
    stated = probabilities.ravel().astype(float)
    return _sums_of_bins(labels, probabilities, np.minimum((stated * BINS).astype(np.int64), BINS - 1))


def _sums_of_bins(
    labels: npt.NDArray[np.bool_], probabilities: FloatArray, bins: npt.NDArray[np.int64]
) -> FloatArray:
    cells = np.repeat(np.arange(len(labels)), labels.shape[1]) * BINS + bins
    columns = (np.ones(len(cells)), probabilities.ravel().astype(float), labels.ravel().astype(float))
    counted = [np.bincount(cells, values, minlength=len(labels) * BINS) for values in columns]
    sums: FloatArray = np.stack(counted, axis=-1).astype(float).reshape(len(labels), BINS, 3)
    return sums


def calibration_error_of_sums(sums: FloatArray) -> FloatArray:
    """Gives the expected calibration error from `[..., 10, 3]` sums; `nan` where there are no pairs.

    Definition: mean over the bins, weighted by their size, of the distance between mean probability and share
    of positives (Naeini et al., AAAI 2015). Range 0..1, 0 is best.

    >>> labels, stated = np.array([[True, False]]), np.array([[0.75, 0.75]])
    >>> float(calibration_error_of_sums(calibration_sums_of_rows(labels, stated).sum(0)))
    0.25
    """
    distance = np.abs(sums[..., 1] - sums[..., 2]).sum(-1)
    return divide_or_nan(distance, sums[..., 0].sum(-1))


def mass_edges(probabilities: FloatArray) -> FloatArray:
    """Gives the nine inner edges of ten bins that hold equally many of these probabilities.

    Equal probabilities are never parted, so bins can be of unequal size, or empty.

    Args:
        probabilities: of any shape.

    Returns:
        `[9]`; bin k holds what is above edge k - 1 up to edge k.
    """
    if probabilities.size == 0:
        return np.linspace(0, 1, BINS + 1)[1:-1]
    levels = np.sort(probabilities.ravel())
    places = (np.arange(1, BINS) * len(levels) + BINS - 1) // BINS - 1
    edges: FloatArray = levels[np.maximum(places, 0)].astype(float)
    return edges


def adaptive_sums_of_rows(
    labels: npt.NDArray[np.bool_], probabilities: FloatArray, edges: FloatArray
) -> FloatArray:
    """Gives what the adaptive calibration error of any set of rows is computed from.

    The same as `calibration_sums_of_rows`, with bins of equal mass in place of equal width. The edges are
    those of the whole data, also for resamples of it. Source: Nixon et al., CVPR workshop 2019.

    Args:
        labels: `[N, C]`.
        probabilities: `[N, C]` in 0..1.
        edges: `[9]` from `mass_edges`.

    >>> labels, stated = np.array([[True], [False]]), np.array([[0.75], [0.75]])
    >>> sums = adaptive_sums_of_rows(labels, stated, mass_edges(stated))
    >>> float(calibration_error_of_sums(sums.sum(0)))
    0.25
    """
    return _sums_of_bins(labels, probabilities, np.searchsorted(edges, probabilities.ravel(), side="left"))


def brier_of_rows(labels: npt.NDArray[np.bool_], probabilities: FloatArray) -> FloatArray:
    """Gives the mean squared distance of each row's probabilities from its labels (Brier score), `[N]`.

    Range 0..1, 0 is best; the share p of positives stated for all gives p (1 - p). Source: Brier, Mon.
    Weather Rev. 1950; the mean equals `sklearn.metrics.brier_score_loss`.

    Args:
        labels: `[N, C]`.
        probabilities: `[N, C]` in 0..1.

    >>> brier_of_rows(np.array([[True], [False]]), np.array([[0.5], [0.0]])).tolist()
    [0.25, 0.0]
    """
    distances: FloatArray = ((probabilities - labels) ** 2).mean(-1)
    return distances
