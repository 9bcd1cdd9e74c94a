"""Many small plots of one kind in a grid, so that they can be compared at a glance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrkit.reporting.axes import LABEL_SIZE, SMALL_SIZE, say_empty, share_axis
from cxrkit.reporting.formatting import format_count
from cxrkit.reporting.palette import BLUE, FAINT_INK, INK, RULE

_COLUMNS = 5


@dataclass(frozen=True)
class ReliabilityPanel:
    """Reliability of one class.

    Attributes:
        name: of the class.
        stated: `[bins]` mean stated probability; NaN in empty bins.
        seen: `[bins]` share of positives; NaN in empty bins.
        cases: `[bins]`.
        n_positive: positives in all bins.
    """

    name: str
    stated: npt.ArrayLike
    seen: npt.ArrayLike
    cases: npt.ArrayLike
    n_positive: int


def reliability_multiples(panels: Sequence[ReliabilityPanel]) -> Figure:
    """Gives the share of positives against the stated probability, one small plot per class.

    A point's area grows with the root of its number of cases; a class without positives has words in place
    of points.
    """
    rows = max(1, -(-len(panels) // _COLUMNS))
    figure = Figure(figsize=(10.4, 2.1 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, panel in zip(grid, panels, strict=False):
        _draw_panel(axes, panel)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.supxlabel("stated probability", fontsize=LABEL_SIZE, color=FAINT_INK)
    figure.supylabel("observed share of positives", fontsize=LABEL_SIZE, color=FAINT_INK)
    return figure


def _draw_panel(axes: Axes, panel: ReliabilityPanel) -> None:
    axes.set_title(panel.name, fontsize=SMALL_SIZE, color=INK, loc="left", pad=3)
    axes.set_box_aspect(1)
    if not panel.n_positive:
        return say_empty(axes, "no positives")
    stated, seen, cases = (np.asarray(v, dtype=float) for v in (panel.stated, panel.seen, panel.cases))
    full = cases > 0
    axes.plot([0, 1], [0, 1], color=FAINT_INK, linewidth=0.8, linestyle=":")
    axes.plot(stated[full], seen[full], "-", color=BLUE, linewidth=1.0)
    axes.scatter(stated[full], seen[full], s=6 + 30 * np.sqrt(cases[full] / cases.max()), color=BLUE)
    words = f"{format_count(panel.n_positive)} positive"
    axes.text(0.03, 0.97, words, transform=axes.transAxes, va="top", fontsize=SMALL_SIZE - 1, color=FAINT_INK)
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    share_axis(axes, "x")
    share_axis(axes, "y")
    axes.tick_params(labelsize=SMALL_SIZE - 1, length=0, labelcolor=INK)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(RULE)
    return None
