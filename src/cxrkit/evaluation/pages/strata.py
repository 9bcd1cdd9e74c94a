"""The figures of groups of questions or studies on the page of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

from cxrkit.evaluation.definitions import DEFINITIONS
from cxrkit.evaluation.measured import CONTROLS, FEW_PATIENTS, MODEL
from cxrkit.evaluation.pages.entry_cells import control_cell, value_cell
from cxrkit.reporting import Page

STRATA = {
    "question_type": "Question types",
    "strategy": "Question strategies",
    "region_group": "Groups of regions (of the answer's boxes, and those that it names)",
    "polarity": "Polarity of the reference answer",
    "quality_grade": "Quality grade of the question",
    "view": "View",
    "sex": "Sex",
    "age_group": "Age in years",
    "race": "Race",
}
_FLAG = "few"


def add_strata(page: Page, report: Mapping[str, Any]) -> None:
    """Adds one table per stratum, smallest groups flagged.

    Args:
        page: of the evaluation.
        report: the content of `evaluation_report.json`.
    """
    entries = report["strata"]
    by_patients = [name for name in ("sex", "age_group", "race") if _of(entries, name)]
    missing = (
        "" if by_patients else " Sex, age and race are there when tables of patients are given (--patients)."
    )
    page.section(
        "Groups",
        f"The same figures for parts of the data. Groups with fewer than {FEW_PATIENTS} patients are flagged "
        f'"{_FLAG}": their intervals say little.{missing}',
    )
    for stratum, title in STRATA.items():
        if of_stratum := _of(entries, stratum):
            page.table(_columns(of_stratum), _rows(of_stratum), caption=title)


def _of(entries: Sequence[Mapping[str, Any]], stratum: str) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if entry["stratum"] == stratum]


def _conditions(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    present = {entry["condition"] for entry in entries}
    return [name for name in CONTROLS if name in present]


def _columns(entries: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    controls = (name.replace("_", " ") for name in _conditions(entries))
    return ("group", "metric", "model [95 % interval]", *controls, "n", "patients", "flag")


def _rows(entries: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    found = {(entry["group"], entry["head"], entry["name"], entry["condition"]): entry for entry in entries}
    controls = _conditions(entries)
    return [
        (
            group,
            f"{head}: {DEFINITIONS[name].title}",
            value_cell(entry),
            *(control_cell(found.get((group, head, name, control))) for control in controls),
            entry["n"],
            entry["n_patients"],
            _FLAG if entry["few_patients"] else "",
        )
        for (group, head, name, condition), entry in found.items()
        if condition == MODEL
    ]
