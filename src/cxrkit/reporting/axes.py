"""Drawing on one matplotlib axes: the house style, bars, histograms; pure, no pyplot state."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxrkit.reporting.formatting import format_count, format_number, format_percent
from cxrkit.reporting.palette import BLUE, FAINT_INK, INK, RULE, series_color

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LABEL_SIZE = 9.0
TITLE_SIZE = 10.5
SMALL_SIZE = 8.0


def style_axes(axes: "Axes", title: str = "", xlabel: str = "", ylabel: str = "", grid: str = "") -> None:
    """Gives an axes the house style.

    Args:
        axes: what to style.
        title: a line above it.
        xlabel: what the x axis shows, with its unit.
        ylabel: what the y axis shows, with its unit.
        grid: `x`, `y`, `both` or empty for none.
    """
    axes.set_title(title, fontsize=TITLE_SIZE, color=INK, loc="left", fontweight="bold", pad=8)
    axes.set_xlabel(xlabel, fontsize=LABEL_SIZE, color=FAINT_INK)
    axes.set_ylabel(ylabel, fontsize=LABEL_SIZE, color=FAINT_INK)
    axes.tick_params(labelsize=LABEL_SIZE, colors=FAINT_INK, labelcolor=INK, length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)
    if grid:
        axes.grid(axis=grid, color=RULE, linewidth=0.7)  # type: ignore[arg-type]
        axes.set_axisbelow(True)


def count_axis(axes: "Axes", which: str) -> None:
    """Writes an axis's ticks as whole numbers with thousands separators.

    Args:
        axes: what to change.
        which: `x` or `y`.
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(nbins=4 if which == "x" else 5, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_count(int(value))))


def share_axis(axes: "Axes", which: str) -> None:
    """Writes an axis of shares 0..1 as percent.

    Args:
        axes: what to change.
        which: `x` or `y`.
    """
    from matplotlib.ticker import PercentFormatter

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def say_empty(axes: "Axes", words: str = "no data") -> None:
    """Says in words that there is nothing to draw."""
    axes.text(
        0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=FAINT_INK, style="italic"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_bars(axes: "Axes", counts: Mapping[str, int], title: str = "", unit: str = "count") -> None:
    """Draws upright bars with the count over each.

    Args:
        axes: where to draw.
        counts: a count per name, in the order of drawing.
        title: a line above.
        unit: what is counted.
    """
    style_axes(axes, title, ylabel=unit, grid="y")
    if not counts:
        return say_empty(axes)
    bars = axes.bar(list(counts), list(counts.values()), color=BLUE, width=0.68)
    axes.bar_label(
        bars, [format_count(value) for value in counts.values()], fontsize=SMALL_SIZE, color=INK, padding=2
    )
    count_axis(axes, "y")
    axes.set_ylim(0, max(1.0, 1.14 * max(counts.values())))
    return None


def draw_horizontal_bars(
    axes: "Axes",
    values: Mapping[str, float],
    title: str = "",
    unit: str = "count",
    total: float | None = None,
    colors: Sequence[str] | None = None,
    as_percent: bool = False,
) -> None:
    """Draws lying bars, the first on top, each with its value and its share of the total.

    Args:
        axes: where to draw.
        values: a value per name, in the order of drawing.
        title: a line above.
        unit: what is counted.
        total: the whole of which shares are taken; no shares when None or 0.
        colors: one colour per bar; the house's blue when None.
        as_percent: the values are shares of 0..1 and are written in percent, on an axis from 0 to 100 %.
    """
    style_axes(axes, title, xlabel=unit, grid="x")
    if not values:
        return say_empty(axes)
    places = np.arange(len(values))
    bars = axes.barh(places, list(values.values()), color=list(colors) if colors else BLUE, height=0.7)
    texts = [format_percent(value) if as_percent else _bar_text(value, total) for value in values.values()]
    axes.bar_label(bars, texts, fontsize=SMALL_SIZE, color=INK, padding=3)
    axes.set_yticks(places, list(values))
    axes.set_ylim(len(values) - 0.4, -0.6)
    if as_percent:
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0])
        share_axis(axes, "x")
        return None
    longest = max(len(text) for text in texts)
    axes.set_xlim(0, max(max(values.values()), 1e-9) * (1.06 + 0.028 * longest))
    if all(float(value).is_integer() for value in values.values()):
        count_axis(axes, "x")
    return None


