"""The page's section on answers that must agree with each other."""

from collections.abc import Mapping
from typing import Any

from cxrkit.evaluation.definitions import CONSISTENCY, DEFINITIONS
from cxrkit.evaluation.headline import NOT_DEFINED
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.entry_cells import control_cell, value_cell
from cxrkit.reporting import Page


def add_consistency(page: Page, report: Mapping[str, Any]) -> None:
    """Adds the agreement of answers; without such answers nothing is added.

    Args:
        page: of the evaluation.
        report: the content of `evaluation_report.json`.
    """
    lines = [entry for entry in report["metrics"] if entry["head"] == CONSISTENCY]
    if not lines:
        return
    page.section(
        "Consistency",
        "Answers that must agree with each other, whatever the truth: no reference is used. The control "
        "takes one of the two answers from a film of another patient; agreement no higher says nothing.",
    )
    found = {(entry["name"], entry["condition"]): entry for entry in lines}
    page.table(
        ("metric", "model [95 % interval]", "film of another patient", "n", "patients"),
        [
            (
                DEFINITIONS[name].title,
                NOT_DEFINED if entry["value"] is None else value_cell(entry),
                control_cell(found.get((name, "shuffled_image"))),
                entry["n"],
                entry["n_patients"],
            )
            for (name, condition), entry in found.items()
            if condition == MODEL
        ],
    )
