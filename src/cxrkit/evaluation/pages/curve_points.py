"""The curves of a page from labels and scores: thinned, with the figure that stands beside the name."""

from collections.abc import Sequence

import numpy as np

from cxrkit.metrics.abstention import risk_coverage_points, weighted_risk_area
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.curves import precision_recall_points, roc_points, thin_points
from cxrkit.metrics.ranking import BoolArray, auroc, average_precision, rank_rows
from cxrkit.reporting.curves import Curve

MOST_CLASSES = 8


def roc_curve(name: str, labels: BoolArray, scores: FloatArray) -> list[Curve]:
    """Gives the ROC curve; none where only one value occurs."""
    area = auroc(labels, scores)
    if not area.defined:
        return []
    return [Curve(name, *thin_points(*roc_points(labels, scores)), area.value)]


def precision_recall_curve(name: str, labels: BoolArray, scores: FloatArray) -> list[Curve]:
    """Gives the precision-recall curve; none without a positive."""
    if not labels.any():
        return []
    points = thin_points(*precision_recall_points(labels, scores))
    return [Curve(name, *points, average_precision(labels, scores).value)]


def risk_coverage_curve(name: str, wrong: BoolArray, confidence: FloatArray) -> list[Curve]:
    """Gives the risk-coverage curve; none without rows."""
    if not len(wrong):
        return []
    ranked = rank_rows(wrong, confidence)
    area = weighted_risk_area(ranked, np.zeros(len(wrong), np.int64), np.ones((1, 1)))
    return [Curve(name, *thin_points(*risk_coverage_points(wrong, confidence)), float(area[0]))]


def class_curves(
    names: Sequence[str], labels: BoolArray, scores: FloatArray, most: int
) -> tuple[list[Curve], list[Curve]]:
    """Gives ROC and precision-recall curves of the classes with the most positives.

    Args:
        names: C classes.
        labels: `[N, C]`.
        scores: `[N, C]`.
        most: how many classes are drawn; those with both values, ties in the order of `names`.
    """
    positives = labels.sum(0)
    both = (positives > 0) & (positives < len(labels))
    commonest = [place for place in np.argsort(-positives, kind="stable").tolist() if both[place]][:most]
    roc: list[Curve] = []
    precision: list[Curve] = []
    for place in commonest:
        roc += roc_curve(names[place], labels[:, place], scores[:, place])
        precision += precision_recall_curve(names[place], labels[:, place], scores[:, place])
    return roc, precision
