"""The classifier's decisions at the validation thresholds, as tables of its page."""

from collections.abc import Mapping
from typing import Any

from cxrkit.evaluation.finding_metrics import StudyRows
from cxrkit.evaluation.headline import NOT_DEFINED
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.confusion import COUNT_COLUMNS, COUNT_WORDS, class_counts, count_rows
from cxrkit.evaluation.pages.entry_cells import value_cell
from cxrkit.reporting import Page, format_number
from cxrkit.vocabulary import FINDINGS

# Two tables: six intervals side by side would be broken over lines.
_DECIDED = {
    "f1_at_validation_threshold": "F1 [95 % interval]",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
}
_PREDICTIVE = {
    "positive_predictive_value": "PPV [95 % interval]",
    "negative_predictive_value": "NPV",
    "matthews_correlation": "MCC",
}
_COUNTS = COUNT_COLUMNS[1:-2]


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
    stated = {
        finding: NOT_DEFINED if value is None else format_number(value)
        for finding, value in thresholds["values"].items()
    }
    page.table(
        ("finding", "threshold", *_DECIDED.values()),
        [(name, stated[name], *(_short(entries[name, key, MODEL]) for key in _DECIDED)) for name in FINDINGS],
        caption=f"Decisions at the thresholds of the {thresholds['split']} split",
    )
    page.table(
        ("finding", *_PREDICTIVE.values()),
        [(name, *(_short(entries[name, key, MODEL]) for key in _PREDICTIVE)) for name in FINDINGS],
        caption="Positive and negative predictive value (PPV, NPV) and Matthews correlation (MCC) at the "
        "same thresholds",
    )
    _add_counts(page, thresholds["values"], rows)


def _add_counts(page: Page, thresholds: Mapping[str, float | None], rows: StudyRows) -> None:
    counts = count_rows(FINDINGS, class_counts(rows.labels, rows.flagged))
    decided = [line[: 1 + len(_COUNTS)] for line in counts if thresholds[str(line[0])] is not None]
    page.table(("finding", *_COUNTS), decided, f"Counts of the decisions ({COUNT_WORDS})")


def _short(entry: Mapping[str, Any]) -> str:
    return NOT_DEFINED if entry["value"] is None else value_cell(entry)
