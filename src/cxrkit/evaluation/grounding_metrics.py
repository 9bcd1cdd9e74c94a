"""The metrics of predicted boxes and of node scores under one condition."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation import columns
from cxrkit.evaluation.definitions import DEFINITIONS, GROUNDING, GROUP_METRICS
from cxrkit.evaluation.head_rows import BoxRows
from cxrkit.evaluation.measured import Basis, Measured, measure, without_value
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.metrics.calibration import BINS, calibration_error_of_sums, calibration_sums_of_rows
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.ranking import average_precision_of_rows
from cxrkit.metrics.spatial import BoxScores, QuestionBoxes, score_boxes, without_degenerate
from cxrkit.metrics.spatial.detection import DetectionStatistic
from cxrkit.metrics.spatial.regions import SEVERAL, multi_region_f1
from cxrkit.metrics.statistics import Bootstrap, PatientResamples, SumStatistic
from cxrkit.models.decisions import SET_THRESHOLD
from cxrkit.vocabulary import REGIONS

_NODE_NAMES = ("node_average_precision", "node_calibration_error", "multi_region_f1")
_NO_BOXES = "this condition never predicts boxes"
_DETECTION_NAMES = ("detection_map_50", "detection_map_75")
_DETECTION_MEAN = "detection_map_mean"
_NAMES = (
    "mean_iou", "intersection_over_predicted", "intersection_over_target", "pointing_accuracy",
    "pointing_game", "no_box_correctness", *_DETECTION_NAMES, _DETECTION_MEAN, "box_calibration_error",
)  # fmt: skip


@dataclass(frozen=True)
class GroundedRows:
    """The questions with reference boxes, and what their boxes score.

    Attributes:
        basis: of these questions.
        rows: `[N]` their places in the condition's table.
        patients: `[N]` subject ids.
        boxes: their boxes.
        scores: what is asked about them.
    """

    basis: Basis
    rows: npt.NDArray[np.int64]
    patients: npt.NDArray[np.int64]
    boxes: QuestionBoxes
    scores: BoxScores

    @classmethod
    def of_rows(cls, rows: BoxRows) -> "GroundedRows":
        """Scores the boxes of all questions that have a reference."""
        chosen = np.flatnonzero(rows.has_reference)
        boxes = QuestionBoxes(*rows.reference, *rows.predicted, rows.scores).of_rows(chosen)
        patients = rows.patients[chosen]
        basis = Basis.of_rows(GROUNDING, rows.condition, patients)
        return cls(basis, chosen, patients, boxes, score_boxes(boxes))

    @classmethod
    def where_predicted(cls, rows: BoxRows, *, predicts_boxes: bool) -> "GroundedRows | None":
        """Gives the same, or None for what never gives boxes."""
        return cls.of_rows(rows) if predicts_boxes or len(rows.predicted.boxes) else None

    @property
    def box_patients(self) -> npt.NDArray[np.int64]:
        """The patient of each predicted box, `[B]`."""
        return np.repeat(self.patients, np.diff(self.boxes.predicted_starts))


def measure_grounding(
    rows: BoxRows, grounded: GroundedRows | None, resamples: PatientResamples
) -> list[Measured]:
    """Computes the box metrics over the questions of all heads; boxes mean the same for each.

    Args:
        rows: boxes of all questions under one condition.
        grounded: those with reference boxes; None for what never gives boxes, which then has no value
            rather than 0.
        resamples: of the patients of the whole report.
    """
    if grounded is None:
        return _without_boxes(rows, resamples)
    measured = {
        entry.name: entry
        for entry in (
            *_question_metrics(grounded, resamples),
            _no_box_correctness(rows, resamples),
            *_detection(grounded, resamples),
            _box_calibration(grounded, resamples),
        )
    }
    return [measured[name] for name in _NAMES]


def measure_shown_boxes(
    rows: GroundedRows, chosen: npt.NDArray[np.bool_], basis: Basis, resamples: PatientResamples
) -> list[Measured]:
    """Computes the short list of box metrics that is shown for parts of the questions.

    Args:
        rows: all questions with reference boxes under one condition.
        chosen: `[N]` True for those asked about.
        basis: what they are.
        resamples: of the patients of the whole report.
    """
    values = {"mean_iou": rows.scores.mean_iou, "pointing_accuracy": rows.scores.points.astype(float)}
    return [
        mean_of_defined_rows(name, basis, values[name][chosen], rows.patients[chosen], resamples)
        for name in GROUP_METRICS[GROUNDING]
    ]


def _without_boxes(rows: BoxRows, resamples: PatientResamples) -> list[Measured]:
    bases = {
        known: Basis.of_rows(GROUNDING, rows.condition, rows.patients[rows.has_reference == known])
        for known in (True, False)
    }
    return [without_value(name, bases[name != "no_box_correctness"], resamples, _NO_BOXES) for name in _NAMES]


def _question_metrics(rows: GroundedRows, resamples: PatientResamples) -> list[Measured]:
    shares = rows.scores.area_shares
    values = {
        "mean_iou": rows.scores.mean_iou,
        "intersection_over_predicted": shares[:, 0],
        "intersection_over_target": shares[:, 1],
        "pointing_accuracy": rows.scores.points.astype(float),
        "pointing_game": rows.scores.centre_inside.astype(float),
    }
    return [
        mean_of_defined_rows(name, rows.basis, of_rows, rows.patients, resamples)
        for name, of_rows in values.items()
    ]


def mean_of_defined_rows(
    name: str,
    basis: Basis,
    values: FloatArray,
    patients: npt.NDArray[np.int64],
    resamples: PatientResamples,
) -> Measured:
    """Measures the mean over the rows where a value is defined; the line's `n` counts these.

    Args:
        name: a key of `DEFINITIONS`.
        basis: head and condition.
        values: `[N]`, `nan` where undefined.
        patients: `[N]` subject ids.
        resamples: of the patients of the whole report.
    """
    defined = ~np.isnan(values)
    of_defined = basis.about_rows(patients[defined])
    mean = mean_of_rows(values[defined], patients[defined], resamples)
    reason = DEFINITIONS[name].undefined_when if len(values) else None
    return measure(
        name, of_defined, mean, resamples, undefined_reason=reason, n_undefined=int((~defined).sum())
    )


def _no_box_correctness(rows: BoxRows, resamples: PatientResamples) -> Measured:
    boxless = ~rows.has_reference
    basis = Basis.of_rows(GROUNDING, rows.condition, rows.patients[boxless])
    none_predicted = (np.diff(rows.predicted.starts)[boxless] == 0).astype(float)
    mean = mean_of_rows(none_predicted, rows.patients[boxless], resamples)
    return measure("no_box_correctness", basis, mean, resamples)


def _detection(rows: GroundedRows, resamples: PatientResamples) -> list[Measured]:
    counted = rows.scores.counted
    positions = resamples.positions(rows.box_patients[counted])
    references = np.bincount(
        resamples.positions(rows.patients),
        weights=np.diff(rows.boxes.reference_starts),
        minlength=len(resamples.patients),
    ).astype(float)
    measured = [
        measure(
            name,
            rows.basis,
            DetectionStatistic.of_boxes(
                rows.boxes.scores[counted],
                rows.scores.true_positives[counted, column],
                positions,
                references,
            ),
            resamples,
            n_positive=len(rows.boxes.reference),
        )
        for column, name in enumerate(_DETECTION_NAMES)
    ]
    parts = [entry.bootstrap for entry in measured]
    mean = Bootstrap(
        sum(part.value for part in parts) / len(parts), np.mean([part.replicates for part in parts], axis=0)
    )
    return [*measured, replace(measured[0], name=_DETECTION_MEAN, bootstrap=mean)]


def _box_calibration(rows: GroundedRows, resamples: PatientResamples) -> Measured:
    patients, scores = rows.box_patients, rows.boxes.scores
    cell = resamples.positions(patients) * BINS + np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    cells = len(resamples.patients) * BINS
    sums = np.stack(
        [
            np.bincount(cell, weights=values, minlength=cells).reshape(-1, BINS)
            for values in (np.ones_like(scores), scores, rows.scores.hits.astype(float))
        ],
        axis=-1,
    )
    reason = None if len(scores) else "no predicted box on a question with reference boxes"
    return measure(
        "box_calibration_error",
        replace(rows.basis, n=len(scores), n_patients=len(np.unique(patients))),
        SumStatistic(sums.astype(float), calibration_error_of_sums),
        resamples,
        n_positive=int(rows.scores.hits.sum()),
        undefined_reason=reason,
    )


def grounding_notes(rows: BoxRows) -> list[str]:
    """Says which questions and boxes the box metrics of a condition leave out or cannot use.

    Args:
        rows: boxes of all questions under one condition.
    """
    without = int((~rows.has_reference).sum())
    notes = []
    if 0 < without < len(rows.has_reference):
        notes.append(
            f"{without:,} of {len(rows.has_reference):,} questions have no reference boxes: of the box "
            "metrics only no-box correctness counts them."
        )
    silent = int((rows.has_reference & (np.diff(rows.predicted.starts) == 0)).sum())
    if silent:
        notes.append(
            f"No box is predicted for {silent:,} questions with reference boxes: a miss everywhere, and "
            "without IoP."
        )
    degenerate = [int(without_degenerate(boxes.boxes)[1].sum()) for boxes in (rows.reference, rows.predicted)]
    if any(degenerate):
        notes.append(
            f"{degenerate[0]:,} reference and {degenerate[1]:,} predicted boxes have no area or a corner "
            "that is not finite: they count as boxes that cover and hit nothing."
        )
    return notes


@dataclass(frozen=True)
class NodeRows:
    """Node scores of the questions whose supporting regions are known, under one condition.

    Attributes:
        condition: the model, or the model with another film or graph.
        patients: `[N]` subject ids.
        supports: `[N, 26]` which regions support the answer.
        scores: `[N, 26]` probability that they do.
    """

    condition: str
    patients: npt.NDArray[np.int64]
    supports: npt.NDArray[np.bool_]
    scores: FloatArray

    @classmethod
    def of_table(cls, table: pa.Table, condition: str) -> "NodeRows":
        """Reads the rows of a condition's table.

        Raises:
            ArtifactError: a score is no probability, or a node is none of the 26.
        """
        rows = table.filter(pc.list_value_length(pc.field("nodes_reference")) > 0)
        return cls(
            condition=condition,
            patients=columns.numbers(rows, "subject_id").astype(np.int64),
            supports=columns.membership(rows, "nodes_reference", len(REGIONS)),
            scores=columns.probability_matrix(rows, "node_scores", len(REGIONS)),
        )


def measure_node_scores(
    table: pa.Table, condition: str, resamples: PatientResamples, *, predicts_boxes: bool
) -> list[Measured]:
    """Computes how well the node scores rank the supporting regions, and how far they can be believed.

    Args:
        table: the rows of one condition.
        condition: its name.
        resamples: of the patients of the whole report.
        predicts_boxes: False for what has no nodes, which then has no value.
    """
    if not predicts_boxes:
        patients = columns.numbers(table, "subject_id").astype(np.int64)
        basis = Basis.of_rows(GROUNDING, condition, patients)
        return [without_value(name, basis, resamples, _NO_BOXES) for name in _NODE_NAMES]
    rows = NodeRows.of_table(table, condition)
    basis = Basis.of_rows(GROUNDING, rows.condition, rows.patients)
    ranking = average_precision_of_rows(rows.supports, rows.scores)
    sums = calibration_sums_of_rows(rows.supports, rows.scores)
    calibration = SumStatistic.of_rows(sums, rows.patients, resamples, calibration_error_of_sums)
    several = rows.supports.sum(1) >= SEVERAL
    f1 = multi_region_f1(rows.supports[several], rows.scores[several] >= SET_THRESHOLD)
    return [
        measure("node_average_precision", basis, mean_of_rows(ranking, rows.patients, resamples), resamples),
        measure("node_calibration_error", basis, calibration, resamples),
        mean_of_defined_rows("multi_region_f1", basis, f1, rows.patients[several], resamples),
    ]
