"""Figures of 14-label predictions: per finding, and means over findings."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from cxrkit.evaluation.confidence_metrics import measure_after_temperature, measure_probabilities
from cxrkit.evaluation.definitions import CLASSIFIER, GROUP_METRICS, MIN_POSITIVE_STUDIES
from cxrkit.evaluation.head_metrics import mean_over_classes
from cxrkit.evaluation.measured import MODEL, Basis, Measured, measure, without_value
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.ranking import weighted_auroc, weighted_average_precision
from cxrkit.metrics.statistics import MeanStatistic, PatientResamples, RankStatistic, SumStatistic
from cxrkit.metrics.temperature import scale_probabilities
from cxrkit.metrics.thresholds import (
    decision_counts_of_rows,
    f1_of_decisions,
    log_loss_of_rows,
    matthews_correlation_of_decisions,
    negative_predictive_value_of_decisions,
    positive_predictive_value_of_decisions,
    sensitivity_of_decisions,
    specificity_of_decisions,
)
from cxrkit.vocabulary import FINDINGS

DECISIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "f1_at_validation_threshold": f1_of_decisions,
    "sensitivity": sensitivity_of_decisions,
    "specificity": specificity_of_decisions,
    "positive_predictive_value": positive_predictive_value_of_decisions,
    "negative_predictive_value": negative_predictive_value_of_decisions,
    "matthews_correlation": matthews_correlation_of_decisions,
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
        temperatures: `[14]` saved with the model, NaN for a finding without; None without any.
    """

    head: str
    condition: str
    patients: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]
    probabilities: FloatArray
    thresholds: FloatArray
    temperatures: FloatArray | None = None

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """Decisions `[N, 14]`; nothing is flagged where there is no threshold."""
        decisions: npt.NDArray[np.bool_] = self.probabilities >= self.thresholds
        return decisions

    def chosen(self, rows: npt.NDArray[np.bool_]) -> "StudyRows":
        """Gives some of the studies, `[N]` True for those."""
        return replace(
            self,
            patients=self.patients[rows],
            labels=self.labels[rows],
            probabilities=self.probabilities[rows],
        )


def measure_findings(rows: StudyRows, resamples: PatientResamples) -> list[Measured]:
    """Computes every figure of one condition.

    Args:
        rows: the studies.
        resamples: of the patients of the whole report.
    """
    basis = Basis.of_rows(rows.head, rows.condition, rows.patients)
    measured = [
        *_ranking_means(rows, basis, resamples),
        *_micro_ranking(rows, basis, resamples),
        *_other_means(rows, basis, resamples),
        *_decision_means(rows, basis, resamples),
        *measure_probabilities(rows.labels, rows.probabilities, rows.patients, basis, resamples),
    ]
    for place in range(len(FINDINGS)):
        about = replace(basis, finding=FINDINGS[place])
        measured += _ranking(rows, about, place, resamples)
        measured += _decisions(rows, about, place, resamples)
    return measured


def measure_shown_findings(rows: StudyRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    """Computes the short list of figures that is shown for parts of the studies.

    Args:
        rows: some studies under one condition.
        basis: what they are.
        resamples: of the patients of the whole report.
    """
    return [
        entry for entry in _ranking_means(rows, basis, resamples) if entry.name in GROUP_METRICS[CLASSIFIER]
    ]


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


def _micro_ranking(rows: StudyRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    """Ranks all pairs of study and finding together."""
    labels, scores = rows.labels.ravel(), rows.probabilities.ravel()
    patients = np.repeat(rows.patients, len(FINDINGS))
    ranking = {
        "micro_auroc_of_findings": weighted_auroc,
        "micro_average_precision_of_findings": weighted_average_precision,
    }
    return [
        measure(name, basis, RankStatistic.of_rows(labels, scores, patients, resamples, metric), resamples)
        for name, metric in ranking.items()
    ]


def _decision_means(rows: StudyRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    """Gives each decision figure as the mean over findings, and from the counts of all together."""
    decided = np.flatnonzero(~np.isnan(rows.thresholds)).tolist()
    measured = []
    for name, metric in DECISIONS.items():
        parts = tuple(_decided(rows, place, metric, resamples) for place in decided)
        pooled = SumStatistic(
            sum((part.sums for part in parts), np.zeros((len(resamples.patients), 4))), metric
        )
        measured += [
            measure(f"macro_{name}", basis, MeanStatistic(parts), resamples, n_classes=len(parts)),
            measure(f"micro_{name}", basis, pooled, resamples, n_classes=len(parts)),
        ]
    return measured


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
    return [
        *(
            told(name, statistic=RankStatistic.of_rows(labels, scores, rows.patients, resamples, metric))
            for name, metric in ranking.items()
        ),
        *measure_probabilities(labels[:, None], scores[:, None], rows.patients, about, resamples),
        *_after_temperature(rows, about, place, resamples),
    ]


def _after_temperature(
    rows: StudyRows, about: Basis, place: int, resamples: PatientResamples
) -> list[Measured]:
    if rows.condition != MODEL or rows.head != CLASSIFIER:
        return []
    temperature = math.nan if rows.temperatures is None else float(rows.temperatures[place])
    column = rows.probabilities[:, [place]]
    scaled = None if math.isnan(temperature) else scale_probabilities(column, temperature)
    labels = rows.labels[:, [place]]
    return [measure_after_temperature(labels, scaled, rows.patients, about, resamples)]


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
