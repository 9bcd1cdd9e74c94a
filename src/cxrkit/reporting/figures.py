"""Whole figures for pages: bars, histograms, intervals, confusion matrices, films; object API, no display."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cxrkit.reporting.axes import (
    LABEL_SIZE,
    SMALL_SIZE,
    draw_bars,
    draw_histogram,
    draw_horizontal_bars,
    draw_stacked_shares,
    say_empty,
    style_axes,
)
from cxrkit.reporting.formatting import format_count, format_interval, format_percent
from cxrkit.reporting.gallery import GalleryItem
from cxrkit.reporting.palette import BLUE, BOX_COLORS, FAINT_INK, INK, MARKERS, RULE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bar_counts(counts: Mapping[str, int], title: str = "", unit: str = "count") -> Figure:
    """Gives upright bars with the count over each."""
    figure = Figure(figsize=(max(4.0, 0.9 * len(counts) + 1.5), 3.2), layout="constrained")
    draw_bars(figure.subplots(), counts, title, unit)
    return figure


def horizontal_bars(
    values: Mapping[str, float], title: str = "", unit: str = "count", total: float | None = None
) -> Figure:
    """Gives lying bars with value and share.

    Args:
        values: a value per name, in the order of drawing from the top.
        title: a line above.
        unit: what is counted.
        total: the whole of which shares are taken; no shares when None.
    """
    figure = Figure(figsize=(7.2, max(1.8, 0.27 * len(values) + 0.9)), layout="constrained")
    draw_horizontal_bars(figure.subplots(), values, title, unit, total)
    return figure


def stacked_shares(rows: Mapping[str, Mapping[str, int]], title: str = "") -> Figure:
    """Gives one bar of 100 % per row, split into parts.

    Args:
        rows: per row the counts of its parts; all rows have the same parts.
        title: a line above.
    """
    figure = Figure(figsize=(7.2, max(2.0, 0.36 * len(rows) + 1.2)), layout="constrained")
    draw_stacked_shares(figure.subplots(), rows, title)
    return figure


def histogram(
    values: npt.ArrayLike, bins: int = 20, title: str = "", unit: str = "value", ylabel: str = "count"
) -> Figure:
    """Gives a histogram of values; values that are not finite are left out.

    Args:
        values: `[n]` numbers.
        bins: number of equal bins from the least to the greatest value.
        title: a line above.
        unit: what the values are.
        ylabel: what is counted.
    """
    finite = np.asarray(values, dtype=float).ravel()
    counts, edges = np.histogram(finite[np.isfinite(finite)], bins=bins)
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    draw_histogram(figure.subplots(), counts, edges, title, unit, ylabel)
    return figure


@dataclass(frozen=True)
class IntervalRow:
    """One line of an interval plot.

    Attributes:
        label: what was measured.
        value: the estimate.
        low: lower end of its interval; NaN draws no interval.
        high: upper end of its interval; NaN draws no interval.
        controls: values of controls by name, e.g. `{"majority": 0.5}`.
        count: number of cases behind it; None hides it.
    """

    label: str
    value: float
    low: float = float("nan")
    high: float = float("nan")
    controls: Mapping[str, float] = field(default_factory=dict)
    count: int | None = None


def interval_plot(
    rows: Sequence[IntervalRow],
    title: str = "",
    unit: str = "score",
    limits: tuple[float, float] | None = (0.0, 1.0),
    value_name: str = "model",
) -> Figure:
    """Gives estimates with intervals, one line each, beside the values of their controls.

    Args:
        rows: the lines, from the top.
        title: a line above.
        unit: what the x axis shows.
        limits: ends of the x axis; from the values when None.
        value_name: what the legend calls the estimates.
    """
    figure = Figure(figsize=(7.6, max(2.1, 0.34 * len(rows) + 1.3)), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, title, xlabel=unit, grid="x")
    if not rows:
        say_empty(axes)
        return figure
    _draw_intervals(axes, rows, value_name)
    _draw_controls(axes, rows)
    labels = [
        row.label if row.count is None else f"{row.label}  (n = {format_count(row.count)})" for row in rows
    ]
    axes.set_yticks(np.arange(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if limits is not None:
        axes.set_xlim(*limits)
    figure.legend(loc="outside lower left", ncols=5, fontsize=LABEL_SIZE, frameon=False)
    return figure


def _row_label(row: IntervalRow) -> str:
    return row.label if row.count is None else f"{row.label}  (n = {format_count(row.count)})"


def _draw_intervals(axes: "Axes", rows: Sequence[IntervalRow], value_name: str) -> None:
    places = np.arange(len(rows))
    values = np.array([row.value for row in rows])
    ends = np.array([[row.low, row.high] for row in rows])
    axes.hlines(places, ends[:, 0], ends[:, 1], color=BLUE, linewidth=2.2)
    axes.plot(values, places, "o", color=BLUE, markersize=6.5, label=value_name, zorder=3)
    # The numbers stand at the right edge, where no point lies, one below the other.
    frame = ("axes fraction", "data")
    for place, row in zip(places, rows, strict=True):
        text = format_interval(row.value, row.low, row.high)
        axes.annotate(text, (1.01, place), xycoords=frame, va="center", fontsize=SMALL_SIZE, color=INK)


def _draw_controls(axes: "Axes", rows: Sequence[IntervalRow]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row.controls))
    for order, name in enumerate(names, 1):
        points = [(row.controls[name], place) for place, row in enumerate(rows) if name in row.controls]
        xs, ys = zip(*points, strict=True)
        color, marker = SERIES[order % len(SERIES)], MARKERS[order % len(MARKERS)]
        (points_drawn,) = axes.plot(xs, ys, marker, color=color, label=name, zorder=4)
        points_drawn.set(markersize=6, markerfacecolor="white", markeredgewidth=1.6)


def confusion_matrix(matrix: npt.ArrayLike, labels: Sequence[str], title: str = "") -> Figure:
    """Gives a confusion matrix, coloured by the share of each true class, with counts written in.

    Args:
        matrix: `[classes, classes]` counts; rows are the reference, columns the prediction.
        labels: the names of the classes.
        title: a line above.
    """
    counts = np.asarray(matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(3.0, 0.62 * len(labels) + 1.8)
    figure = Figure(figsize=(side + 0.4, side), layout="constrained")
    axes = figure.subplots()
    style_axes(axes, title, xlabel="predicted", ylabel="reference")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        text = f"{format_count(int(counts[row, column]))}\n{format_percent(float(share), 0)}"
        color = "white" if share > 0.55 else INK
        axes.text(column, row, text, ha="center", va="center", fontsize=SMALL_SIZE, color=color)
    turn = 45 if max(map(len, labels), default=0) > 9 else 0
    axes.set_xticks(range(len(labels)), labels, rotation=turn, ha="right" if turn else "center")
    axes.set_yticks(range(len(labels)), labels)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def film_grid(items: Sequence[GalleryItem], columns: int = 3, title: str = "") -> Figure:
    """Gives films side by side with their boxes and titles.

    Args:
        items: the films; their lines of text are not drawn.
        columns: films per row.
        title: a line above all.
    """
    rows = max(1, -(-len(items) // columns))
    figure = Figure(figsize=(3.0 * columns, 3.2 * rows), layout="constrained")
    if title:
        figure.suptitle(title, fontsize=LABEL_SIZE + 2, color=INK, fontweight="bold")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, item in zip(grid, items, strict=False):
        _draw_film(axes, item)
    for axes in grid[len(items) :]:
        axes.set_axis_off()
    if not items:
        say_empty(grid[0], "no films")
    return figure


def _draw_film(axes: "Axes", item: GalleryItem) -> None:
    axes.imshow(item.image, cmap="gray", vmin=0, vmax=255)
    axes.set_title(item.title, fontsize=LABEL_SIZE, color=INK, loc="left")
    if item.heat is not None:
        x1, y1, x2, y2 = item.heat.square
        axes.imshow(item.heat.rgba(), extent=(x1, x2, y2, y1), interpolation="nearest")
        height, width = item.image.shape
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    for box in item.boxes:
        x1, y1, x2, y2 = box.xyxy
        color = BOX_COLORS[box.kind]
        style = "--" if box.kind == "reference" else "-"
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linestyle=style))
        frame = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "pad": 1.0}
        axes.text(x1, y1, box.caption, fontsize=SMALL_SIZE - 1, color=color, va="bottom", bbox=frame)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color(RULE if item.boxes else FAINT_INK)
