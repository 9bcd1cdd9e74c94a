"""How far stated probabilities can be believed, and what abstaining would gain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.evaluation.head_rows import HeadRows
from cxrkit.evaluation.measured import MODEL, Basis, Measured, measure, without_value
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.metrics.abstention import weighted_risk_area
from cxrkit.metrics.calibration import (
    adaptive_sums_of_rows,
    brier_of_rows,
    calibration_error_of_sums,
    calibration_sums_of_rows,
    mass_edges,
)
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.statistics import IntArray, PatientResamples, RankStatistic, SumStatistic
from cxrkit.metrics.temperature import scale_distributions, scale_probabilities
from cxrkit.models.calibration import ModelCalibration
from cxrkit.vocabulary import CLASSES_OF_HEAD, MULTI_LABEL_HEADS, Head

BoolArray = npt.NDArray[np.bool_]
NO_TEMPERATURE = "the model has no fitted temperature"


def saved_calibration(metadata: Mapping[str, Any]) -> ModelCalibration | None:
    """Gives the calibration that a prediction table carries; None where the model had none.

    Raises:
        ArtifactError: it cannot be read.
    """
    content = metadata.get("calibration")
    return None if content is None else ModelCalibration.from_json(content)


def measure_probabilities(
    labels: BoolArray,
    probabilities: FloatArray,
    patients: IntArray,
    basis: Basis,
    resamples: PatientResamples,
) -> list[Measured]:
    """Computes calibration error (bins of equal width and of equal mass) and Brier score.

    Args:
        labels: `[N, C]`.
        probabilities: `[N, C]`.
        patients: `[N]` subject ids.
        basis: what they are.
        resamples: of the patients of the whole report.
    """
    adaptive = adaptive_sums_of_rows(labels, probabilities, mass_edges(probabilities))
    brier = mean_of_rows(brier_of_rows(labels, probabilities), patients, resamples)
    return [
        _error(
            "calibration_error", calibration_sums_of_rows(labels, probabilities), patients, basis, resamples
        ),
        _error("adaptive_calibration_error", adaptive, patients, basis, resamples),
        measure("brier_score", basis, brier, resamples),
    ]


def measure_after_temperature(
    labels: BoolArray,
    scaled: FloatArray | None,
    patients: IntArray,
    basis: Basis,
    resamples: PatientResamples,
) -> Measured:
    """Computes the calibration error of probabilities scaled by the temperature saved with the model.

    Args:
        labels: `[N, C]`.
        scaled: `[N, C]`; None where there is no temperature.
        patients: `[N]`.
        basis: what they are.
        resamples: of the patients of the whole report.
    """
    name = "calibration_error_after_temperature"
    if scaled is None:
        return without_value(name, basis, resamples, NO_TEMPERATURE)
    return _error(name, calibration_sums_of_rows(labels, scaled), patients, basis, resamples)


def measure_confidence(
    rows: HeadRows, basis: Basis, resamples: PatientResamples, calibration: ModelCalibration | None
) -> list[Measured]:
    """Computes what the probabilities of an answer head are worth.

    Args:
        rows: the questions of one head under one condition.
        basis: what they are.
        resamples: of the patients of the whole report.
        calibration: saved with the model; it belongs to the condition `model` alone.
    """
    wrong = (rows.reference != rows.predicted).any(1)
    sure = answer_confidence(rows.head, rows.predicted, rows.probabilities)
    risk = RankStatistic.of_rows(wrong, sure, rows.patients, resamples, weighted_risk_area)
    measured = [
        *measure_probabilities(rows.reference, rows.probabilities, rows.patients, basis, resamples),
        measure("risk_coverage_area", basis, risk, resamples),
    ]
    if rows.condition == MODEL and len(wrong):
        scaled = _scaled(rows, calibration)
        measured.append(measure_after_temperature(rows.reference, scaled, rows.patients, basis, resamples))
    return measured


def answer_confidence(head: Head, predicted: BoolArray, probabilities: FloatArray) -> FloatArray:
    """Gives how sure each answer is, `[N]`: the probability of the class, or of every member and non-member.

    For sets it is the product over the classes of p for those in the set and 1 - p for the others.

    Args:
        head: whose answers.
        predicted: `[N, C]` sets of classes.
        probabilities: `[N, C]`.
    """
    if head in MULTI_LABEL_HEADS:
        stated = np.where(predicted, probabilities, 1 - probabilities)
        sure: FloatArray = np.exp(np.log(np.clip(stated, 1e-12, 1.0)).sum(1))
        return np.round(sure, 9)
    taken: FloatArray = np.where(predicted, probabilities, 0.0).sum(1)
    return taken


def _scaled(rows: HeadRows, calibration: ModelCalibration | None) -> FloatArray | None:
    if calibration is None or rows.head.value not in calibration.heads:
        return None
    if rows.head not in MULTI_LABEL_HEADS:
        temperature = calibration.head_temperatures.get(rows.head.value)
        return None if temperature is None else scale_distributions(rows.probabilities, temperature)
    classes = calibration.heads[rows.head.value]
    # A class that never, or always, occurred in validation stays as it is.
    temperatures = np.array([classes[name].temperature or 1.0 for name in CLASSES_OF_HEAD[rows.head]])
    return scale_probabilities_by_class(rows.probabilities, temperatures)


def scale_probabilities_by_class(probabilities: FloatArray, temperatures: FloatArray) -> FloatArray:
    """Scales each class `[N, C]` by its own temperature `[C]`."""
    columns = [
        scale_probabilities(probabilities[:, place], float(value)) for place, value in enumerate(temperatures)
    ]
    return np.stack(columns, axis=1)


def _error(
    name: str, sums: FloatArray, patients: IntArray, basis: Basis, resamples: PatientResamples
) -> Measured:
    statistic = SumStatistic.of_rows(sums, patients, resamples, calibration_error_of_sums)
    return measure(name, basis, statistic, resamples)
