"""The metrics of one head under one condition."""

import numpy as np

from cxrkit.evaluation.confidence_metrics import measure_confidence
from cxrkit.evaluation.definitions import GROUP_METRICS
from cxrkit.evaluation.head_rows import HeadRows
from cxrkit.evaluation.measured import Basis, Measured, measure
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.evaluation.text_metrics import measure_texts
from cxrkit.metrics import counts
from cxrkit.metrics.classification import jaccard_of_rows
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.ranking import weighted_auroc, weighted_average_precision
from cxrkit.metrics.statistics import (
    BoolArray,
    IntArray,
    MeanStatistic,
    PatientResamples,
    RankMetric,
    RankStatistic,
    SumStatistic,
)
from cxrkit.models.calibration import ModelCalibration
from cxrkit.vocabulary import MULTI_LABEL_HEADS, NO_FINDING, Head


def measure_head(
    rows: HeadRows, resamples: PatientResamples, calibration: ModelCalibration | None = None
) -> list[Measured]:
    """Computes every metric of a head.

    Args:
        rows: the questions of one head under one condition.
        resamples: of the patients of the whole report.
        calibration: saved with the model.
    """
    basis = Basis.of_rows(rows.head, rows.condition, rows.patients)
    if rows.head in MULTI_LABEL_HEADS:
        answers = [*_set_metrics(rows, basis, resamples), *_class_ranking(rows, basis, resamples)]
    else:
        answers = _single_label_metrics(rows, basis, resamples)
    if rows.head is Head.BINARY:
        answers.append(_binary_auroc(rows, basis, resamples))
    if rows.head is Head.SEVERITY:
        answers += _class_ranking(rows, basis, resamples)
    answers += measure_confidence(rows, basis, resamples, calibration)
    return [*answers, *measure_texts(rows.texts, rows.patients, basis, resamples)]


def measure_shown(rows: HeadRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    """Computes the short list of metrics that is shown for parts of a head's questions.

    Args:
        rows: some questions of one head under one condition.
        basis: what they are.
        resamples: of the patients of the whole report.
    """
    metrics = _set_metrics if rows.head in MULTI_LABEL_HEADS else _single_label_metrics
    return [entry for entry in metrics(rows, basis, resamples) if entry.name in GROUP_METRICS[rows.head]]


def mean_over_classes(
    labels: BoolArray, scores: FloatArray, patients: IntArray, resamples: PatientResamples, metric: RankMetric
) -> MeanStatistic:
    """Gives the mean of a ranking metric over the classes where it is defined on the data.

    Args:
        labels: `[N, C]`.
        scores: `[N, C]`.
        patients: `[N]` subject ids.
        resamples: of the patients of the whole report.
        metric: AUROC (needs both values) or average precision (needs a positive).
    """
    positives = labels.sum(0)
    defined = positives > 0
    if metric is weighted_auroc:
        defined &= positives < len(labels)
    parts = [
        RankStatistic.of_rows(labels[:, index], scores[:, index], patients, resamples, metric)
        for index in np.flatnonzero(defined)
    ]
    return MeanStatistic(tuple(parts))


def _single_label_metrics(rows: HeadRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    num_classes = rows.reference.shape[1]
    confusion = counts.confusion_of_rows(rows.reference.argmax(1), rows.predicted.argmax(1), num_classes)
    present = int(rows.reference.any(0).sum())
    positives = int(rows.reference[:, 1].sum()) if rows.head is Head.BINARY else None
    metrics = {
        "accuracy": (counts.accuracy_of_confusion, None),
        "balanced_accuracy": (counts.balanced_accuracy_of_confusion, present),
        "macro_f1": (counts.macro_f1_of_confusion, present),
    }
    return [
        measure(
            name,
            basis,
            SumStatistic.of_rows(confusion, rows.patients, resamples, metric),
            resamples,
            n_positive=positives,
            n_classes=n_classes,
        )
        for name, (metric, n_classes) in metrics.items()
    ]


def _binary_auroc(rows: HeadRows, basis: Basis, resamples: PatientResamples) -> Measured:
    labels = rows.reference[:, 1]
    statistic = RankStatistic.of_rows(
        labels, rows.probabilities[:, 1], rows.patients, resamples, weighted_auroc
    )
    return measure("auroc", basis, statistic, resamples, n_positive=int(labels.sum()))


def _set_metrics(rows: HeadRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    equal = (rows.reference == rows.predicted).all(1).astype(float)
    both_empty = ~rows.reference.any(1) & ~rows.predicted.any(1)
    shares = ((rows.reference & rows.predicted).any(1) | both_empty).astype(float)
    overlap = jaccard_of_rows(rows.reference, rows.predicted)
    set_counts = counts.set_counts_of_rows(rows.reference, rows.predicted)
    micro = SumStatistic.of_rows(set_counts, rows.patients, resamples, counts.micro_f1_of_sets)
    macro = SumStatistic(micro.sums, counts.macro_f1_of_sets)
    present = int(rows.reference.any(0).sum())
    measured = [
        measure("exact_set_match", basis, mean_of_rows(equal, rows.patients, resamples), resamples),
        measure("any_match", basis, mean_of_rows(shares, rows.patients, resamples), resamples),
        measure("jaccard", basis, mean_of_rows(overlap, rows.patients, resamples), resamples),
        measure("micro_f1_over_sets", basis, micro, resamples),
        measure("macro_f1_over_sets", basis, macro, resamples, n_classes=present),
    ]
    if rows.head is Head.CATEGORY:
        abnormal = np.delete(set_counts, NO_FINDING, axis=-1)
        findings = SumStatistic.of_rows(abnormal, rows.patients, resamples, counts.micro_f1_of_sets)
        measured.append(measure("micro_f1_over_findings", basis, findings, resamples))
    return measured


def _class_ranking(rows: HeadRows, basis: Basis, resamples: PatientResamples) -> list[Measured]:
    metrics = {
        "macro_auroc": weighted_auroc,
        "mean_average_precision_over_classes": weighted_average_precision,
    }
    measured = []
    for name, metric in metrics.items():
        mean = mean_over_classes(rows.reference, rows.probabilities, rows.patients, resamples, metric)
        measured.append(measure(name, basis, mean, resamples, n_classes=len(mean.parts)))
    return [*measured, _micro_auroc(rows, basis, resamples)]


def _micro_auroc(rows: HeadRows, basis: Basis, resamples: PatientResamples) -> Measured:
    """Ranks all pairs of question and class together."""
    classes = rows.reference.shape[1]
    statistic = RankStatistic.of_rows(
        rows.reference.ravel(),
        rows.probabilities.ravel(),
        np.repeat(rows.patients, classes),
        resamples,
        weighted_auroc,
    )
    return measure("micro_auroc", basis, statistic, resamples, n_classes=classes)
