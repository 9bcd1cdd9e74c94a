"""Tests of two methods on the same rows.

Only the patient bootstrap (`metrics.statistics`) allows for rows of one patient that resemble each other;
McNemar's and DeLong's tests take rows as independent, which makes their p values too small where patients
have several rows. The t test and Cohen's d take one value per patient.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from cxrkit.metrics.counts import FloatArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PairedTest:
    """The outcome of a test.

    Attributes:
        statistic: of the test; `nan` when undefined.
        p_value: two-sided, 0..1; `nan` when undefined.
        undefined_reason: why there is none; None when there is.
    """

    statistic: float
    p_value: float
    undefined_reason: str | None = None


def _undefined(reason: str) -> PairedTest:
    return PairedTest(math.nan, math.nan, reason)


def mcnemar(first: BoolArray, second: BoolArray, *, exact: bool | None = None) -> PairedTest:
    """Tests whether two methods are right equally often.

    Definition: of the rows that just one of the two has right, the share of the first is compared with one
    half; exactly (binomial) or by chi-square with continuity correction. No such row: p = 1.
    Source: McNemar, Psychometrika 1947; equals `statsmodels.stats.contingency_tables.mcnemar`.

    Args:
        first: `[N]` whether the first method is right.
        second: `[N]` likewise.
        exact: True for the binomial test, False for chi-square; None takes the binomial test below 25
            rows that differ.

    >>> mcnemar(np.array([True, True, True, False]), np.array([False, False, False, False])).p_value
    0.25
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differing = only_first + only_second
    if len(first) == 0:
        return _undefined("no rows")
    if exact is None:
        exact = differing < 25
    if exact:
        smaller = min(only_first, only_second)
        p_value = 1.0 if differing == 0 else min(1.0, 2 * float(stats.binom.cdf(smaller, differing, 0.5)))
        return PairedTest(float(smaller), p_value)
    if differing == 0:
        return PairedTest(0.0, 1.0)
    statistic = (abs(only_first - only_second) - 1) ** 2 / differing
    return PairedTest(statistic, float(stats.chi2.sf(statistic, 1)))


def delong(labels: BoolArray, first: FloatArray, second: FloatArray) -> PairedTest:
    """Tests whether two scores of the same rows have the same AUROC.

    Definition: z = difference of the AUROCs divided by its standard error from the structural components;
    two-sided normal p value. Undefined with fewer than two positives or negatives; equal components give
    z = 0, p = 1. Source: DeLong, DeLong and Clarke-Pearson, Biometrics 1988, by mid-ranks as in Sun and Xu,
    IEEE Signal Processing Letters 2014.

    Args:
        labels: `[N]` truth.
        first: `[N]` scores of the first method.
        second: `[N]` scores of the second.
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if min(positives, negatives) < 2:
        return _undefined(f"{positives} positive and {negatives} negative rows; two of each are needed")
    of_positives, of_negatives = zip(
        *(_components(labels, scores) for scores in (first, second)), strict=True
    )
    difference = float(of_positives[0].mean() - of_positives[1].mean())
    variance = float(
        (of_positives[0] - of_positives[1]).var(ddof=1) / positives
        + (of_negatives[0] - of_negatives[1]).var(ddof=1) / negatives
    )
    # What is left of equal scores is rounding.
    if variance < 1e-24:
        return (
            PairedTest(0.0, 1.0) if abs(difference) < 1e-12 else _undefined("the difference has no variance")
        )
    z = difference / math.sqrt(variance)
    return PairedTest(z, float(2 * stats.norm.sf(abs(z))))


def _components(labels: BoolArray, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gives each positive's share of negatives below it, and each negative's share of positives above."""
    positive, negative = scores[labels], scores[~labels]
    among_all = stats.rankdata(np.concatenate([positive, negative]))
    below = (among_all[: len(positive)] - stats.rankdata(positive)) / len(negative)
    above = 1 - (among_all[len(positive) :] - stats.rankdata(negative)) / len(positive)
    return below, above


def paired_t(first: FloatArray, second: FloatArray) -> PairedTest:
    """Tests whether the mean difference of paired values is zero (Student's t).

    Undefined with fewer than two pairs, and where all differences are the same but not zero; all zero gives
    t = 0, p = 1. Equals `scipy.stats.ttest_rel`.

    Args:
        first: `[P]` one value per patient.
        second: `[P]` of the same patients.
    """
    differences = first - second
    if len(differences) < 2:
        return _undefined(f"{len(differences)} patients; two are needed")
    deviation = float(differences.std(ddof=1))
    if _is_constant(differences, deviation):
        if not differences.any():
            return PairedTest(0.0, 1.0)
        return _undefined("all patients have the same difference")
    statistic = float(differences.mean()) / (deviation / math.sqrt(len(differences)))
    return PairedTest(statistic, float(2 * stats.t.sf(abs(statistic), len(differences) - 1)))


def cohens_d(first: FloatArray, second: FloatArray) -> float:
    """Gives the mean difference in standard deviations of the differences (Cohen's d_z); `nan` if undefined.

    Range: all numbers; 0.2 is called small, 0.5 medium, 0.8 large. 0 where no pair differs; undefined with
    fewer than two pairs or without variance. Source: Cohen 1988; Lakens, Front. Psychol. 2013.

    Args:
        first: `[P]` one value per patient.
        second: `[P]` of the same patients.

    >>> cohens_d(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0]))
    2.309401076758503
    """
    differences = first - second
    if len(differences) < 2:
        return math.nan
    deviation = float(differences.std(ddof=1))
    if _is_constant(differences, deviation):
        return 0.0 if not differences.any() else math.nan
    return float(differences.mean()) / deviation


def _is_constant(differences: FloatArray, deviation: float) -> bool:
    """Tells whether all differences are equal but for rounding."""
    return deviation <= 1e-12 * float(np.abs(differences).max())