def _bar_text(value: float, total: float | None) -> str:
    text = format_count(int(value)) if float(value).is_integer() else format_number(value)
    return f"{text} ({format_percent(value / total)})" if total else text


def draw_stacked_shares(
    axes: "Axes",
    rows: Mapping[str, Mapping[str, int]],
    title: str = "",
    colors: Mapping[str, str] | None = None,
) -> None:
    """Draws one lying bar of 100 % per row, split into parts; a part's share is written where it fits.

    Args:
        axes: where to draw.
        rows: per row the counts of its parts; all rows have the same parts in the same order.
        title: a line above.
        colors: a colour per part; series colours when None.
    """
    style_axes(axes, title)
    if not rows:
        return say_empty(axes)
    parts = list(next(iter(rows.values())))
    left = np.zeros(len(rows))
    totals = np.array([max(sum(row.values()), 1) for row in rows.values()], dtype=float)
    for place, part in enumerate(parts):
        shares = np.array([row[part] for row in rows.values()]) / totals
        color = colors[part] if colors else series_color(place)
        bars = axes.barh(np.arange(len(rows)), shares, left=left, color=color, height=0.66, label=part)
        texts = [format_percent(share, 0) if share >= 0.09 else "" for share in shares]
        axes.bar_label(bars, texts, label_type="center", fontsize=SMALL_SIZE, color=ink_on(color))
        left += shares
    axes.set_yticks(np.arange(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    share_axis(axes, "x")
    legend_below(axes, len(parts), points=20)
    return None


def legend_below(
    axes: "Axes", columns: int, points: float, handles: Sequence["Artist"] | None = None
) -> None:
    """Puts the legend under the axes, where it covers no bar.

    Args:
        axes: what it explains.
        columns: entries side by side.
        points: distance from the axes; leave room for tick labels and axis name.
        handles: what to list; all labelled artists when None.
    """
    from matplotlib.transforms import ScaledTranslation

    # In points: a share of the axes' height would be far away on a tall plot.
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("the axes belong to no figure")
    below = axes.transAxes + ScaledTranslation(0, -points / 72, figure.dpi_scale_trans)
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 0), bbox_transform=below, ncols=columns,
        fontsize=SMALL_SIZE, frameon=False, labelcolor=INK, handlelength=1.0, columnspacing=1.2,
        borderaxespad=0.0, borderpad=0.0,
    )  # fmt: skip


def ink_on(color: str) -> str:
    """Gives black or white, whichever reads better on a `#rrggbb` background.

    >>> ink_on("#0072B2"), ink_on("#E69F00")
    ('white', 'black')
    """
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.52 else "white"


def draw_histogram(
    axes: "Axes",
    counts: npt.NDArray[np.integer] | Sequence[int],
    edges: npt.NDArray[np.floating] | Sequence[float],
    title: str = "",
    unit: str = "value",
    ylabel: str = "count",
) -> None:
    """Draws a histogram of counts that were made before (so that values never have to fit in memory).

    Args:
        axes: where to draw.
        counts: `[bins]`.
        edges: `[bins + 1]`, ascending.
        title: a line above.
        unit: what the x axis shows.
        ylabel: what is counted.
    """
    style_axes(axes, title, xlabel=unit, ylabel=ylabel, grid="y")
    if not np.sum(counts):
        return say_empty(axes)
    axes.stairs(counts, np.asarray(edges, dtype=float), fill=True, color=BLUE, alpha=0.9)
    axes.set_xlim(float(edges[0]), float(edges[-1]))
    count_axis(axes, "y")
    axes.set_ylim(0, 1.08 * float(np.max(counts)))
    return None
