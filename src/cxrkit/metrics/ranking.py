"""Metrics of scores: AUROC and average precision, exact with ties, for many row weightings at once."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan, mean_of_defined
from cxrkit.metrics.ranking_loop import auroc_sums, precision_sums
from cxrkit.metrics.score import Score

BoolArray: TypeAlias = npt.NDArray[np.bool_]
IntArray: TypeAlias = npt.NDArray[np.int64]


class RankedRows(NamedTuple):
    """Rows in descending order of their score, grouped where scores are equal.

    Attributes:
        order: `[N]` row numbers, highest score first.
        positive: `[N]` labels in that order.
        starts: `[G]` first position of each group of equal scores.
    """

    order: IntArray
    positive: BoolArray
    starts: IntArray


def rank_rows(labels: BoolArray, scores: FloatArray) -> RankedRows:
    """Sorts rows once, so that many weightings of them can be scored.

    Args:
        labels: `[N]` truth.
        scores: `[N]` finite; higher means more likely positive.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, positive = scores[order], labels[order]
    first = np.ones(min(len(ranked), 1), bool)
    return RankedRows(order, positive, np.flatnonzero(np.r_[first, ranked[1:] != ranked[:-1]]))


def weighted_auroc(ranked: RankedRows, positions: IntArray, weights: FloatArray) -> FloatArray:
    """Gives the AUROC of weighted rows: P(score of a positive > score of a negative), ties count one half.

    Args:
        ranked: the N rows.
        positions: `[N]` column of `weights` of each row, **in ranked order**.
        weights: `[R, P]` one line per resample.

    Returns:
        `[R]` in 0..1; `nan` where a line has weight on one class only.
    """
    losses, positives, negatives = auroc_sums(ranked.positive, positions, ranked.starts, weights)
    return 1 - divide_or_nan(losses / 2, positives * negatives)


def weighted_average_precision(ranked: RankedRows, positions: IntArray, weights: FloatArray) -> FloatArray:
    """Gives the average precision of weighted rows: sum over thresholds of precision x gain in recall.

    Args:
        ranked: the N rows.
        positions: `[N]` column of `weights` of each row, **in ranked order**.
        weights: `[R, P]` one line per resample.

    Returns:
        `[R]` in 0..1; `nan` where a line has no weight on a positive.
    """
    sums, positives, _ = precision_sums(ranked.positive, positions, ranked.starts, weights)
    return divide_or_nan(sums, positives)


def auroc(labels: BoolArray, scores: FloatArray) -> Score:
    """Gives the area under the ROC curve, from scores or probabilities (never from decided classes).

    Definition: probability that a positive has a higher score than a negative, ties one half.
    Range 0..1, 0.5 = chance. Undefined when only one class is present.
    Source: Hanley and McNeil, Radiology 1982; equals `sklearn.metrics.roc_auc_score`.

    Args:
        labels: `[N]` truth, bool.
        scores: `[N]` finite scores.

    >>> auroc(np.array([False, True, True]), np.array([0.1, 0.1, 0.8])).value
    0.75
    >>> auroc(np.array([True, True]), np.array([0.1, 0.8])).undefined_reason
    'only positive rows (2)'
    """
    reason = _one_class_reason(labels)
    if reason:
        return Score.undefined(reason)
    return Score(_unweighted(weighted_auroc, labels, scores))


def average_precision(labels: BoolArray, scores: FloatArray) -> Score:
    """Gives the area under the precision-recall steps, without interpolation.

    Definition: sum over thresholds of (gain in recall) x (precision at the threshold).
    Range 0..1; chance = share of positives. Undefined without a positive.
    Source: equals `sklearn.metrics.average_precision_score`.

    Args:
        labels: `[N]` truth, bool.
        scores: `[N]` finite scores.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.5, 0.1])).value
    0.8333333333333333
    """
    if not labels.any():
        return Score.undefined(f"no positive row among {len(labels)}")
    return Score(_unweighted(weighted_average_precision, labels, scores))


def macro_auroc(labels: BoolArray, scores: FloatArray) -> Score:
    """Gives the mean AUROC over the classes that have both values; `num_classes` says how many.

    Args:
        labels: `[N, C]` truth.
        scores: `[N, C]` scores.

    >>> labels = np.array([[True, False], [False, False]])
    >>> macro_auroc(labels, np.array([[0.9, 0.2], [0.3, 0.1]]))
    Score(value=1.0, undefined_reason=None, num_classes=1)
    """
    return _macro(auroc, labels, scores, "no class has both positive and negative rows")


def mean_average_precision_over_classes(labels: BoolArray, scores: FloatArray) -> Score:
    """Gives the mean average precision over the classes with a positive (not the detection metric mAP).

    Args:
        labels: `[N, C]` truth.
        scores: `[N, C]` scores.

    >>> labels = np.array([[True, False], [False, False]])
    >>> mean_average_precision_over_classes(labels, np.array([[0.9, 0.2], [0.3, 0.1]])).value
    1.0
    """
    return _macro(average_precision, labels, scores, "no class has a positive row")


def _macro(
    metric: Callable[[BoolArray, FloatArray], Score], labels: BoolArray, scores: FloatArray, reason: str
) -> Score:
    values = np.array([metric(labels[:, index], scores[:, index]).value for index in range(labels.shape[1])])
    num_classes = int((~np.isnan(values)).sum())
    if num_classes == 0:
        return Score.undefined(reason, 0)
    return Score(float(mean_of_defined(values)), None, num_classes)


def _one_class_reason(labels: BoolArray) -> str:
    if len(labels) == 0:
        return "no rows"
    if labels.all() or not labels.any():
        return f"only {'positive' if labels.all() else 'negative'} rows ({len(labels)})"
    return ""


def _unweighted(
    metric: Callable[[RankedRows, IntArray, FloatArray], FloatArray], labels: BoolArray, scores: FloatArray
) -> float:
    return float(metric(rank_rows(labels, scores), np.zeros(len(labels), np.int64), np.ones((1, 1)))[0])


def average_precision_of_rows(labels: BoolArray, scores: FloatArray) -> FloatArray:
    """Gives the average precision of each row's own ranking.

    Definition: mean over a row's positives of the precision among the entries with at least their score;
    entries of equal score count together. Range 0..1, `nan` for a row without positives.

    Args:
        labels: `[N, C]`.
        scores: `[N, C]`.

    Returns:
        `[N]`.

    >>> labels, scores = np.array([[True, False, True]]), np.array([[0.9, 0.8, 0.7]])
    >>> average_precision_of_rows(labels, scores).round(4).tolist()
    [0.8333]
    """
    at_least = scores[:, None, :] >= scores[:, :, None]
    hits = (at_least & labels[:, None, :]).sum(-1)
    precision = hits / at_least.sum(-1)
    return divide_or_nan((precision * labels).sum(1), labels.sum(1))
