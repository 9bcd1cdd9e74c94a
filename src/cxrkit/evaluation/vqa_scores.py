"""From a table of VQA predictions to the content of `evaluation_report.json`."""

from typing import Any

import numpy as np
import pyarrow as pa

from cxrkit.evaluation.confidence_metrics import saved_calibration
from cxrkit.evaluation.consistency_scores import measure_consistency
from cxrkit.evaluation.content_hash import content_hash, hash_of_ids
from cxrkit.evaluation.definitions import GROUNDING, HEADLINE_METRICS, describe_definitions
from cxrkit.evaluation.evidence import evidence
from cxrkit.evaluation.explanation_scores import (
    Explanations,
    explanation_differences,
    explanation_notes,
    measure_explanations,
)
from cxrkit.evaluation.graph_scores import measure_graphs
from cxrkit.evaluation.grounding_metrics import (
    GroundedRows,
    grounding_notes,
    measure_grounding,
    measure_node_scores,
)
from cxrkit.evaluation.head_metrics import measure_head
from cxrkit.evaluation.head_rows import BoxRows, HeadRows, require_known_heads, tables_of_conditions
from cxrkit.evaluation.measured import (
    CONTROLS,
    MODEL,
    N_RESAMPLES,
    SEED,
    SOURCES,
    Measured,
    difference_entry,
)
from cxrkit.evaluation.predictions import conform, read_metadata
from cxrkit.evaluation.report import data_notes, new_report, patient_notes
from cxrkit.evaluation.strata import groups_of_questions, measure_boxes_by_group, measure_groups
from cxrkit.metrics.statistics import PatientResamples
from cxrkit.vocabulary import ANSWER_HEADS

_CONDITIONS_WITHOUT_BOXES = frozenset({"majority", "question_only"})


