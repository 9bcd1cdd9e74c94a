"""Answering only when sure: risk against coverage."""

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray, divide_or_nan
from cxrkit.metrics.ranking import RankedRows, rank_rows
from cxrkit.metrics.ranking_loop import risk_sums

BoolArray = npt.NDArray[np.bool_]


def weighted_risk_area(
    ranked: RankedRows, positions: npt.NDArray[np.int64], weights: FloatArray
) -> FloatArray:
    """Gives the area under the risk-coverage curve (AURC) of weighted rows.

    Definition: the mean over rows of the share of wrong answers among those with at least the row's
    confidence; equal confidences are answered together. Range 0..1, 0 is best; confidences that say nothing
    give the error rate. `nan` without rows. Source: Geifman et al., ICLR 2019.

    Args:
        ranked: from `rank_rows(wrong, confidence)`.
        positions: `[N]` column of `weights` of each row, **in ranked order**.
        weights: `[R, P]`.

    Returns:
        `[R]`.
    """
    sums, _, answered = risk_sums(ranked.positive, positions, ranked.starts, weights)
    return divide_or_nan(sums, answered)


def risk_coverage_points(wrong: BoolArray, confidence: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gives coverage and error rate when only answers of at least each confidence are given.

    Args:
        wrong: `[N]` whether an answer is wrong.
        confidence: `[N]` finite.

    Returns:
        Two arrays `[different confidences]`, from the surest down.

    >>> [values.tolist() for values in risk_coverage_points(np.array([False, True]), np.array([0.9, 0.6]))]
    [[0.5, 1.0], [0.0, 0.5]]
    """
    ranked = rank_rows(wrong, confidence)
    ends = np.r_[ranked.starts[1:], len(wrong)].astype(float)[: len(ranked.starts)]
    missed = np.cumsum(ranked.positive)[ends.astype(np.int64) - 1] if len(ends) else np.zeros(0)
    return divide_or_nan(ends, len(wrong)), divide_or_nan(missed, ends)


def error_at_coverage(wrong: BoolArray, confidence: FloatArray, coverage: float) -> float:
    """Gives the error rate among the surest answers that make up at least a share of all; `nan` without rows.

    Args:
        wrong: `[N]`.
        confidence: `[N]`.
        coverage: share of the answers that are given, in 0..1.

    >>> error_at_coverage(np.array([False, True]), np.array([0.9, 0.6]), 0.5)
    0.0
    """
    shares, risks = risk_coverage_points(wrong, confidence)
    enough = np.flatnonzero(shares >= coverage - 1e-12)
    return float(risks[enough[0]]) if len(enough) else float("nan")
