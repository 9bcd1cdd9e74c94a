"""The sections of a classifier's page: ranking, decisions, calibration; and against radiologists."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cxrkit.evaluation.definitions import CLASSIFIER, DEFINITIONS, RADIOLOGIST
from cxrkit.evaluation.headline import NOT_DEFINED
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.decisions_table import add_decisions
from cxrkit.evaluation.pages.described_scores import add_described_scores
from cxrkit.evaluation.pages.entry_cells import control_cell, value_cell
from cxrkit.evaluation.pages.finding_figures import add_confidence_curves, add_ranking_curves, model_rows
from cxrkit.evaluation.predictions import read_metadata
from cxrkit.reporting import Page
from cxrkit.vocabulary import FINDINGS

_CALIBRATION = (
    "calibration_error",
    "calibration_error_after_temperature",
    "adaptive_calibration_error",
    "brier_score",
)
Entries = Mapping[tuple[str, str, str], Mapping[str, Any]]


def add_findings(page: Page, report: Mapping[str, Any], predictions: pa.Table) -> None:
    """Adds tables and curves of the 14 findings.

    Args:
        page: takes them.
        report: the content of `evaluation_report.json`.
        predictions: the table it was computed from.
    """
    page.section("Findings", "Scored under label policy zeros: a label that is blank or -1 counts as 0.")
    entries, rows = _entries(report, CLASSIFIER), model_rows(predictions, CLASSIFIER)
    _add_ranking(page, entries)
    add_decisions(page, entries, report["thresholds"], rows)
    page.section("Curves of the findings", f"{DEFINITIONS['average_precision'].text.capitalize()}.")
    add_ranking_curves(page, rows)
    page.section(
        "Calibration of the findings", "How far the stated probabilities can be believed, and what they mean."
    )
    _add_calibration(page, entries)
    add_described_scores(page, rows, read_metadata(predictions))
    add_confidence_curves(page, rows)
    if report["n_radiologist_studies"]:
        page.section(
            "Against radiologists",
            f"The {report['n_radiologist_studies']} studies of this split that radiologists labelled; labels "
            "that are blank or -1 count as 0. Thresholds are those above, chosen on the labels of CheXpert.",
        )
        entries, rows = _entries(report, RADIOLOGIST), model_rows(predictions, RADIOLOGIST)
        _add_ranking(page, entries)
        add_decisions(page, entries, report["thresholds"], rows)
        add_ranking_curves(page, rows, " against the labels of radiologists")


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


def _add_calibration(page: Page, entries: Entries) -> None:
    names = [name for name in _CALIBRATION if any(name == key[1] for key in entries)]
    page.table(
        ("finding", *(DEFINITIONS[name].title for name in names)),
        [(finding, *(_short(entries[finding, name, MODEL]) for name in names)) for finding in FINDINGS],
        caption="Calibration, each with its 95 % interval",
    )


def _short(entry: Mapping[str, Any]) -> str:
    return NOT_DEFINED if entry["value"] is None else value_cell(entry)
