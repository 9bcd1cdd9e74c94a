"""The classifier's decisions at the validation thresholds, as tables of its page."""

from collections.abc import Mapping
from typing import Any

from cxrkit.evaluation.confusion_page import COUNT_COLUMNS, class_counts, count_rows
from cxrkit.evaluation.entry_cells import value_cell
from cxrkit.evaluation.finding_metrics import StudyRows
from cxrkit.evaluation.headline import NOT_DEFINED
from cxrkit.evaluation.measured import MODEL
from cxrkit.reporting import Page, format_number
from cxrkit.vocabulary import FINDINGS

_SHOWN = {
    "f1_at_validation_threshold": "F1 [95 % interval]",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "positive_predictive_value": "PPV",
    "negative_predictive_value": "NPV",
    "matthews_correlation": "MCC",
}


def add_decisions(
    page: Page,
    entries: Mapping[tuple[str, str, str], Mapping[str, Any]],
    thresholds: Mapping[str, Any],
    rows: StudyRows,
) -> None:
    """Adds what the thresholds decide for each finding: the figures, and the counts behind them.

    Args:
        page: takes the tables.
        entries: lines of the report by finding, metric and condition.
        thresholds: the report's.
        rows: the model's studies.
    """
    if thresholds["missing"]:
        page.notice(f"No decisions: {thresholds['missing']}.")
        return
    lines = []
    for finding in FINDINGS:
        threshold = thresholds["values"][finding]
        cells = (_short(entries[finding, name, MODEL]) for name in _SHOWN)
        lines.append((finding, NOT_DEFINED if threshold is None else format_number(threshold), *cells))
    page.table(
        ("finding", "threshold", *_SHOWN.values()),
        lines,
        caption=f"Decisions at the thresholds of the {thresholds['split']} split. PPV and NPV: positive and "
        "negative predictive value, MCC: Matthews correlation",
    )
    counts = class_counts(rows.labels, rows.flagged)
    decided = [
        line for line in count_rows(FINDINGS, counts) if thresholds["values"][str(line[0])] is not None
    ]
    page.table(("finding", *COUNT_COLUMNS[1:]), decided, "Counts of the decisions, findings with a threshold")


def _short(entry: Mapping[str, Any]) -> str:
    return NOT_DEFINED if entry["value"] is None else value_cell(entry)
