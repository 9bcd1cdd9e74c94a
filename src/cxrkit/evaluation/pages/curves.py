"""The page's section with the curves of every answer head: ranking, reliability, abstaining."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation.measured import CONTROLS, MODEL
from cxrkit.evaluation.pages.answer_arrays import AnswerArrays
from cxrkit.evaluation.pages.curve_points import (
    MOST_CLASSES,
    class_curves,
    precision_recall_curve,
    risk_coverage_curve,
    roc_curve,
)
from cxrkit.metrics.curves import reliability_points
from cxrkit.reporting import Page
from cxrkit.reporting.curves import (
    Curve,
    precision_recall_curves,
    reliability_curve,
    risk_coverage_curves,
    roc_curves,
)
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, MULTI_LABEL_HEADS, Head

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_curves(page: Page, predictions: pa.Table) -> None:
    """Adds ROC, precision-recall, reliability and risk-coverage curves of each head.

    Args:
        page: takes them.
        predictions: a table of VQA predictions.
    """
    page.section(
        "Curves",
        "Binary answers: the model beside its controls. Other heads: the model's curves of each class, at "
        f"most {MOST_CLASSES}: those with the most positives among the classes that have both values. "
        "Confidence is the probability of the class that was answered; of a set, the product of the "
        "probabilities of its members and non-members. Reliability is drawn in ten bins of equal width.",
    )
    for head in ANSWER_HEADS:
        rows = AnswerArrays.of_table(predictions, head, MODEL)
        name = head.value.capitalize()
        if not len(rows.places):
            page.remark(f"{name}: no question of this head in the split.")
            continue
        roc, precision = _binary_curves(predictions) if head is Head.BINARY else _curves_by_class(rows)
        if roc:
            page.figures(_ranking_figures(name, roc, precision))
        else:
            page.remark(f"{name}: no ROC or precision-recall curve, no class has both values.")
        page.figures([_reliability(name, rows), _risk(name, rows)])


def _binary_curves(predictions: pa.Table) -> tuple[list[Curve], list[Curve]]:
    present = set(pc.unique(predictions.column("condition")).to_pylist())
    roc: list[Curve] = []
    precision: list[Curve] = []
    for condition in (name for name in (MODEL, *CONTROLS) if name in present):
        rows = AnswerArrays.of_table(predictions, Head.BINARY, condition)
        labels, scores = rows.reference[:, 1], rows.probabilities[:, 1]
        if labels.any() and not labels.all():
            roc += roc_curve(condition.replace("_", " "), labels, scores)
            precision += precision_recall_curve(condition.replace("_", " "), labels, scores)
    return roc, precision


def _curves_by_class(rows: AnswerArrays) -> tuple[list[Curve], list[Curve]]:
    return class_curves(CLASSES_OF_HEAD[rows.head], rows.reference, rows.probabilities, MOST_CLASSES)


def _ranking_figures(name: str, roc: list[Curve], precision: list[Curve]) -> list[tuple["Figure", str]]:
    return [
        (roc_curves(roc), f"{name} head: ROC curves"),
        (precision_recall_curves(precision), f"{name} head: precision and recall"),
    ]


def _reliability(name: str, rows: AnswerArrays) -> tuple["Figure", str]:
    """Draws answers by their confidence; of sets all pairs of question and class, by their probability."""
    if rows.head in MULTI_LABEL_HEADS:
        points = reliability_points(rows.reference.ravel(), rows.probabilities.ravel())
        caption = f"{name} head: probability and share of positives of all pairs of question and class"
        return reliability_curve(*points), caption
    points = reliability_points(~rows.wrong, rows.confidence)
    figure = reliability_curve(*points, names=("confidence", "share of right answers"))
    return figure, f"{name} head: confidence and share of right answers"


def _risk(name: str, rows: AnswerArrays) -> tuple["Figure", str]:
    curves = risk_coverage_curve("model", rows.wrong, rows.confidence)
    return risk_coverage_curves(curves), f"{name} head: what answering only the surest questions would gain"
