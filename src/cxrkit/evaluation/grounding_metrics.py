"""The metrics of predicted boxes under one condition."""

import numpy as np

from cxrkit.evaluation.definitions import GROUNDING
from cxrkit.evaluation.head_metrics import mean_of_rows
from cxrkit.evaluation.head_rows import BoxRows
from cxrkit.evaluation.measured import Basis, Measured, measure, without_value
from cxrkit.metrics.spatial import iou_matrices, matched_mean_iou, points_at_reference
from cxrkit.metrics.statistics import PatientResamples

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
        reason = "this condition never predicts boxes"
        return [
            without_value(name, basis, resamples, reason) for name, basis in zip(_NAMES, bases, strict=True)
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
