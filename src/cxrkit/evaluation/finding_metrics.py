"""Figures of 14-label predictions: per finding, and means over findings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from cxrkit.evaluation.definitions import MIN_POSITIVE_STUDIES
from cxrkit.evaluation.head_metrics import mean_of_rows, mean_over_classes
from cxrkit.evaluation.measured import Basis, Measured, measure, without_value
from cxrkit.metrics.calibration import calibration_error_of_sums, calibration_sums_of_rows
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.ranking import weighted_auroc, weighted_average_precision
from cxrkit.metrics.statistics import MeanStatistic, PatientResamples, RankStatistic, SumStatistic
from cxrkit.metrics.thresholds import (
    decision_counts_of_rows,
    f1_of_decisions,
    log_loss_of_rows,
    sensitivity_of_decisions,
    specificity_of_decisions,
)
from cxrkit.vocabulary import FINDINGS

DECISIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "f1_at_validation_threshold": f1_of_decisions,
    "sensitivity": sensitivity_of_decisions,
    "specificity": specificity_of_decisions,
}


@dataclass(frozen=True)
class StudyRows:
    """Studies scored under one condition.

    Attributes:
        head: against whose labels.
        condition: the model or a control.
        patients: `[N]` subject ids.
        labels: `[N, 14]`; True where the label is 1, False where it is 0, -1 or blank.
        probabilities: `[N, 14]`.
        thresholds: `[14]` of the validation split under this condition; NaN for a finding without.
    """

    head: str
    condition: str
    patients: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]
    probabilities: FloatArray
    thresholds: FloatArray

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """Decisions `[N, 14]`; nothing is flagged where there is no threshold."""
        decisions: npt.NDArray[np.bool_] = self.probabilities >= self.thresholds
        return decisions


def measure_findings(rows: StudyRows, resamples: PatientResamples) -> list[Measured]:
    """Computes every figure of one condition.

    Args:
        rows: the studies.
        resamples: of the patients of the whole report.
    """
    basis = Basis.of_rows(rows.head, rows.condition, rows.patients)
    measured = [*_ranking_means(rows, basis, resamples), *_other_means(rows, basis, resamples)]
    for place in range(len(FINDINGS)):
        about = replace(basis, finding=FINDINGS[place])
        measured += _ranking(rows, about, place, resamples)
        measured += _decisions(rows, about, place, resamples)
    return measured


def _ranking_means(rows: StudyRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    frequent, every = rows.labels.sum(0) >= MIN_POSITIVE_STUDIES, np.ones(len(FINDINGS), bool)
    means = {
        "mean_auroc_of_frequent_findings": (frequent, weighted_auroc),
        "mean_auroc_of_defined_findings": (every, weighted_auroc),
        "mean_average_precision_of_defined_findings": (every, weighted_average_precision),
    }
    measured = []
    for name, (chosen, metric) in means.items():
        mean = mean_over_classes(
            rows.labels[:, chosen], rows.probabilities[:, chosen], rows.patients, resamples, metric
        )
        measured.append(measure(name, basis, mean, resamples, n_classes=len(mean.parts)))
    return measured


def _other_means(rows: StudyRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    decided = np.flatnonzero(~np.isnan(rows.thresholds) & rows.labels.any(0)).tolist()
    f1 = MeanStatistic(tuple(_decided(rows, place, f1_of_decisions, resamples) for place in decided))
    loss = mean_of_rows(log_loss_of_rows(rows.labels, rows.probabilities), rows.patients, resamples)
    return [
        measure("mean_f1_at_validation_thresholds", basis, f1, resamples, n_classes=len(decided)),
        measure("log_loss", basis, loss, resamples),
    ]


def _ranking(rows: StudyRows, about: Basis, place: int, resamples: PatientResamples) -> list[Measured]:
    labels, scores = rows.labels[:, place], rows.probabilities[:, place]
    told = partial(
        measure,
        basis=about,
        resamples=resamples,
        n_positive=int(labels.sum()),
        undefined_reason=f"{int(labels.sum())} of {len(labels)} studies are positive",
    )
    ranking = {"auroc": weighted_auroc, "average_precision": weighted_average_precision}
    calibration = SumStatistic.of_rows(
        calibration_sums_of_rows(labels[:, None], scores[:, None]),
        rows.patients,
        resamples,
        calibration_error_of_sums,
    )
    return [
        *(
            told(name, statistic=RankStatistic.of_rows(labels, scores, rows.patients, resamples, metric))
            for name, metric in ranking.items()
        ),
        told("calibration_error", statistic=calibration),
    ]


def _decisions(rows: StudyRows, about: Basis, place: int, resamples: PatientResamples) -> list[Measured]:
    if np.isnan(rows.thresholds[place]):
        reason = "no threshold: no positive study in the validation split"
        return [without_value(name, about, resamples, reason) for name in DECISIONS]
    positives = int(rows.labels[:, place].sum())
    return [
        measure(name, about, _decided(rows, place, metric, resamples), resamples, n_positive=positives)
        for name, metric in DECISIONS.items()
    ]


def _decided(
    rows: StudyRows, place: int, metric: Callable[[FloatArray], FloatArray], resamples: PatientResamples
) -> SumStatistic:
    counts = decision_counts_of_rows(rows.labels[:, place], rows.flagged[:, place])
    return SumStatistic.of_rows(counts, rows.patients, resamples, metric)
