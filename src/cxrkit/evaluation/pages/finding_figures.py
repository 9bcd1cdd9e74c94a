"""Curves of the 14 findings, from the prediction table."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation.classification_scores import study_rows
from cxrkit.evaluation.finding_metrics import StudyRows
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.curve_points import class_curves, risk_coverage_curve
from cxrkit.evaluation.predictions import read_metadata
from cxrkit.metrics.curves import reliability_points
from cxrkit.reporting import Page
from cxrkit.reporting.curves import Curve, precision_recall_curves, risk_coverage_curves, roc_curves
from cxrkit.reporting.multiples import ReliabilityPanel, reliability_multiples
from cxrkit.vocabulary import FINDINGS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def model_rows(predictions: pa.Table, head: str) -> StudyRows:
    """Reads the model's studies against one kind of labels, in the order of the studies."""
    rows = predictions.filter(pc.field("condition") == MODEL).sort_by("study_id").combine_chunks()
    return study_rows(rows, MODEL, read_metadata(predictions), head)


def add_ranking_curves(page: Page, rows: StudyRows, against: str = "") -> None:
    """Adds ROC and precision-recall curves of the findings that have both values.

    Args:
        page: takes them.
        rows: the model's studies.
        against: whose labels, for the captions, such as " against ...".
    """
    roc, precision = class_curves(FINDINGS, rows.labels, rows.probabilities, len(FINDINGS))
    if not roc:
        page.remark("No ROC or precision-recall curve: no finding has both values.")
        return
    page.figures(
        [
            (roc_curves(roc), f"ROC curves of the findings{against}"),
            (precision_recall_curves(precision), f"Precision and recall of the findings{against}"),
        ]
    )


def add_confidence_curves(page: Page, rows: StudyRows) -> None:
    """Adds the reliability of every finding, and what deciding only the clearest studies would gain."""
    if not rows.labels.any():
        page.remark("No reliability curves: no label is positive.")
        return
    page.figure(
        _reliability(rows),
        "Reliability: stated probability and share of positives in ten bins of equal width",
    )
    curves = _risk_curves(rows)
    if not curves:
        page.remark("No risk-coverage curves: there are no thresholds, and so no decisions.")
        return
    page.figure(
        risk_coverage_curves(curves),
        "Wrong decisions when only the studies are decided whose probability lies far from the threshold",
    )


def _reliability(rows: StudyRows) -> "Figure":
    return reliability_multiples(
        [
            ReliabilityPanel(
                name,
                *reliability_points(rows.labels[:, place], rows.probabilities[:, place]),
                int(rows.labels[:, place].sum()),
            )
            for place, name in enumerate(FINDINGS)
        ]
    )


def _risk_curves(rows: StudyRows) -> list[Curve]:
    curves: list[Curve] = []
    for place in np.flatnonzero(~np.isnan(rows.thresholds)).tolist():
        wrong = rows.flagged[:, place] != rows.labels[:, place]
        distance = np.abs(rows.probabilities[:, place] - rows.thresholds[place])
        curves += risk_coverage_curve(FINDINGS[place], wrong, distance)
    return curves
