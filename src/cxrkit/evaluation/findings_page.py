"""The sections of a classifier's page: ranking, decisions, and the same against radiologists."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cxrkit.evaluation.definitions import CLASSIFIER, RADIOLOGIST
from cxrkit.evaluation.entry_cells import control_cell, value_cell
from cxrkit.evaluation.headline import NOT_DEFINED
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.plots import finding_figures, radiologist_figures
from cxrkit.reporting import Page, format_number
from cxrkit.vocabulary import FINDINGS

Entries = Mapping[tuple[str, str, str], Mapping[str, Any]]


def add_findings(page: Page, report: Mapping[str, Any], predictions: pa.Table) -> None:
    """Adds tables and curves of the 14 findings.

    Args:
        page: takes them.
        report: the content of `evaluation_report.json`.
        predictions: the table it was computed from.
    """
    page.section("Findings", "Scored under label policy zeros: a label that is blank or -1 counts as 0.")
    entries = _entries(report, CLASSIFIER)
    _add_ranking(page, entries)
    _add_decisions(page, entries, report["thresholds"])
    for figure, caption in finding_figures(predictions):
        page.figure(figure, caption)
    if report["n_radiologist_studies"]:
        page.section(
            "Against radiologists",
            f"The {report['n_radiologist_studies']} studies of this split that radiologists labelled; labels "
            "that are blank or -1 count as 0. Thresholds are those above, chosen on the labels of CheXpert.",
        )
        entries = _entries(report, RADIOLOGIST)
        _add_ranking(page, entries)
        _add_decisions(page, entries, report["thresholds"])
        for figure, caption in radiologist_figures(predictions):
            page.figure(figure, caption)


def _entries(report: Mapping[str, Any], head: str) -> Entries:
    return {
        (entry["finding"], entry["name"], entry["condition"]): entry
        for entry in report["metrics"]
        if entry["head"] == head
    }


def _add_ranking(page: Page, entries: Entries) -> None:
    rows = []
    for finding in FINDINGS:
        area, precision = (entries[finding, name, MODEL] for name in ("auroc", "average_precision"))
        blank = control_cell(entries.get((finding, "auroc", "blank_image")))
        rows.append((finding, value_cell(area), blank, value_cell(precision), area["n_positive"], area["n"]))
    columns = (
        "finding",
        "AUROC [95 % interval]",
        "AUROC, blank image",
        "average precision",
        "positive",
        "studies",
    )
    page.table(columns, rows, caption="Ranking")


def _add_decisions(page: Page, entries: Entries, thresholds: Mapping[str, Any]) -> None:
    if thresholds["missing"]:
        page.notice(f"No decisions: {thresholds['missing']}.")
    names = ("f1_at_validation_threshold", "sensitivity", "specificity", "calibration_error")
    rows = []
    for finding in FINDINGS:
        threshold = thresholds["values"][finding]
        stated = NOT_DEFINED if threshold is None else format_number(threshold)
        cells = (_short(entries[finding, name, MODEL]) for name in names)
        rows.append((finding, stated, *cells))
    page.table(
        ("finding", "threshold", "F1 [95 % interval]", "sensitivity", "specificity", "calibration error"),
        rows,
        caption=f"Decisions at the thresholds of the {thresholds['split']} split, and calibration",
    )


def _short(entry: Mapping[str, Any]) -> str:
    return NOT_DEFINED if entry["value"] is None else value_cell(entry)
