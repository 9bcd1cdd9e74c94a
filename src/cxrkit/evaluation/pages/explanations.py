"""The page's section on explanations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation.definitions import DEFINITIONS, EXPLANATION, EXPLANATION_CONTROLS
from cxrkit.evaluation.explanation_rows import PerturbationRows
from cxrkit.evaluation.headline import NOT_DEFINED
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.entry_cells import control_cell, value_cell
from cxrkit.metrics.explanations.perturbation import curve_area
from cxrkit.reporting import Page
from cxrkit.reporting.curves import Curve, perturbation_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = {
    "deletion": "removed, most attended first",
    "deletion_random": "removed, random order",
    "insertion": "shown, most attended first",
    "insertion_random": "shown, random order",
}


def add_explanations(page: Page, report: Mapping[str, Any], predictions: pa.Table) -> None:
    """Adds the metrics of explanations beside their controls, and the deletion and insertion curves.

    Args:
        page: the page.
        report: the content of `evaluation_report.json`; without explanations nothing is added.
        predictions: the table it was computed from.
    """
    lines = [entry for entry in report["metrics"] if entry["head"] == EXPLANATION]
    if not lines:
        return
    page.section(
        "Explanations",
        "Where the model attends, and what its answers lose without it. An explanation that is no better "
        "than its control explains nothing.",
    )
    found = {(entry["name"], entry["condition"]): entry for entry in lines}
    controls = [name for name in EXPLANATION_CONTROLS if any(control == name for _, control in found)]
    page.table(
        ("metric", "model", *(name.replace("_", " ") for name in controls), "n", "patients"),
        [
            (
                DEFINITIONS[name].title,
                NOT_DEFINED if entry["value"] is None else value_cell(entry),
                *(control_cell(found.get((name, control))) for control in controls),
                entry["n"],
                entry["n_patients"],
            )
            for (name, condition), entry in found.items()
            if condition == MODEL
        ],
    )
    page.table(("control", "what it is"), [(name.replace("_", " "), EXPLANATION_CONTROLS[name])
                                           for name in controls])  # fmt: skip
    figure = _curves(predictions)
    if figure is not None:
        page.figure(
            figure, "Probability of the chosen answer as patches are removed, or shown on an empty film"
        )


def _curves(predictions: pa.Table) -> "Figure | None":
    rows = PerturbationRows.of_table(predictions.filter(pc.field("condition") == MODEL))
    if rows is None or not len(rows.curve_patients):
        return None
    curves = []
    for name, title in _NAMES.items():
        mean = rows.curves[name].mean(0)
        curves.append(Curve(title, rows.shares, mean, float(curve_area(rows.shares, mean[None])[0])))
    return perturbation_curves(curves)
