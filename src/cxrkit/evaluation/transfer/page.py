"""`transfer_report.html`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cxrkit.evaluation.definitions import DEFINITIONS
from cxrkit.evaluation.pages.entry_cells import control_cell, value_cell
from cxrkit.evaluation.transfer.scores import BLANK, MAJORITY, MODEL, OPEN, YES_NO
from cxrkit.reporting import Page, format_count

TITLES = {"vqa_rad": "VQA-RAD", "slake": "SLAKE"}
KINDS = {YES_NO: "yes/no", OPEN: "open"}
_ALIGN: tuple[Literal["left", "right"], ...] = ("left", "left", "right", "right", "right", "right", "right")
COLUMNS = ("questions", "figure", "model [95 %]", "blank image", "majority", "n", "films")


def transfer_rows(report: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Gives the rows of the table of figures, with the columns `COLUMNS`.

    Args:
        report: the content of `transfer_report.json`.
    """
    rows = []
    found = {(entry["questions"], entry["name"], entry["condition"]): entry for entry in report["metrics"]}
    for kind, name in dict.fromkeys((kind, name) for kind, name, _ in found):
        own = found[kind, name, MODEL]
        controls = (control_cell(found.get((kind, name, key))) for key in (BLANK, MAJORITY))
        counts = (format_count(own["n"]), format_count(own["n_films"]))
        rows.append((KINDS[kind], DEFINITIONS[name].title, value_cell(own), *controls, *counts))
    return rows


def write_transfer_page(report: Mapping[str, Any], path: Path) -> None:
    """Writes the page; it holds figures alone, no film and no text of the set."""
    title = TITLES[report["dataset"]]
    page = Page(f"Transfer to {title}", f"split {report['split']}, checkpoint {report['checkpoint']}")
    page.facts(
        [
            ("questions asked", format_count(report["n_questions_asked"])),
            ("questions of the split", format_count(report["n_questions_in_split"])),
            ("films", format_count(report["n_films"])),
            ("scene graph", str(report["graph_source"])),
        ]
    )
    page.section(
        "Figures",
        "The set names no patients: intervals resample films, and are too narrow where one patient has "
        "several. Majority is the commonest answer of this very set and question type.",
    )
    page.table(COLUMNS, transfer_rows(report), align=_ALIGN)
    page.section("What was asked, and what was not")
    page.table(("question type", "questions"), list(report["asked_by_type"].items()), "Asked")
    page.table(("reason", "questions"), list(report["left_out"].items()), "Left out")
    page.section("Definitions")
    used = dict.fromkeys(entry["name"] for entry in report["metrics"])
    page.table(("metric", "definition"), [(DEFINITIONS[name].title, DEFINITIONS[name].text) for name in used])
    page.write(path)
