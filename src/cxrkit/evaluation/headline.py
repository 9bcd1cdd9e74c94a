"""The few figures shown first, each beside its controls."""

from collections.abc import Mapping
from typing import Any

from cxrkit.evaluation.definitions import (
    CLASSIFIER,
    DEFINITIONS,
    GROUNDING,
    HEADLINE_METRICS,
    MIN_POSITIVE_STUDIES,
    RADIOLOGIST,
)
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.report import find_entry
from cxrkit.reporting import format_interval
from cxrkit.vocabulary import ANSWER_HEADS

HEADLINE_COLUMNS = ("figure", "model [95 % interval]", "blank image", "question only", "majority")
# For terminals of 80 columns.
HEADLINE_SHORT_COLUMNS = ("figure", "model [95 %]", "blank", "text only", "majority")
HEADLINE_CONTROLS = ("blank_image", "question_only", "majority")
NOT_DEFINED = "not defined"
NOT_MADE = "-"


def headline_table(report: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Gives the rows of the headline table; the columns are `HEADLINE_COLUMNS`.

    Args:
        report: the content of `evaluation_report.json`, of either task.
    """
    rows = []
    for head, name in headline_keys(report):
        entry = find_entry(report, name, head, MODEL)
        if entry is not None:
            blank, question, majority = (
                _cell(find_entry(report, name, head, control)) for control in HEADLINE_CONTROLS
            )
            rows.append((headline_title(report, entry), _cell(entry), blank, question, majority))
    return rows


def headline_keys(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Gives head and metric of each figure shown first."""
    questions = [*(head.value for head in ANSWER_HEADS), GROUNDING]
    heads = [CLASSIFIER, RADIOLOGIST] if report["task"] == "classify" else questions
    return [(head, name) for head in heads for name in HEADLINE_METRICS[head]]


def headline_title(report: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Gives the exact name of a figure, with the number of classes where it is a mean over them.

    Args:
        report: the whole report, for the split.
        entry: the model's line.
    """
    count = entry["n_classes"]
    if entry["head"] in (CLASSIFIER, RADIOLOGIST):
        return _classifier_title(report, entry)
    title = f"{entry['head'].capitalize()}: {DEFINITIONS[entry['name']].title}"
    if entry["name"] == "macro_auroc":
        title += f" ({count} class{'' if count == 1 else 'es'})"
    if entry["name"] == "mean_iou":
        title += " (questions with reference boxes)"
    return title


def _classifier_title(report: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    who = "Classifier" if entry["head"] == CLASSIFIER else f"Against radiologists, {entry['n']} studies"
    title, count = DEFINITIONS[entry["name"]].title, entry["n_classes"]
    if count is None:
        return f"{who}: {title}"
    findings = f"{count} finding{'' if count == 1 else 's'}"
    if entry["name"] == "mean_auroc_of_frequent_findings":
        where = f"findings with >= {MIN_POSITIVE_STUDIES} positive {report['split']} studies, {findings}"
        return f"{who}: mean AUROC ({where})"
    if entry["name"] == "mean_f1_at_validation_thresholds":
        return f"{who}: {title} (at validation thresholds, {findings})"
    return f"{who}: {title} (all defined, {findings})"


def headline_warning(report: Mapping[str, Any]) -> str | None:
    """Gives what must be read before the headline table, or None.

    Args:
        report: the content of `evaluation_report.json`, of either task.
    """
    if report.get("graph_source") == "oracle":
        return "oracle graph: the figures of the model are an upper bound, its graph leaks the answer"
    return None


def _cell(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return NOT_MADE
    if entry["value"] is None:
        return NOT_DEFINED
    low, high = entry["interval"] or (None, None)
    return (
        format_interval(entry["value"], low, high) if entry["condition"] == MODEL else f"{entry['value']:.3f}"
    )
