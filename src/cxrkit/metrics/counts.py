"""Metrics as functions of counts.

Counts of patients can be added, so the same functions give a point value (`[K]`), and with a leading
axis (`[R, K]`) the values of R bootstrap resamples at once. `nan` marks an undefined value.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]


def divide_or_nan(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> FloatArray:
    """Divides element by element, `nan` where the denominator is 0.

    >>> divide_or_nan([1.0, 1.0], [2.0, 0.0]).tolist()
    [0.5, nan]
    """
    top, bottom = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    quotient: FloatArray = np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom != 0)
    return quotient


def mean_of_defined(values: FloatArray) -> FloatArray:
    """Averages over the last axis without the `nan`s; `nan` where nothing is defined.

    >>> mean_of_defined(np.array([[1.0, np.nan], [np.nan, np.nan]])).tolist()
    [1.0, nan]
    """
    defined = ~np.isnan(values)
    return divide_or_nan(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))


def ratio_of_sums(sums: FloatArray) -> FloatArray:
    """Gives a mean from `[..., 2]` = (sum of values, number of values)."""
    return divide_or_nan(sums[..., 0], sums[..., 1])


def accuracy_of_confusion(confusion: FloatArray) -> FloatArray:
    """Gives the share on the diagonal of confusion counts.

    Args:
        confusion: `[..., C, C]`, rows the reference class, columns the predicted class.

    Returns:
        `[...]` in 0..1.

    >>> float(accuracy_of_confusion(np.array([[3.0, 1.0], [0.0, 4.0]])))
    0.875
    """
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return divide_or_nan(right, confusion.sum((-2, -1)))


def balanced_accuracy_of_confusion(confusion: FloatArray) -> FloatArray:
    """Gives the mean recall over the classes present in the reference, from counts `[..., C, C]`.

    >>> float(balanced_accuracy_of_confusion(np.array([[3.0, 1.0], [0.0, 4.0]])))
    0.875
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    return mean_of_defined(divide_or_nan(right, confusion.sum(-1)))


def macro_f1_of_confusion(confusion: FloatArray) -> FloatArray:
    """Gives the mean F1 over the classes present in the reference, from counts `[..., C, C]`.

    >>> round(float(macro_f1_of_confusion(np.array([[3.0, 1.0], [0.0, 4.0]]))), 4)
    0.873
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    missed, extra = confusion.sum(-1) - right, confusion.sum(-2) - right
    return _macro_f1(right, extra, missed)


def micro_f1_of_sets(counts: FloatArray) -> FloatArray:
    """Gives 2 TP / (2 TP + FP + FN) with TP, FP and FN added over all classes.

    Args:
        counts: `[..., 3, C]`: true positives, false positives, false negatives of each class.

    Returns:
        `[...]` in 0..1; `nan` when every reference and predicted set is empty.

    >>> float(micro_f1_of_sets(np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])))
    0.6666666666666666
    """
    right, extra, missed = (counts[..., kind, :].sum(-1) for kind in range(3))
    return divide_or_nan(2 * right, 2 * right + extra + missed)


def macro_f1_of_sets(counts: FloatArray) -> FloatArray:
    """Gives the mean F1 over the classes present in a reference set, from counts `[..., 3, C]`.

    >>> float(macro_f1_of_sets(np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0]])))
    0.4
    """
    return _macro_f1(counts[..., 0, :], counts[..., 1, :], counts[..., 2, :])


def _macro_f1(right: FloatArray, extra: FloatArray, missed: FloatArray) -> FloatArray:
    present = right + missed > 0
    return mean_of_defined(np.where(present, divide_or_nan(2 * right, 2 * right + extra + missed), np.nan))


def confusion_of_rows(
    reference: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer], num_classes: int
) -> npt.NDArray[np.uint8]:
    """Gives each row's own confusion counts, to be added over rows or patients.

    Args:
        reference: `[N]` class indices.
        predicted: `[N]` class indices.
        num_classes: C.

    Returns:
        `[N, C, C]`, one 1 per row.
    """
    rows = np.zeros((len(reference), num_classes, num_classes), np.uint8)
    rows[np.arange(len(reference)), reference, predicted] = 1
    return rows


def set_counts_of_rows(
    reference: npt.NDArray[np.bool_], predicted: npt.NDArray[np.bool_]
) -> npt.NDArray[np.uint8]:
    """Gives each row's true positives, false positives and false negatives per class.

    Args:
        reference: `[N, C]` membership of the reference sets.
        predicted: `[N, C]` membership of the predicted sets.

    Returns:
        `[N, 3, C]` of 0 and 1.
    """
    parts = [reference & predicted, ~reference & predicted, reference & ~predicted]
    return np.stack(parts, axis=1).astype(np.uint8)
