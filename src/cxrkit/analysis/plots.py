"""The figure `distribution_plots.png`: all distributions on one sheet."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from cxrkit.analysis import panels
from cxrkit.reporting.palette import INK

_SHEET: tuple[tuple[panels.Panel, ...], ...] = (
    (panels.draw_split_sizes, panels.draw_ratings, panels.draw_polarity),
    (panels.draw_question_types, panels.draw_regions, panels.draw_labels),
    (panels.draw_observations, panels.draw_box_coverage, panels.draw_majority),
    (panels.draw_question_lengths, panels.draw_answer_lengths, panels.draw_exposure),
)


def distribution_figure(data: Mapping[str, Any]) -> Figure:
    """Gives the sheet of twelve panels.

    Args:
        data: the analysis report.
    """
    # Margins by hand: the names are known beforehand, and measuring them doubles the time of drawing.
    figure = Figure(figsize=(17, 18.5))
    title = "Distributions of the data set"
    figure.suptitle(title, fontsize=15, fontweight="bold", color=INK, x=0.015, y=0.985, ha="left")
    grid = figure.subplots(4, 3, height_ratios=[1.0, 2.1, 1.0, 1.0])
    figure.subplots_adjust(left=0.13, right=0.985, top=0.945, bottom=0.04, wspace=0.64, hspace=0.38)
    for row, drawers in zip(grid, _SHEET, strict=True):
        for axes, draw in zip(row, drawers, strict=True):
            draw(axes, data)
    return figure


def panel_figure(
    draw: panels.Panel, data: Mapping[str, Any], height: float = 3.2, names: float = 0.8
) -> Figure:
    """Gives one panel as a figure of its own.

    Args:
        draw: the panel.
        data: the analysis report.
        height: of the figure, in inches.
        names: room for the names at the left, in inches.
    """
    width = 7.4
    figure = Figure(figsize=(width, height))
    axes = figure.subplots()
    figure.subplots_adjust(left=names / width, right=0.97, top=1 - 0.35 / height, bottom=0.66 / height)
    draw(axes, data)
    return figure
