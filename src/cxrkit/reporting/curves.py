"""Figures of curves: ROC, precision-recall, reliability. The points come in ready; nothing is scored here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrkit.reporting.axes import LABEL_SIZE, SMALL_SIZE, count_axis, say_empty, share_axis, style_axes
from cxrkit.reporting.formatting import format_number
from cxrkit.reporting.palette import BLUE, FAINT_INK, LINE_STYLES, SERIES, series_color

# Two stand side by side on the page.
_SQUARE_INCHES = (5.2, 3.1)


@dataclass(frozen=True)
class Curve:
    """A named curve.

    Attributes:
        name: what the legend calls it.
        x: `[points]`.
        y: `[points]`.
        score: the number behind the name (an area, an average precision); None shows none.
    """

    name: str
    x: npt.ArrayLike
    y: npt.ArrayLike
    score: float | None = None


def _unit_square(title: str, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SQUARE_INCHES, layout="compressed")
    axes = figure.subplots()
    style_axes(axes, title, xlabel, ylabel, grid="both")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.tick_params(axis="x", pad=5)
    axes.set_box_aspect(1)
    return figure, axes


def _draw_curves(axes: Axes, curves: Sequence[Curve], steps: bool) -> None:
    for order, curve in enumerate(curves):
        label = curve.name if curve.score is None else f"{format_number(curve.score, 2)}  {curve.name}"
        x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
        # Colour and dashes together keep up to 28 curves apart.
        style = LINE_STYLES[order // len(SERIES) % len(LINE_STYLES)]
        how = "steps-post" if steps else "default"
        axes.plot(x, y, style, color=series_color(order), linewidth=1.6, label=label, drawstyle=how)


def _legend_beside(axes: Axes, title: str) -> None:
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.03, 1.02), fontsize=SMALL_SIZE - 0.5, frameon=False, title=title,
        title_fontsize=SMALL_SIZE, alignment="left", borderaxespad=0.0, handlelength=1.6,
    )  # fmt: skip


def roc_curves(curves: Sequence[Curve], title: str = "") -> Figure:
    """Gives ROC curves with the diagonal of chance.

    Args:
        curves: x is the false positive rate, y the sensitivity, score the area under the curve.
        title: a line above.
    """
    figure, axes = _unit_square(title, "1 - specificity", "sensitivity")
    if not curves:
        say_empty(axes)
        return figure
    axes.plot([0, 1], [0, 1], color=FAINT_INK, linewidth=1, linestyle=":")
    _draw_curves(axes, curves, steps=False)
    _legend_beside(axes, "AUROC")
    return figure


def precision_recall_curves(
    curves: Sequence[Curve], title: str = "", prevalence: float | None = None
) -> Figure:
    """Gives precision-recall curves.

    Args:
        curves: x is the recall, y the precision, score the average precision.
        title: a line above.
        prevalence: the precision of chance, drawn as a dotted line; none when None.
    """
    figure, axes = _unit_square(title, "recall", "precision")
    if not curves:
        say_empty(axes)
        return figure
    if prevalence is not None:
        axes.axhline(prevalence, color=FAINT_INK, linewidth=1, linestyle=":", label="prevalence")
    # Between two thresholds precision does not change linearly with recall.
    _draw_curves(axes, curves, steps=True)
    _legend_beside(axes, "average precision")
    return figure


def perturbation_curves(curves: Sequence[Curve], title: str = "") -> Figure:
    """Gives the probability of an answer while more and more of its film is removed or shown.

    Args:
        curves: x is the share of patches, y the mean probability of the answer, score the area.
        title: a line above.
    """
    figure, axes = _unit_square(title, "share of patches", "probability of the chosen answer")
    if not curves:
        say_empty(axes)
        return figure
    _draw_curves(axes, curves, steps=False)
    _legend_beside(axes, "area")
    return figure


def risk_coverage_curves(curves: Sequence[Curve], title: str = "") -> Figure:
    """Gives the error rate when only the surest answers are given.

    Args:
        curves: x is the share of answers that are given, y the share of wrong ones among them, score the
            area under the curve.
        title: a line above.
    """
    figure, axes = _unit_square(title, "share of answers given, surest first", "share of wrong answers")
    share_axis(axes, "y")
    if not curves:
        say_empty(axes)
        return figure
    _draw_curves(axes, curves, steps=False)
    highest = max(float(np.max(curve.y)) for curve in curves)
    top = min(1.01, max(0.05, 1.15 * highest))
    axes.set_ylim(-0.02 * top, top)
    _legend_beside(axes, "area")
    return figure


def reliability_curve(
    confidence: npt.ArrayLike,
    accuracy: npt.ArrayLike,
    counts: npt.ArrayLike,
    title: str = "",
    error: float | None = None,
    names: tuple[str, str] = ("stated probability", "observed share"),
) -> Figure:
    """Gives the share that was right against the stated probability, with the cases per bin below.

    Args:
        confidence: `[bins]` mean stated probability; NaN in empty bins.
        accuracy: `[bins]` share of positives (or right answers); NaN in empty bins.
        counts: `[bins]` cases.
        title: a line above.
        error: expected calibration error, written into the plot; none when None.
        names: what the axes show.
    """
    stated, seen, cases = (np.asarray(values, dtype=float) for values in (confidence, accuracy, counts))
    figure = Figure(figsize=(4.0, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[3.2, 1], sharex=True)
    style_axes(upper, title, ylabel=names[1], grid="both")
    style_axes(lower, xlabel=names[0], ylabel="cases", grid="y")
    if not cases.sum():
        say_empty(upper)
        say_empty(lower, "")
        return figure
    full = cases > 0
    upper.plot([0, 1], [0, 1], color=FAINT_INK, linewidth=1, linestyle=":")
    upper.plot(stated[full], seen[full], "o-", color=BLUE, linewidth=1.6, markersize=5)
    if error is not None:
        upper.text(0.03, 0.96, f"calibration error {format_number(error)}", fontsize=LABEL_SIZE, va="top")
    upper.set_ylim(-0.02, 1.02)
    lower.bar(stated[full], cases[full], width=0.7 / len(cases), color=BLUE)
    lower.set_xlim(-0.02, 1.02)
    count_axis(lower, "y")
    share_axis(upper, "y")
    share_axis(lower, "x")
    return figure
