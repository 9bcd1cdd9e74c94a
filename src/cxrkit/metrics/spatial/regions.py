"""Sets of regions that boxes or nodes name."""

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan

SEVERAL = 2


def multi_region_f1(reference: npt.NDArray[np.bool_], named: npt.NDArray[np.bool_]) -> FloatArray:
    """Gives the F1 between named and supporting regions of each question with two or more of the latter.

    Definition: 2 |intersection| / (|named| + |supporting|). Range 0..1; `nan` for a question with fewer than
    two supporting regions, where a set says no more than one box.

    Args:
        reference: `[N, C]` the supporting regions.
        named: `[N, C]`.

    Returns:
        `[N]`.

    >>> multi_region_f1(np.array([[True, True], [True, False]]), np.array([[True, False], [True, False]]))
    array([0.66666667,        nan])
    """
    several = reference.sum(1) >= SEVERAL
    f1 = divide_or_nan(2 * (reference & named).sum(1), reference.sum(1) + named.sum(1))
    return np.where(several, f1, np.nan)
