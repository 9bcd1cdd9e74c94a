"""The metrics of explanations: attention, deletion and insertion of patches, ablation of nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from cxrkit.evaluation.definitions import EXPLANATION, EXPLANATION_CONTROLS
from cxrkit.evaluation.explanation_rows import AttentionRows, PerturbationRows
from cxrkit.evaluation.grounding_metrics import mean_of_defined_rows
from cxrkit.evaluation.measured import MODEL, Basis, Measured, difference_entry
from cxrkit.metrics.counts import FloatArray, divide_or_nan
from cxrkit.metrics.explanations.attention import (
    attention_entropy,
    attention_iou,
    attention_mass,
    attention_points,
    grid_side,
    token_coverage,
)
from cxrkit.metrics.explanations.perturbation import curve_area
from cxrkit.metrics.spatial import QuestionBoxes
from cxrkit.metrics.statistics import IntArray, PatientResamples

_MAPS = (MODEL, "uniform_map", "average_map")
_ROWS_AT_ONCE = 50_000
_PLAUSIBILITY = ("attention_iou", "attention_mass_inside", "attention_pointing_game")


@dataclass(frozen=True)
class Explanations:
    """Whatever explanations a table of predictions has; None for what it lacks."""

    attention: AttentionRows | None
    perturbations: PerturbationRows | None

    @classmethod
    def of_table(cls, model: pa.Table) -> "Explanations":
        """Reads the rows of the condition `model`.

        Raises:
            ArtifactError: a column of explanations is damaged.
        """
        return cls(AttentionRows.of_table(model), PerturbationRows.of_table(model))


def measure_explanations(explanations: Explanations, resamples: PatientResamples) -> list[Measured]:
    """Computes the metrics of whatever explanations there are, each beside its controls.

    Args:
        explanations: of the model.
        resamples: of the patients of the whole report.
    """
    attention, perturbations = explanations.attention, explanations.perturbations
    measured = [] if attention is None else _attention_metrics(attention, resamples)
    return measured + ([] if perturbations is None else _perturbation_metrics(perturbations, resamples))


def explanation_differences(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Gives the model minus each control, on the same questions, for the metrics of explanations."""
    found = {
        (entry.name, entry.basis.condition): entry for entry in measured if entry.basis.head == EXPLANATION
    }
    return [
        difference_entry(found[name, MODEL], found[name, control])
        for name, control in found
        if control in EXPLANATION_CONTROLS
    ]


def explanation_notes(explanations: Explanations) -> list[str]:
    """Says how many questions the metrics of explanations leave out, and why."""
    notes = []
    attention, perturbations = explanations.attention, explanations.perturbations
    if attention is not None:
        nowhere = int((attention.attention.sum(1) == 0).sum())
        without = int((np.diff(attention.boxes.starts) == 0).sum())
        notes.append(
            f"Attention was stored for {len(attention.patients):,} of {attention.n_questions:,} questions; "
            f"{without:,} of these have no reference boxes to compare it with, {nowhere:,} have it nowhere."
        )
    if perturbations is not None:
        explained = perturbations.n_explained
        without_curves = explained - len(perturbations.curve_patients)
        without_ablation = explained - len(perturbations.ablation)
        notes.append(
            f"{explained:,} answers were explained by perturbation; {without_curves:,} of these have no "
            f"chosen class or no attention, and no deletion and insertion curves; {without_ablation:,} have "
            "no chosen class, no supporting nodes or not as many others, and no region ablation."
        )
    return notes


def _attention_metrics(rows: AttentionRows, resamples: PatientResamples) -> list[Measured]:
    plausible = _plausibility(rows)
    measured = [
        _mean(name, condition, values, rows.patients, resamples)
        for condition in _MAPS
        for name, values in zip(_PLAUSIBILITY, plausible[condition].T, strict=True)
    ]
    parts = [
        attention_entropy(rows.attention[start : start + _ROWS_AT_ONCE])
        for start in range(0, len(rows.attention), _ROWS_AT_ONCE)
    ]
    entropy = np.concatenate([np.zeros(0), *parts])
    return [*measured, _mean("attention_entropy", MODEL, entropy, rows.patients, resamples)]


def _plausibility(rows: AttentionRows) -> dict[str, FloatArray]:
    """Gives `[N, 3]` of each map: IoU, mass inside and pointing game; `nan` without reference boxes."""
    count, tokens = rows.attention.shape
    result = {condition: np.full((count, len(_PLAUSIBILITY)), np.nan) for condition in _MAPS}
    if not count:
        return result
    # The sum of the maps, each with a total of 1; those that are nowhere add nothing.
    average = np.nan_to_num(divide_or_nan(1.0, rows.attention.sum(1))) @ rows.attention
    fixed = {"uniform_map": np.full(tokens, 1 / tokens), "average_map": average}
    none, nowhere, unscored = np.zeros((0, 4)), np.zeros(count + 1, np.int64), np.zeros(0)
    for group in QuestionBoxes(*rows.boxes, none, nowhere, unscored).groups():
        if not group.reference.shape[1]:
            continue
        coverage = token_coverage(group.reference, grid_side(tokens))
        for condition in _MAPS:
            own = rows.attention[group.rows]
            # Controls are asked the same questions: those in which the model attends to something.
            shown = own if condition == MODEL else fixed[condition] * (own.sum(1, keepdims=True) > 0)
            values = (
                attention_iou(shown, coverage),
                attention_mass(shown, coverage),
                attention_points(shown, group.reference),
            )
            result[condition][group.rows] = np.stack(values, axis=1)
    return result


def _perturbation_metrics(rows: PerturbationRows, resamples: PatientResamples) -> list[Measured]:
    def area(curve: str) -> FloatArray:
        return curve_area(rows.shares, rows.curves[curve])

    measured = [
        _mean(f"{curve}_area", condition, area(curve + suffix), rows.curve_patients, resamples)
        for curve in ("deletion", "insertion")
        for condition, suffix in ((MODEL, ""), ("random_order", "_random"))
    ]
    drops = rows.ablation[:, :1] - rows.ablation[:, 1:]
    return measured + [
        _mean(name, condition, values[:, column], rows.ablation_patients, resamples)
        for name, values in (("region_ablation_drop", drops), ("region_ablation_changes", rows.changes))
        for column, condition in enumerate((MODEL, "random_nodes"))
    ]


def _mean(
    name: str, condition: str, values: FloatArray, patients: IntArray, resamples: PatientResamples
) -> Measured:
    basis = Basis.of_rows(EXPLANATION, condition, patients)
    return mean_of_defined_rows(name, basis, values, patients.astype(np.int64), resamples)
