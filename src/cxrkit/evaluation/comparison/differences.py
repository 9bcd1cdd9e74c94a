"""One run against the first: difference, interval, tests, and what they say in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from cxrkit.evaluation.comparison.scored import RightRows, ScoredRun
from cxrkit.evaluation.definitions import DEFINITIONS
from cxrkit.evaluation.measured import Measured, json_interval, json_number
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.multiple_testing import bonferroni, holm
from cxrkit.metrics.paired import PairedTest, cohens_d, delong, mcnemar, paired_t
from cxrkit.metrics.statistics import Bootstrap
from cxrkit.reporting import format_number, format_signed

LOWER_IS_BETTER = frozenset({"log_loss", "calibration_error"})


@dataclass(frozen=True)
class Difference:
    """A figure of another run minus that of the first.

    Attributes:
        first: the first run's figure.
        other: the other run's.
        names: of both runs.
        bootstrap: of the difference, on the same resamples of patients.
        p_value: two-sided, of the paired patient bootstrap; `nan` when undefined.
        tests: further tests by name.
        effect: Cohen's d of the patients' means; None where it makes no sense.
        p_holm: adjusted over all differences of the comparison.
        p_bonferroni: likewise.
    """

    first: Measured
    other: Measured
    names: tuple[str, str]
    bootstrap: Bootstrap
    p_value: float
    tests: dict[str, PairedTest]
    effect: float | None
    p_holm: float = math.nan
    p_bonferroni: float = math.nan

    @property
    def key(self) -> tuple[str, str, str | None]:
        """Gives head, metric and finding."""
        return self.first.basis.head, self.first.name, self.first.basis.finding

    @property
    def title(self) -> str:
        """Gives the figure's name."""
        basis = self.first.basis
        about = f" of {basis.finding}" if basis.finding else ""
        return f"{basis.head.capitalize()}: {DEFINITIONS[self.first.name].title}{about}"

    @property
    def is_told_apart(self) -> bool:
        """Tells whether the interval leaves out 0 and the adjusted p value is below 0.05."""
        interval = self.bootstrap.interval()
        return (
            interval is not None
            and not interval[0] <= 0 <= interval[1]
            and not math.isnan(self.p_holm)
            and self.p_holm < 0.05
        )

    def in_words(self) -> str:
        """Says who is better, or that the two cannot be told apart on these patients."""
        first, other = self.names
        if math.isnan(self.bootstrap.value):
            reason = self.first.undefined_reason or self.other.undefined_reason
            return f"{first} and {other}: undefined ({reason})"
        if not self.is_told_apart:
            return f"{first} and {other} are not distinguishable"
        is_better = (self.bootstrap.value > 0) != (self.first.name in LOWER_IS_BETTER)
        return (
            f"{other} is {'better' if is_better else 'worse'} than {first} by {_size(self.bootstrap.value)}"
        )

    def to_entry(self) -> dict[str, Any]:
        """Gives the difference as JSON values."""
        basis = self.first.basis
        return {
            "head": basis.head,
            "metric": self.first.name,
            "definition_id": DEFINITIONS[self.first.name].definition_id,
            "finding": basis.finding,
            "first": self.names[0],
            "other": self.names[1],
            "value_first": json_number(self.first.bootstrap.value),
            "value_other": json_number(self.other.bootstrap.value),
            "difference": json_number(self.bootstrap.value),
            "interval": json_interval(self.bootstrap.interval()),
            "p_bootstrap": json_number(self.p_value),
            "p_holm": json_number(self.p_holm),
            "p_bonferroni": json_number(self.p_bonferroni),
            "tests": {
                name: {
                    "statistic": json_number(test.statistic),
                    "p_value": json_number(test.p_value),
                    "undefined_reason": test.undefined_reason,
                }
                for name, test in self.tests.items()
            },
            "cohens_d": None if self.effect is None else json_number(self.effect),
            "n": basis.n,
            "n_patients": basis.n_patients,
            "in_words": self.in_words(),
        }


def compare_runs(runs: Sequence[ScoredRun]) -> list[Difference]:
    """Gives every other run minus the first for every figure that both have, p values adjusted over all.

    Args:
        runs: the first is what the others are compared with.
    """
    first = runs[0]
    found = [
        _difference(key, first, other)
        for key in first.measured
        for other in runs[1:]
        if key in other.measured
    ]
    p_values = np.array([entry.p_value for entry in found], float)
    return [
        replace(entry, p_holm=float(by_holm), p_bonferroni=float(by_bonferroni))
        for entry, by_holm, by_bonferroni in zip(found, holm(p_values), bonferroni(p_values), strict=True)
    ]


def bootstrap_p_value(difference: Bootstrap) -> float:
    """Gives the two-sided p value of a paired bootstrap difference.

    Definition: of z = difference / standard deviation of its replicates, by the normal distribution. (A
    share of replicates beyond 0 could not fall below 1 / resamples, and no adjusted p value below 0.05 would
    be left with many comparisons.) 1 where the runs never differ; undefined (`nan`) where the difference
    has no value, no interval, or is the same in every resample. Source: Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        difference: on the same resamples.
    """
    if math.isnan(difference.value) or difference.interval() is None:
        return math.nan
    error = float(np.nanstd(difference.replicates, ddof=1))
    if error < 1e-12:
        return 1.0 if abs(difference.value) < 1e-12 else math.nan
    return float(2 * stats.norm.sf(abs(difference.value) / error))


def _difference(key: tuple[str, str, str | None], first: ScoredRun, other: ScoredRun) -> Difference:
    mine, theirs = first.measured[key], other.measured[key]
    bootstrap = theirs.bootstrap.minus(mine.bootstrap)
    tests: dict[str, PairedTest] = {}
    effect = None
    rows = key[:2]
    if rows in first.right and rows in other.right:
        own, others = first.right[rows], other.right[rows]
        means = _patient_means(others), _patient_means(own)
        tests = {"mcnemar": mcnemar(others.right, own.right), "paired_t": paired_t(*means)}
        effect = cohens_d(*means)
    if key in first.ranked and key in other.ranked:
        scores = first.ranked[key]
        tests["delong"] = delong(scores.labels, other.ranked[key].scores, scores.scores)
    names = (first.name, other.name)
    return Difference(mine, theirs, names, bootstrap, bootstrap_p_value(bootstrap), tests, effect)


def _patient_means(rows: RightRows) -> FloatArray:
    _, place = np.unique(rows.patients, return_inverse=True)
    means: FloatArray = np.bincount(place, rows.right) / np.bincount(place)
    return means


def _size(value: float) -> str:
    return format_signed(value) if abs(value) >= 0.001 else format_number(value)
