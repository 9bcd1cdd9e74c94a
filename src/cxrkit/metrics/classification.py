"""Metrics of decided classes and of sets of classes, one number each."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import (
    FloatArray,
    accuracy_of_confusion,
    balanced_accuracy_of_confusion,
    confusion_of_rows,
    divide_or_nan,
    macro_f1_of_confusion,
    macro_f1_of_sets,
    micro_f1_of_sets,
    set_counts_of_rows,
)
from cxrkit.metrics.ranking import (
    auroc,
    average_precision,
    macro_auroc,
    mean_average_precision_over_classes,
)
from cxrkit.metrics.score import Score

IntArray: TypeAlias = npt.NDArray[np.integer]
BoolArray: TypeAlias = npt.NDArray[np.bool_]

__all__ = [
    "accuracy",
    "auroc",
    "average_precision",
    "balanced_accuracy",
    "exact_set_match",
    "jaccard",
    "jaccard_of_rows",
    "macro_auroc",
    "macro_f1",
    "macro_f1_over_sets",
    "mean_average_precision_over_classes",
    "micro_f1_over_sets",
    "sensitivity",
    "specificity",
]


def accuracy(reference: IntArray, predicted: IntArray) -> Score:
    """Gives the share of rows whose class is right; 0..1; undefined without rows.

    Args:
        reference: `[N]` class indices.
        predicted: `[N]` class indices.

    >>> accuracy(np.array([0, 1, 1]), np.array([0, 1, 0])).value
    0.6666666666666666
    """
    return _or_reason(accuracy_of_confusion(_confusion(reference, predicted)), "no rows")


def balanced_accuracy(reference: IntArray, predicted: IntArray) -> Score:
    """Gives the mean recall over the classes present in the reference; 0..1; chance = 1 / classes present.

    Source: Brodersen et al., ICPR 2010; equals `sklearn.metrics.balanced_accuracy_score`.

    Args:
        reference: `[N]` class indices.
        predicted: `[N]` class indices.

    >>> balanced_accuracy(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0])).value
    0.8333333333333333
    """
    score = _or_reason(balanced_accuracy_of_confusion(_confusion(reference, predicted)), "no rows")
    return Score(score.value, score.undefined_reason, len(np.unique(reference)))


def macro_f1(reference: IntArray, predicted: IntArray) -> Score:
    """Gives the mean F1 over the classes present in the reference, single-label; 0..1.

    Equals `sklearn.metrics.f1_score(average="macro", labels=unique(reference))`.

    Args:
        reference: `[N]` class indices.
        predicted: `[N]` class indices.

    >>> round(macro_f1(np.array([0, 1, 1]), np.array([0, 1, 0])).value, 4)
    0.6667
    """
    score = _or_reason(macro_f1_of_confusion(_confusion(reference, predicted)), "no rows")
    return Score(score.value, score.undefined_reason, len(np.unique(reference)))


def sensitivity(reference: BoolArray, predicted: BoolArray) -> Score:
    """Gives TP / (TP + FN), the share of positives that were found; 0..1; undefined without a positive.

    Args:
        reference: `[N]` truth, bool.
        predicted: `[N]` decision, bool.

    >>> sensitivity(np.array([True, True, False]), np.array([True, False, False])).value
    0.5
    """
    return _or_reason(divide_or_nan((reference & predicted).sum(), reference.sum()), "no positive row")


def specificity(reference: BoolArray, predicted: BoolArray) -> Score:
    """Gives TN / (TN + FP), the share of negatives left unflagged; 0..1; undefined without a negative.

    Args:
        reference: `[N]` truth, bool.
        predicted: `[N]` decision, bool.

    >>> specificity(np.array([True, False, False]), np.array([True, False, True])).value
    0.5
    """
    return _or_reason(divide_or_nan((~reference & ~predicted).sum(), (~reference).sum()), "no negative row")


def exact_set_match(reference: BoolArray, predicted: BoolArray) -> Score:
    """Gives the share of rows whose predicted set equals the reference set; two empty sets are equal.

    Args:
        reference: `[N, C]` membership.
        predicted: `[N, C]` membership.

    >>> exact_set_match(np.array([[True, False], [False, False]]), np.zeros((2, 2), bool)).value
    0.5
    """
    right = (reference == predicted).all(-1)
    return _or_reason(divide_or_nan(right.sum(), len(right)), "no rows")


def jaccard(reference: BoolArray, predicted: BoolArray) -> Score:
    """Gives the mean over rows of |intersection| / |union|; 0..1.

    Two empty sets count 1, one empty set beside a non-empty one counts 0.
    Equals `sklearn.metrics.jaccard_score(average="samples", zero_division=1)`.

    Args:
        reference: `[N, C]` membership.
        predicted: `[N, C]` membership.

    >>> jaccard(np.array([[True, True], [False, False]]), np.array([[True, False], [False, False]])).value
    0.75
    """
    rows = jaccard_of_rows(reference, predicted)
    return _or_reason(divide_or_nan(rows.sum(), len(rows)), "no rows")


def jaccard_of_rows(reference: BoolArray, predicted: BoolArray) -> FloatArray:
    """Gives each row's Jaccard index, `[N]` from memberships `[N, C]`; two empty sets count 1."""
    values = divide_or_nan((reference & predicted).sum(-1), (reference | predicted).sum(-1))
    rows: FloatArray = np.where(np.isnan(values), 1.0, values)
    return rows


def micro_f1_over_sets(reference: BoolArray, predicted: BoolArray) -> Score:
    """Gives 2 TP / (2 TP + FP + FN) over all (row, class) pairs; 0..1; undefined when all sets are empty.

    Equals `sklearn.metrics.f1_score(average="micro")`.

    Args:
        reference: `[N, C]` membership.
        predicted: `[N, C]` membership.

    >>> micro_f1_over_sets(np.array([[True, True]]), np.array([[True, False]])).value
    0.6666666666666666
    """
    counts = set_counts_of_rows(reference, predicted).sum(0)
    return _or_reason(micro_f1_of_sets(counts), "every reference and predicted set is empty")


def macro_f1_over_sets(reference: BoolArray, predicted: BoolArray) -> Score:
    """Gives the mean F1 over the classes that occur in a reference set; `num_classes` says how many.

    Args:
        reference: `[N, C]` membership.
        predicted: `[N, C]` membership.

    >>> macro_f1_over_sets(np.array([[True, False]]), np.array([[True, True]])).value
    1.0
    """
    score = _or_reason(
        macro_f1_of_sets(set_counts_of_rows(reference, predicted).sum(0)), "every reference set is empty"
    )
    return Score(score.value, score.undefined_reason, int(reference.any(0).sum()))


def _confusion(reference: IntArray, predicted: IntArray) -> FloatArray:
    num_classes = int(max(reference.max(initial=0), predicted.max(initial=0))) + 1
    counts: FloatArray = confusion_of_rows(reference, predicted, num_classes).sum(0)
    return counts


def _or_reason(value: FloatArray, reason: str) -> Score:
    number = float(value)
    return Score.undefined(reason) if np.isnan(number) else Score(number)
