"""The metrics of predicted boxes under one condition."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation import columns
from cxrkit.evaluation.definitions import GROUNDING
from cxrkit.evaluation.head_rows import BoxRows
from cxrkit.evaluation.measured import Basis, Measured, measure, without_value
from cxrkit.evaluation.row_means import mean_of_rows
from cxrkit.metrics.calibration import calibration_error_of_sums, calibration_sums_of_rows
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.ranking import average_precision_of_rows
from cxrkit.metrics.spatial import iou_matrices, matched_mean_iou, points_at_reference
from cxrkit.metrics.statistics import PatientResamples, SumStatistic
from cxrkit.vocabulary import REGIONS

_NODE_NAMES = ("node_average_precision", "node_calibration_error")
_NO_BOXES = "this condition never predicts boxes"
_NAMES = ("mean_iou", "pointing_accuracy", "no_box_correctness")


def measure_grounding(rows: BoxRows, resamples: PatientResamples, *, predicts_boxes: bool) -> list[Measured]:
    """Computes the box metrics over the questions of all heads; boxes mean the same for each.

    Args:
        rows: boxes of all questions under one condition.
        resamples: of the patients of the whole report.
        predicts_boxes: False for what never gives boxes, which then has no value rather than 0.
    """
    grounded = np.flatnonzero(rows.has_reference)
    boxless = np.flatnonzero(~rows.has_reference)
    bases = [
        Basis.of_rows(GROUNDING, rows.condition, rows.patients[chosen])
        for chosen in (grounded, grounded, boxless)
    ]
    if not predicts_boxes and len(rows.predicted.boxes) == 0:
        return [
            without_value(name, basis, resamples, _NO_BOXES)
            for name, basis in zip(_NAMES, bases, strict=True)
        ]
    matrices = iou_matrices(*rows.reference, *rows.predicted)
    score_lists = np.split(rows.scores, rows.predicted.starts[1:-1])
    matched = np.array([matched_mean_iou(matrices[row]) for row in grounded], dtype=np.float64)
    pointed = np.array(
        [points_at_reference(matrices[row], score_lists[row]) for row in grounded], dtype=np.float64
    )
    none_predicted = (np.diff(rows.predicted.starts)[boxless] == 0).astype(float)
    return [
        measure(name, basis, mean_of_rows(values, rows.patients[chosen], resamples), resamples)
        for name, basis, values, chosen in zip(
            _NAMES,
            bases,
            (matched, pointed, none_predicted),
            (grounded, grounded, boxless),
            strict=True,
        )
    ]


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
    statistics = (
        mean_of_rows(ranking, rows.patients, resamples),
        SumStatistic.of_rows(sums, rows.patients, resamples, calibration_error_of_sums),
    )
    return [
        measure(name, basis, statistic, resamples)
        for name, statistic in zip(_NODE_NAMES, statistics, strict=True)
    ]
