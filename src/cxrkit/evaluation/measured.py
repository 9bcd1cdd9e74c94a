"""A metric's value with all that a report says beside it."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cxrkit.evaluation.definitions import DEFINITIONS
from cxrkit.metrics.statistics import (
    Bootstrap,
    IntArray,
    PatientResamples,
    PatientStatistic,
    patient_bootstrap,
)

MODEL = "model"
CONTROLS = ("blank_image", "shuffled_image", "question_only", "majority")
# Other sources of the model's scene graph.
SOURCES = ("oracle", "predicted", "anatomy", "none")
N_RESAMPLES = 1000
SEED = 0
# Below so many patients a figure is flagged: its interval says little.
FEW_PATIENTS = 30


@dataclass(frozen=True)
class Basis:
    """What a value was computed on.

    Attributes:
        head: whose answers; heads are never pooled.
        condition: the model or a control.
        n: number of questions or studies.
        n_patients: number of patients among them.
        finding: the one finding it is about, if any.
        region: the one region it is about, if any.
        stratum: by what the rows were told apart, such as `view`; None for all rows.
        group: which of them these are, such as `PA`.
    """

    head: str
    condition: str
    n: int
    n_patients: int
    finding: str | None = None
    region: str | None = None
    stratum: str | None = None
    group: str | None = None

    @classmethod
    def of_rows(cls, head: str, condition: str, patients: IntArray) -> "Basis":
        """Counts rows and patients.

        Args:
            head: whose answers.
            condition: the model or a control.
            patients: `[N]` patient of each row.
        """
        return cls(head, condition, len(patients), len(np.unique(patients)))

    def about_rows(self, patients: IntArray) -> "Basis":
        """Gives the same for fewer rows, `[N]` patients of which are given."""
        return replace(self, n=len(patients), n_patients=len(np.unique(patients)))


@dataclass(frozen=True)
class Measured:
    """One line of a report.

    Attributes:
        name: a key of `DEFINITIONS`.
        basis: what it was computed on.
        bootstrap: value and replicates.
        n_positive: positives among the rows, where that makes sense.
        n_classes: for a mean over classes, how many entered.
        undefined_reason: why there is no value; None when there is one.
        n_undefined: rows without a value, left out of `n`.
    """

    name: str
    basis: Basis
    bootstrap: Bootstrap
    n_positive: int | None = None
    n_classes: int | None = None
    undefined_reason: str | None = None
    n_undefined: int = 0

    def to_entry(self) -> dict[str, Any]:
        """Gives the line as JSON values."""
        interval = self.bootstrap.interval()
        return {
            "name": self.name,
            "definition_id": DEFINITIONS[self.name].definition_id,
            "head": self.basis.head,
            "condition": self.basis.condition,
            "finding": self.basis.finding,
            "region": self.basis.region,
            "stratum": self.basis.stratum,
            "group": self.basis.group,
            "value": json_number(self.bootstrap.value),
            "undefined_reason": self.undefined_reason,
            "interval": json_interval(interval),
            "interval_method": interval_method(len(self.bootstrap.replicates)),
            "n": self.basis.n,
            "n_undefined": self.n_undefined,
            "n_positive": self.n_positive,
            "n_classes": self.n_classes,
            "n_patients": self.basis.n_patients,
            "few_patients": self.basis.n_patients < FEW_PATIENTS,
        }


def measure(
    name: str,
    basis: Basis,
    statistic: PatientStatistic,
    resamples: PatientResamples,
    *,
    n_positive: int | None = None,
    n_classes: int | None = None,
    undefined_reason: str | None = None,
    n_undefined: int = 0,
) -> Measured:
    """Computes a metric with its replicates.

    Args:
        name: a key of `DEFINITIONS`.
        basis: what it is computed on.
        statistic: how it is computed.
        resamples: the resamples of patients shared by the whole report.
        n_positive: positives among the rows.
        n_classes: classes that enter a mean.
        undefined_reason: taken as the reason when there is no value, in place of the definition's.
        n_undefined: rows without a value, left out of the basis.
    """
    bootstrap = patient_bootstrap(statistic, resamples)
    reason = None
    if math.isnan(bootstrap.value):
        reason = undefined_reason or (
            DEFINITIONS[name].undefined_when if basis.n else "nothing to score in this split"
        )
    return Measured(name, basis, bootstrap, n_positive, n_classes, reason, n_undefined)


def without_value(name: str, basis: Basis, resamples: PatientResamples, reason: str) -> Measured:
    """Gives a line for a metric that makes no sense here, with the reason."""
    nothing = Bootstrap(math.nan, np.full(len(resamples.weights), math.nan))
    return Measured(name, basis, nothing, undefined_reason=reason)


def difference_entry(model: Measured, control: Measured) -> dict[str, Any]:
    """Gives model minus control with its paired interval, as JSON values."""
    difference = model.bootstrap.minus(control.bootstrap)
    return {
        "metric": model.name,
        "head": model.basis.head,
        "condition": model.basis.condition,
        "control": control.basis.condition,
        "value": json_number(difference.value),
        "undefined_reason": model.undefined_reason or control.undefined_reason,
        "interval": json_interval(difference.interval()),
        "interval_method": interval_method(len(difference.replicates)) + ", paired",
    }


def interval_method(n_resamples: int) -> str:
    """Says how intervals were computed."""
    return f"percentile bootstrap over patients, 95 %, {n_resamples} resamples, seed {SEED}"


def json_number(value: float) -> float | None:
    """Gives a number for JSON, None for `nan`; rounded so that the order of additions leaves no trace."""
    return None if math.isnan(value) else round(value, 10)


def json_interval(interval: tuple[float, float] | None) -> list[float] | None:
    """Gives an interval for JSON."""
    return None if interval is None else [round(end, 10) for end in interval]
