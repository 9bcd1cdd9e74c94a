"""Figures of the report's page, from the prediction table."""

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cxrkit.evaluation.classification_scores import study_rows
from cxrkit.evaluation.definitions import CLASSIFIER, DEFINITIONS, RADIOLOGIST
from cxrkit.evaluation.finding_metrics import StudyRows
from cxrkit.evaluation.head_rows import HeadRows, tables_of_conditions
from cxrkit.evaluation.headline import HEADLINE_CONTROLS, headline_keys, headline_title
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.predictions import read_metadata
from cxrkit.evaluation.report import find_entry
from cxrkit.metrics.counts import FloatArray, confusion_of_rows
from cxrkit.metrics.curves import precision_recall_points, reliability_points, roc_points
from cxrkit.metrics.ranking import BoolArray, auroc, average_precision
from cxrkit.reporting.curves import Curve, precision_recall_curves, reliability_curve, roc_curves
from cxrkit.reporting.figures import IntervalRow, confusion_matrix, interval_plot
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDINGS, SEVERITIES, Head

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOT_IN_0_TO_1 = frozenset({"log_loss"})
TITLE_WIDTH = 46  # letters of a figure's name in a line


def headline_figure(report: Mapping[str, Any]) -> "Figure":
    """Gives the headline figures with intervals, each beside its controls; undefined ones are left out."""
    rows = []
    for head, name in headline_keys(report):
        entry = find_entry(report, name, head, MODEL)
        if entry is None or entry["value"] is None or name in NOT_IN_0_TO_1:
            continue
        controls = {control: find_entry(report, name, head, control) for control in HEADLINE_CONTROLS}
        values = {
            key.replace("_", " "): found["value"]
            for key, found in controls.items()
            if found and found["value"] is not None
        }
        low, high = entry["interval"] or (float("nan"), float("nan"))
        title = fill(headline_title(report, entry).split(" - ")[0], TITLE_WIDTH)
        rows.append(IntervalRow(title, entry["value"], low, high, values, entry["n"]))
    return interval_plot(rows, unit="score, 95 % interval over patients")


def binary_figures(predictions: pa.Table) -> list[tuple["Figure", str]]:
    """Gives ROC curves of the yes/no questions per condition, and the model's reliability."""
    figures = []
    curves = []
    for condition, part in tables_of_conditions(predictions, "question_row").items():
        rows = HeadRows.of_table(part, Head.BINARY, condition)
        labels, scores = rows.reference[:, 1], rows.probabilities[:, 1]
        curves += _roc(condition.replace("_", " "), labels, scores)
        if condition == MODEL and len(labels):
            stated, seen, cases = reliability_points(labels, scores)
            figures.append((reliability_curve(stated, seen, cases), "Binary head: stated probability of yes"))
    return [(roc_curves(curves), "Binary head: ROC curves of the model and its controls"), *figures]


def severity_figure(predictions: pa.Table) -> tuple["Figure", str]:
    """Gives the model's confusion matrix of severities."""
    rows = HeadRows.of_table(tables_of_conditions(predictions, "question_row")[MODEL], Head.SEVERITY, MODEL)
    num_classes = len(CLASSES_OF_HEAD[Head.SEVERITY])
    confusion = confusion_of_rows(rows.reference.argmax(1), rows.predicted.argmax(1), num_classes).sum(0)
    return confusion_matrix(
        confusion.astype(np.int64), SEVERITIES
    ), "Severity head: reference (rows) and model"


def finding_figures(predictions: pa.Table) -> list[tuple["Figure", str]]:
    """Gives the model's ROC and precision-recall curves of the findings, and its reliability."""
    rows = _study_rows(predictions, CLASSIFIER)
    roc, precision = _finding_curves(rows)
    stated, seen, cases = reliability_points(rows.labels.ravel(), rows.probabilities.ravel())
    return [
        (roc_curves(roc), "ROC curves of the findings"),
        (
            precision_recall_curves(precision),
            f"Precision and recall of the findings; {DEFINITIONS['average_precision'].text}",
        ),
        (
            reliability_curve(stated, seen, cases),
            "Reliability: stated probability and share of positives, all findings together",
        ),
    ]


def radiologist_figures(predictions: pa.Table) -> list[tuple["Figure", str]]:
    """Gives the model's ROC curves against the labels of radiologists."""
    roc, _ = _finding_curves(_study_rows(predictions, RADIOLOGIST))
    return [(roc_curves(roc), "ROC curves of the findings against the labels of radiologists")]


def _study_rows(predictions: pa.Table, head: str) -> StudyRows:
    model = tables_of_conditions(predictions, "study_id")[MODEL]
    return study_rows(model, MODEL, read_metadata(predictions), head)


def _finding_curves(rows: StudyRows) -> tuple[list[Curve], list[Curve]]:
    roc: list[Curve] = []
    precision: list[Curve] = []
    for index, name in enumerate(FINDINGS):
        labels, scores = rows.labels[:, index], rows.probabilities[:, index]
        roc += _roc(name, labels, scores)
        if labels.any():
            recall, values = precision_recall_points(labels, scores)
            precision.append(Curve(name, recall, values, average_precision(labels, scores).value))
    return roc, precision


def _roc(name: str, labels: BoolArray, scores: FloatArray) -> list[Curve]:
    area = auroc(labels, scores)
    if not area.defined:
        return []
    false_alarms, found = roc_points(labels, scores)
    return [Curve(name, false_alarms, found, area.value)]
