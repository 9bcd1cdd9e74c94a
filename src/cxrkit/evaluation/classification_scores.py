"""From a table of 14-label predictions to the content of `evaluation_report.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from cxrkit.errors import ArtifactError
from cxrkit.evaluation import columns
from cxrkit.evaluation.confidence_metrics import saved_calibration
from cxrkit.evaluation.content_hash import content_hash, hash_of_ids
from cxrkit.evaluation.definitions import CLASSIFIER, RADIOLOGIST, describe_definitions
from cxrkit.evaluation.finding_metrics import StudyRows, measure_findings
from cxrkit.evaluation.head_rows import tables_of_conditions
from cxrkit.evaluation.measured import MODEL, N_RESAMPLES, SEED, Measured
from cxrkit.evaluation.predictions import conform, read_metadata
from cxrkit.evaluation.report import data_notes, new_report, patient_notes
from cxrkit.evaluation.strata import groups_of_studies, measure_studies_by_group
from cxrkit.evaluation.vqa_scores import differences
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.statistics import PatientResamples
from cxrkit.vocabulary import FINDINGS, LABEL_POLICIES

LABEL_POLICY = "zeros"
_LABELS = {CLASSIFIER: "labels", RADIOLOGIST: "radiologist_labels"}


def score_classification(predictions: pa.Table, *, n_resamples: int = N_RESAMPLES) -> dict[str, Any]:
    """Scores a table of 14-label predictions: ranking, decisions and calibration per finding, and means.

    Where radiologists labelled some of the studies, those are scored against their labels too.

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
    of_groups: list[Measured] = []
    groups = groups_of_studies(parts[MODEL])
    for condition, part in parts.items():
        for head in (CLASSIFIER, RADIOLOGIST):
            rows = study_rows(part, condition, metadata, head)
            measured += measure_findings(rows, resamples) if len(rows.patients) else []
            of_groups += measure_studies_by_group(rows, groups, resamples) if head == CLASSIFIER else []
    labelled = int(columns.numbers(parts[MODEL], "has_radiologist_labels").sum())
    return new_report(metadata) | {
        "conditions": list(parts),
        "label_policy": LABEL_POLICY,
        "trained_label_policy": metadata["label_policy"],
        "thresholds": _thresholds_by_name(metadata),
        "n_studies": parts[MODEL].num_rows,
        "n_radiologist_studies": labelled,
        "n_patients": len(resamples.patients),
        "n_resamples": n_resamples,
        "predictions_sha256": content_hash(predictions),
        "scored_ids_sha256": hash_of_ids(parts[MODEL].column("study_id").to_pylist()),
        "definitions": describe_definitions(entry.name for entry in measured),
        "metrics": [entry.to_entry() for entry in measured],
        "differences": differences(measured),
        "strata": [entry.to_entry() for entry in of_groups],
        "notes": [
            *_notes(measured, parts[MODEL], metadata, labelled),
            *patient_notes(metadata),
            *data_notes(metadata),
        ],
    }


def study_rows(table: pa.Table, condition: str, metadata: Mapping[str, Any], head: str) -> StudyRows:
    """Reads a condition's table against one kind of labels.

    Args:
        table: the rows of one condition.
        condition: its name.
        metadata: what the whole table says about itself.
        head: CLASSIFIER, or RADIOLOGIST for the studies that have such labels, which may be none.

    Raises:
        ArtifactError: a probability is not in 0..1.
    """
    if head == RADIOLOGIST:
        table = table.filter(table.column("has_radiologist_labels")).combine_chunks()
    values = metadata["thresholds"]["values"].get(condition) or [None] * len(FINDINGS)
    return StudyRows(
        head=head,
        condition=condition,
        patients=columns.numbers(table, "subject_id").astype(np.int64),
        labels=columns.matrix(table, _LABELS[head], len(FINDINGS)) == 1.0,
        probabilities=columns.probability_matrix(table, "probabilities", len(FINDINGS)),
        thresholds=np.array([np.nan if value is None else value for value in values]),
        temperatures=_temperatures(metadata),
    )


def _temperatures(metadata: Mapping[str, Any]) -> FloatArray | None:
    calibration = saved_calibration(metadata)
    if calibration is None:
        return None
    classes = calibration.heads[CLASSIFIER]
    return np.array([classes[name].temperature or np.nan for name in FINDINGS], float)


def _thresholds_by_name(metadata: Mapping[str, Any]) -> dict[str, Any]:
    thresholds = metadata["thresholds"]
    values = thresholds["values"].get(MODEL) or [None] * len(FINDINGS)
    return {
        "split": thresholds["split"],
        "n_studies": thresholds["n_studies"],
        "rule": "highest F1 of the study's probability, by finding",
        "missing": thresholds["missing"],
        "values": dict(zip(FINDINGS, values, strict=True)),
    }


def _require_label_policy(metadata: dict[str, Any]) -> None:
    if metadata.get("label_policy") not in LABEL_POLICIES:
        raise ArtifactError(
            "the predictions name no known label policy of the training",
            expected=f"label_policy {', '.join(LABEL_POLICIES)}",
            found=f"label_policy {metadata.get('label_policy')}",
            next_step="make the predictions again with `cxrkit evaluate`",
        )


def _notes(
    measured: list[Measured], model: pa.Table, metadata: Mapping[str, Any], radiologist_studies: int
) -> list[str]:
    labels = columns.matrix(model, "labels", len(FINDINGS))
    blank, uncertain = int(np.isnan(labels).sum()), int((labels == -1).sum())
    trained = metadata["label_policy"]
    notes = [
        f"Trained under label policy {trained}: {LABEL_POLICIES[trained]}.",
        f"Scored under label policy zeros: {blank} blank and {uncertain} uncertain (-1) labels of "
        f"{labels.size} count as 0. Intervals resample patients, not studies.",
        _note_on_thresholds(metadata),
    ]
    undefined = _undefined(measured, CLASSIFIER)
    if undefined:
        notes.append(f"AUROC undefined, and left out of the means: {undefined}.")
    if radiologist_studies:
        undefined = _undefined(measured, RADIOLOGIST)
        left_out = f" AUROC undefined there: {undefined}." if undefined else ""
        notes.append(
            f"{radiologist_studies} studies were labelled by radiologists and are scored against their "
            f"labels too, -1 and blank as 0.{left_out}"
        )
    return notes


def _note_on_thresholds(metadata: Mapping[str, Any]) -> str:
    thresholds = metadata["thresholds"]
    if thresholds["missing"]:
        return f"No thresholds: {thresholds['missing']}."
    note = (
        f"Decisions use each finding's threshold of the {thresholds['split']} split "
        f"({thresholds['n_studies']} studies, highest F1)."
    )
    if thresholds.get("saved_with_model"):
        note += " The model's own were saved with it when it was trained."
    if metadata.get("split") == thresholds["split"]:
        note += " These are the very studies scored here: F1, sensitivity and specificity are too good."
    return note


def _undefined(measured: list[Measured], head: str) -> str:
    return ", ".join(
        str(entry.basis.finding)
        for entry in measured
        if (entry.basis.head, entry.basis.condition, entry.name) == (head, MODEL, "auroc")
        and entry.undefined_reason
    )
