"""From a table of 14-label predictions to the content of `evaluation_report.json`."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.errors import ArtifactError
from cxrkit.evaluation import columns
from cxrkit.evaluation.definitions import CLASSIFIER, MIN_POSITIVE_STUDIES
from cxrkit.evaluation.head_metrics import mean_over_classes
from cxrkit.evaluation.head_rows import tables_of_conditions
from cxrkit.evaluation.measured import MODEL, N_RESAMPLES, SEED, Basis, Measured, measure
from cxrkit.evaluation.predictions import conform, read_metadata
from cxrkit.evaluation.report import new_report
from cxrkit.evaluation.vqa_scores import differences
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.ranking import weighted_auroc, weighted_average_precision
from cxrkit.metrics.statistics import PatientResamples, RankStatistic
from cxrkit.models.label_policies import LABEL_POLICIES
from cxrkit.vocabulary import FINDINGS

LABEL_POLICY = "zeros"


@dataclass(frozen=True)
class StudyRows:
    """Studies scored under one condition.

    Attributes:
        condition: the model or a control.
        patients: `[N]` subject ids.
        labels: `[N, 14]`; True where the label is 1, False where it is 0, -1 or blank.
        probabilities: `[N, 14]`.
    """

    condition: str
    patients: npt.NDArray[np.int64]
    labels: npt.NDArray[np.bool_]
    probabilities: FloatArray

    @classmethod
    def of_table(cls, table: pa.Table, condition: str) -> "StudyRows":
        """Reads a condition's table.

        Raises:
            ArtifactError: a probability is not in 0..1.
        """
        return cls(
            condition=condition,
            patients=columns.numbers(table, "subject_id").astype(np.int64),
            labels=columns.matrix(table, "labels", len(FINDINGS)) == 1.0,
            probabilities=columns.probability_matrix(table, "probabilities", len(FINDINGS)),
        )


def score_classification(predictions: pa.Table, *, n_resamples: int = N_RESAMPLES) -> dict[str, Any]:
    """Scores a table of 14-label predictions: AUROC and average precision per finding, and their means.

    Args:
        predictions: the columns of `CLASSIFY_SCHEMA` and the metadata key `cxrkit`.
        n_resamples: resamples of patients for the intervals.

    Returns:
        The report as JSON values; equal tables give equal reports.

    Raises:
        ArtifactError: the table is not one of 14-label predictions, its label policy is unknown, or its
            conditions do not cover the same studies.
    """
    metadata = read_metadata(predictions)
    _require_label_policy(metadata)
    parts = tables_of_conditions(conform(predictions, "classify"), "study_id")
    patients = parts[MODEL].column("subject_id").to_numpy()
    resamples = PatientResamples.draw(patients, n_resamples, np.random.default_rng(SEED))
    measured: list[Measured] = []
    for condition, part in parts.items():
        measured += _measure_condition(StudyRows.of_table(part, condition), resamples)
    return new_report(metadata) | {
        "conditions": list(parts),
        "label_policy": LABEL_POLICY,
        "trained_label_policy": metadata["label_policy"],
        "n_studies": parts[MODEL].num_rows,
        "n_patients": len(resamples.patients),
        "metrics": [entry.to_entry() for entry in measured],
        "differences": differences(measured),
        "notes": _notes(measured, parts[MODEL], metadata["label_policy"]),
    }


def _measure_condition(rows: StudyRows, resamples: PatientResamples) -> list[Measured]:
    basis = Basis.of_rows(CLASSIFIER, rows.condition, rows.patients)
    frequent = rows.labels.sum(0) >= MIN_POSITIVE_STUDIES
    means = {
        "mean_auroc_of_frequent_findings": frequent,
        "mean_auroc_of_defined_findings": np.ones(len(FINDINGS), bool),
    }
    measured = []
    for name, chosen in means.items():
        mean = mean_over_classes(
            rows.labels[:, chosen], rows.probabilities[:, chosen], rows.patients, resamples, weighted_auroc
        )
        measured.append(measure(name, basis, mean, resamples, n_classes=len(mean.parts)))
    return measured + [
        entry for index in range(len(FINDINGS)) for entry in _measure_finding(rows, basis, index, resamples)
    ]


def _measure_finding(
    rows: StudyRows, basis: Basis, index: int, resamples: PatientResamples
) -> list[Measured]:
    labels, scores = rows.labels[:, index], rows.probabilities[:, index]
    about = replace(basis, finding=FINDINGS[index])
    positives = int(labels.sum())
    reason = f"{positives} of {len(labels)} studies are positive"
    return [
        measure(
            name,
            about,
            RankStatistic.of_rows(labels, scores, rows.patients, resamples, metric),
            resamples,
            n_positive=positives,
            undefined_reason=reason,
        )
        for name, metric in (("auroc", weighted_auroc), ("average_precision", weighted_average_precision))
    ]


def _require_label_policy(metadata: dict[str, Any]) -> None:
    if metadata.get("label_policy") not in LABEL_POLICIES:
        raise ArtifactError(
            "the predictions name no known label policy of the training",
            expected=f"label_policy {', '.join(LABEL_POLICIES)}",
            found=f"label_policy {metadata.get('label_policy')}",
            next_step="make the predictions again with `cxrkit evaluate`",
        )


def _notes(measured: list[Measured], model: pa.Table, trained: str) -> list[str]:
    labels = columns.matrix(model, "labels", len(FINDINGS))
    blank, uncertain = int(np.isnan(labels).sum()), int((labels == -1).sum())
    undefined = [
        entry.basis.finding
        for entry in measured
        if entry.basis.condition == MODEL and entry.name == "auroc" and entry.undefined_reason
    ]
    notes = [
        f"Trained under label policy {trained}: {LABEL_POLICIES[trained]}.",
        f"Scored under label policy zeros: {blank} blank and {uncertain} uncertain (-1) labels of "
        f"{labels.size} count as 0. Intervals resample patients, not studies.",
    ]
    if undefined:
        names = ", ".join(name for name in undefined if name)
        notes.append(f"AUROC undefined, and left out of the means: {names}.")
    return notes
