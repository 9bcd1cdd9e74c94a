"""P values of several tests at once: Bonferroni and Holm."""

import numpy as np

from cxrkit.metrics.counts import FloatArray


def bonferroni(p_values: FloatArray) -> FloatArray:
    """Gives p values times their number, at most 1; `nan` is no test and stays `nan`.

    Args:
        p_values: `[K]` in 0..1 or `nan`.

    >>> bonferroni(np.array([0.01, 0.5, np.nan])).tolist()
    [0.02, 1.0, nan]
    """
    tests = int((~np.isnan(p_values)).sum())
    adjusted: FloatArray = np.minimum(p_values * tests, 1.0)
    return adjusted


def holm(p_values: FloatArray) -> FloatArray:
    """Gives Holm's step-down adjusted p values; `nan` is no test and stays `nan`.

    Definition: the k-th smallest of K is multiplied by K - k + 1, and none is below a smaller one's; at
    most 1. Never above Bonferroni's. Source: Holm, Scand. J. Stat. 1979; equals
    `statsmodels.stats.multitest.multipletests(method="holm")`.

    Args:
        p_values: `[K]` in 0..1 or `nan`.

    >>> holm(np.array([0.03, 0.01, 0.04])).tolist()
    [0.06, 0.03, 0.06]
    """
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1.0)
    return adjusted
