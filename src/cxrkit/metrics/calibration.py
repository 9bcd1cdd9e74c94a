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
    rows = np.repeat(np.arange(len(labels)), labels.shape[1])
    stated = probabilities.ravel().astype(float)
    bins = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    sums = np.zeros((len(labels), BINS, 3))
    for column, values in enumerate((np.ones_like(stated), stated, labels.ravel().astype(float))):
        np.add.at(sums[:, :, column], (rows, bins), values)
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
