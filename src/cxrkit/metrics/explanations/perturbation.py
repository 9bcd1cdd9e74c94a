"""What an answer loses when parts of its input are taken away."""

import numpy as np

from cxrkit.metrics.counts import FloatArray


def curve_area(shares: FloatArray, values: FloatArray) -> FloatArray:
    """Gives the area under curves of the answer's probability, by the trapezoid rule.

    Definition: for deletion, shares of the patches removed, the most attended first, and a small area says
    that these carried the answer; for insertion, shares shown on an empty film, and a large area does.
    Range 0..1 for curves over 0..1. Source: Petsiuk et al., "RISE", BMVC 2018.

    Args:
        shares: `[K]` ascending from 0 to 1.
        values: `[Q, K]` probabilities.

    Returns:
        `[Q]`.

    >>> curve_area(np.array([0.0, 0.5, 1.0]), np.array([[1.0, 0.5, 0.0]])).tolist()
    [0.5]
    """
    middle = (values[:, 1:] + values[:, :-1]) / 2
    area: FloatArray = (middle * np.diff(shares)).sum(1)
    return area
