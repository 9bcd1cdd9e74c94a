"""The points of ROC, precision-recall and reliability curves."""

import numpy as np

from cxrkit.metrics.counts import FloatArray, divide_or_nan
from cxrkit.metrics.ranking import BoolArray, rank_rows

MOST_POINTS = 1000


def roc_points(labels: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gives false positive rate and sensitivity at every threshold, from (0, 0) to (1, 1).

    Args:
        labels: `[N]` truth with both values present.
        scores: `[N]` finite scores.

    Returns:
        Two arrays `[thresholds + 1]`.

    >>> roc_points(np.array([True, False]), np.array([0.9, 0.1]))[1].tolist()
    [0.0, 1.0, 1.0]
    """
    found, flagged = _cumulative(labels, scores)
    false_alarms = flagged - found
    return _rate(false_alarms), _rate(found)


def precision_recall_points(labels: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gives recall and precision at every threshold, from the highest score down.

    Args:
        labels: `[N]` truth with a positive.
        scores: `[N]` finite scores.

    Returns:
        Two arrays `[thresholds]`.
    """
    found, flagged = _cumulative(labels, scores)
    return found[1:] / found[-1], found[1:] / flagged[1:]


def reliability_points(
    labels: BoolArray, probabilities: FloatArray, num_bins: int = 10
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gives mean stated probability, share of positives and number of rows in equal bins of probability.

    Args:
        labels: `[N]` truth.
        probabilities: `[N]` in 0..1.
        num_bins: how many bins share 0..1.

    Returns:
        Three arrays `[num_bins]`; the first two are `nan` in empty bins.

    >>> [values.tolist() for values in reliability_points(np.array([True, False]), np.array([0.9, 0.8]), 2)]
    [[nan, 0.8500000000000001], [nan, 0.5], [0.0, 2.0]]
    """
    bins = np.clip((probabilities * num_bins).astype(int), 0, num_bins - 1)
    counts = np.bincount(bins, minlength=num_bins).astype(float)
    stated = np.bincount(bins, weights=probabilities, minlength=num_bins)
    positive = np.bincount(bins, weights=labels.astype(float), minlength=num_bins)
    return divide_or_nan(stated, counts), divide_or_nan(positive, counts), counts


def thin_points(x: FloatArray, y: FloatArray, most: int = MOST_POINTS) -> tuple[FloatArray, FloatArray]:
    """Gives points of a curve that lie evenly in its order, both ends among them, none moved.

    Args:
        x: `[points]`.
        y: `[points]`.
        most: how many are kept; all of a shorter curve.

    >>> thin_points(np.arange(5.0), np.arange(5.0), most=3)[0].tolist()
    [0.0, 2.0, 4.0]
    """
    if len(x) <= most:
        return x, y
    kept = np.linspace(0, len(x) - 1, most).round().astype(np.int64)
    return x[kept], y[kept]


def _cumulative(labels: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    ranked = rank_rows(labels, scores)
    ends = np.r_[ranked.starts[1:], len(scores)]
    found = np.r_[0.0, np.cumsum(ranked.positive)[ends - 1]]
    return found, np.r_[0.0, ends.astype(float)]


def _rate(counts: FloatArray) -> FloatArray:
    rate: FloatArray = counts / counts[-1]
    return rate
