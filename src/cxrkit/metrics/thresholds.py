"""From probabilities to decisions: a threshold chosen on one set of rows, to be used on others."""

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan

# Below this, differences of probabilities are noise of the arithmetic: an empty film scored in another batch.
_DECIMALS = 6


def best_f1_threshold(labels: npt.NDArray[np.bool_], scores: FloatArray) -> float:
    """Gives the threshold with the highest F1 among all that tell the rows apart; `nan` without a positive.

    A row counts as positive when its score is at the threshold or above. The threshold lies in the middle
    between the lowest score that counts and the highest that does not, at 0 when all count; of several with
    the same F1 it is the highest. Source: Lipton et al., ECML PKDD 2014, section 3.

    Args:
        labels: `[N]` truth.
        scores: `[N]` in 0..1.

    >>> round(best_f1_threshold(np.array([False, True, True]), np.array([0.1, 0.3, 0.8])), 3)
    0.2
    """
    if not labels.any():
        return float("nan")
    levels, place = np.unique(np.round(scores, _DECIMALS), return_inverse=True)
    positives = np.bincount(place, labels, len(levels))
    found = np.cumsum(positives[::-1])[::-1]
    flagged = np.cumsum(np.bincount(place, minlength=len(levels))[::-1])[::-1]
    f1 = 2 * found / (flagged + labels.sum())
    best = len(levels) - 1 - int(np.argmax(f1[::-1]))
    return 0.0 if best == 0 else float((levels[best - 1] + levels[best]) / 2)


def decision_counts_of_rows(labels: npt.NDArray[np.bool_], flagged: npt.NDArray[np.bool_]) -> FloatArray:
    """Gives each row's true positives, false positives, false negatives and true negatives.

    Args:
        labels: `[N]` truth.
        flagged: `[N]` decisions.

    Returns:
        `[N, 4]` of 0 and 1.
    """
    kinds = [labels & flagged, ~labels & flagged, labels & ~flagged, ~labels & ~flagged]
    return np.stack(kinds, axis=1).astype(float)


def f1_of_decisions(counts: FloatArray) -> FloatArray:
    """Gives 2 TP / (2 TP + FP + FN) from counts `[..., 4]`; `nan` where nothing is positive or flagged.

    >>> float(f1_of_decisions(np.array([2.0, 1.0, 1.0, 6.0])))
    0.6666666666666666
    """
    right, extra, missed = (counts[..., kind] for kind in range(3))
    return divide_or_nan(2 * right, 2 * right + extra + missed)


def sensitivity_of_decisions(counts: FloatArray) -> FloatArray:
    """Gives TP / (TP + FN) from counts `[..., 4]`; `nan` without a positive.

    >>> float(sensitivity_of_decisions(np.array([3.0, 1.0, 1.0, 6.0])))
    0.75
    """
    return divide_or_nan(counts[..., 0], counts[..., 0] + counts[..., 2])


def specificity_of_decisions(counts: FloatArray) -> FloatArray:
    """Gives TN / (TN + FP) from counts `[..., 4]`; `nan` without a negative.

    >>> float(specificity_of_decisions(np.array([3.0, 2.0, 1.0, 6.0])))
    0.75
    """
    return divide_or_nan(counts[..., 3], counts[..., 3] + counts[..., 1])


def positive_predictive_value_of_decisions(counts: FloatArray) -> FloatArray:
    """Gives TP / (TP + FP) from counts `[..., 4]`; `nan` where nothing is flagged.

    >>> float(positive_predictive_value_of_decisions(np.array([3.0, 1.0, 1.0, 6.0])))
    0.75
    """
    return divide_or_nan(counts[..., 0], counts[..., 0] + counts[..., 1])


def negative_predictive_value_of_decisions(counts: FloatArray) -> FloatArray:
    """Gives TN / (TN + FN) from counts `[..., 4]`; `nan` where everything is flagged.

    >>> float(negative_predictive_value_of_decisions(np.array([3.0, 1.0, 2.0, 6.0])))
    0.75
    """
    return divide_or_nan(counts[..., 3], counts[..., 3] + counts[..., 2])


def matthews_correlation_of_decisions(counts: FloatArray) -> FloatArray:
    """Gives Matthews' correlation coefficient from counts `[..., 4]`.

    Definition: (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)). Range -1..1, 0 for chance;
    `nan` where labels or decisions are all the same (scikit-learn gives 0 there). Source: Matthews,
    Biochim. Biophys. Acta 1975.

    >>> round(float(matthews_correlation_of_decisions(np.array([3.0, 1.0, 1.0, 5.0]))), 4)
    0.5833
    """
    right, extra, missed, cleared = (counts[..., kind] for kind in range(4))
    product = (right + extra) * (right + missed) * (cleared + extra) * (cleared + missed)
    return divide_or_nan(right * cleared - extra * missed, np.sqrt(product))


def log_loss_of_rows(labels: npt.NDArray[np.bool_], probabilities: FloatArray) -> FloatArray:
    """Gives the binary cross-entropy of each row, `[N]`, in nats, the mean over its classes.

    Probabilities are kept 1e-7 away from 0 and 1, where the logarithm has no value.

    Args:
        labels: `[N, C]`.
        probabilities: `[N, C]` in 0..1.
    """
    stated = np.clip(np.where(labels, probabilities, 1 - probabilities), 1e-7, 1.0)
    mean: FloatArray = -np.log(stated).mean(-1)
    return mean
