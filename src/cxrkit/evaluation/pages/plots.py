"""The figure of a report's headline figures."""

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

from cxrkit.evaluation.headline import HEADLINE_CONTROLS, headline_keys, headline_title
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.report import find_entry
from cxrkit.reporting.figures import IntervalRow, interval_plot

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