def score_vqa(
    predictions: pa.Table,
    graphs: pa.Table | None = None,
    consistency: pa.Table | None = None,
    *,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """Scores a table of VQA predictions, per head and condition, with intervals and differences.

    Args:
        predictions: the columns of `VQA_SCHEMA` and the metadata key `cxrkit`.
        graphs: the predicted scene graphs of the same films; None leaves their scores out.
        consistency: answers that must agree with each other; None leaves their scores out.
        n_resamples: resamples of patients for the intervals.

    Returns:
        The report as JSON values; equal tables give equal reports.

    Raises:
        ArtifactError: the table is not one of VQA predictions, or its conditions cover different questions.
    """
    metadata = read_metadata(predictions)
    table = conform(predictions, "vqa")
    require_known_heads(table)
    parts = tables_of_conditions(table, "question_row")
    patients = parts[MODEL].column("subject_id").to_numpy()
    resamples = PatientResamples.draw(patients, n_resamples, np.random.default_rng(SEED))
    measured, of_groups = _measure_conditions(parts, metadata, resamples)
    explanations = Explanations.of_table(parts[MODEL])
    measured += measure_explanations(explanations, resamples)
    measured += measure_graphs(graphs, len(metadata.get("entities") or ()), resamples)
    measured += measure_consistency(consistency, resamples)
    report = new_report(metadata) | {
        "conditions": list(parts),
        "n_questions": parts[MODEL].num_rows,
        "n_studies": len(np.unique(parts[MODEL].column("study_id").to_numpy())),
        "n_patients": len(resamples.patients),
        "n_resamples": n_resamples,
        "predictions_sha256": content_hash(predictions),
        "graphs_sha256": None if graphs is None else content_hash(graphs),
        "consistency_sha256": None if consistency is None else content_hash(consistency),
        "scored_ids_sha256": hash_of_ids(parts[MODEL].column("question_id").to_pylist()),
        "definitions": describe_definitions(entry.name for entry in measured),
        "metrics": [entry.to_entry() for entry in measured],
        "differences": [*differences(measured), *explanation_differences(measured)],
        "strata": [entry.to_entry() for entry in of_groups],
        "notes": [
            *_notes(measured, metadata, parts[MODEL]),
            *explanation_notes(explanations),
            *patient_notes(metadata),
            *data_notes(metadata),
        ],
    }
    return report | {"evidence": evidence(report)}


def differences(measured: list[Measured]) -> list[dict[str, Any]]:
    """Gives model minus each control for the headline metrics of each head.

    Args:
        measured: all metrics, of all conditions, on the same resamples.
    """
    found = {
        (entry.basis.head, entry.name, entry.basis.condition): entry
        for entry in measured
        if not entry.basis.finding and not entry.basis.region
    }
    return [
        difference_entry(found[head, name, MODEL], found[head, name, control])
        for head, names in HEADLINE_METRICS.items()
        for name in names
        for control in (*CONTROLS, *SOURCES)
        if (head, name, MODEL) in found and (head, name, control) in found
    ]


def _measure_conditions(
    parts: dict[str, pa.Table], metadata: dict[str, Any], resamples: PatientResamples
) -> tuple[list[Measured], list[Measured]]:
    """Gives the figures of all questions, and those of their groups."""
    measured: list[Measured] = []
    of_groups: list[Measured] = []
    calibration = saved_calibration(metadata)
    # All conditions hold the same questions in the same order.
    groups = groups_of_questions(parts[MODEL])
    for condition, part in parts.items():
        for head in ANSWER_HEADS:
            rows = HeadRows.of_table(part, head, condition)
            measured += measure_head(rows, resamples, calibration)
            of_groups += measure_groups(rows, groups, resamples)
        source = condition if condition in SOURCES else metadata.get("graph_source")
        predicts_boxes = condition not in _CONDITIONS_WITHOUT_BOXES and source != "none"
        boxes = BoxRows.of_table(part, condition)
        grounded = GroundedRows.where_predicted(boxes, predicts_boxes=predicts_boxes)
        measured += measure_grounding(boxes, grounded, resamples)
        measured += measure_node_scores(part, condition, resamples, predicts_boxes=predicts_boxes)
        if grounded is not None:
            of_groups += measure_boxes_by_group(grounded, groups, resamples)
    return measured, of_groups


def _notes(measured: list[Measured], metadata: dict[str, Any], model: pa.Table) -> list[str]:
    notes = [
        "Heads are never pooled. Intervals resample patients, not questions.",
        f"Free-text questions, which no head answers: {_free_text(metadata)}; "
        f"questions whose target no table maps: {metadata.get('n_masked', 0)}. Neither is scored.",
    ]
    if metadata.get("graph_source") == "oracle":
        notes.append(
            "The scene graph is the data set's own, which holds the answers: an upper bound that leaks."
        )
    heads = model.column("head").to_pylist()
    notes += [
        f"No question of head {head} in this split." for head in ANSWER_HEADS if head.value not in heads
    ]
    notes += grounding_notes(BoxRows.of_table(model, MODEL))
    notes += [_one_class_note(entry) for entry in measured if _has_one_class(entry)]
    if not any(
        entry.basis.head == GROUNDING and entry.name == "mean_iou" and entry.basis.n for entry in measured
    ):
        notes.append("No question has reference boxes in this split.")
    return notes


def _free_text(metadata: dict[str, Any]) -> str:
    by_type = metadata.get("n_free_text_by_type") or {}
    types = ", ".join(f"{name} {count:,}" for name, count in by_type.items())
    return f"{metadata.get('n_free_text') or 0:,}" + (f" ({types})" if types else "")


def _has_one_class(entry: Measured) -> bool:
    return entry.name == "balanced_accuracy" and entry.basis.condition == MODEL and entry.n_classes == 1


def _one_class_note(entry: Measured) -> str:
    head = entry.basis.head
    return (
        f"Head {head}: all references are of one class; balanced accuracy is the recall of that class alone."
    )
