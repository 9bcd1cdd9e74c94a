"""The figure `distribution_plots.png`: all distributions on one sheet."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from cxrkit.analysis import panels
from cxrkit.reporting.palette import INK

_SHEET: tuple[tuple[panels.Panel, ...], ...] = (
    (panels.draw_split_sizes, panels.draw_ratings, panels.draw_polarity),
    (panels.draw_question_types, panels.draw_regions, panels.draw_labels),
    (panels.draw_observations, panels.draw_box_coverage, panels.draw_majority),
)


def distribution_figure(data: Mapping[str, Any]) -> Figure:
    """Gives the sheet of nine panels.

    Args:
        data: the analysis report.
    """
    figure = Figure(figsize=(17, 14), layout=ConstrainedLayoutEngine(w_pad=0.16, h_pad=0.16))
    title = "Distributions of the data set"
    figure.suptitle(title, fontsize=15, fontweight="bold", color=INK, x=0.01, ha="left")
    grid = figure.subplots(3, 3, height_ratios=[1.0, 2.1, 1.0])
    for row, drawers in zip(grid, _SHEET, strict=True):
        for axes, draw in zip(row, drawers, strict=True):
            draw(axes, data)
    return figure


def panel_figure(draw: panels.Panel, data: Mapping[str, Any], height: float = 3.2) -> Figure:
    """Gives one panel as a figure of its own.

    Args:
        draw: the panel.
        data: the analysis report.
        height: in inches.
    """
    figure = Figure(figsize=(7.4, height), layout="constrained")
    draw(figure.subplots(), data)
    return figure
