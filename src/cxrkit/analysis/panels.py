"""The panels of the distribution plots; each draws one part of the report on one axes."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cxrkit.analysis.labels import LABEL_VALUES
from cxrkit.analysis.questions import POLARITIES
from cxrkit.reporting.axes import (
    draw_bars,
    draw_histogram,
    draw_horizontal_bars,
    draw_stacked_shares,
    legend_below,
)
from cxrkit.reporting.palette import BLUE, GREEN, GREY, ORANGE, PURPLE, SERIES, SKY, VERMILION
from cxrkit.vocabulary import REGION_GROUPS, SPLITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Report = Mapping[str, Any]
Panel = Callable[["Axes", Report], None]

_HEAD_COLORS = {
    "binary": BLUE, "category": ORANGE, "region": GREEN, "severity": PURPLE, "free_text": GREY,
}  # fmt: skip
_GROUP_COLORS = dict(zip(REGION_GROUPS, SERIES, strict=False))
_POLARITY_COLORS = {"positive": VERMILION, "negative": SKY, "unknown": GREY}
_LABEL_COLORS = {"positive": VERMILION, "negative": SKY, "uncertain": PURPLE, "blank": "#DFE3E7"}


def draw_split_sizes(axes: "Axes", data: Report) -> None:
    """Draws the studies of each split."""
    draw_bars(
        axes, {name: data["splits"][name]["studies"] for name in SPLITS}, "Studies per split", "studies"
    )


def draw_ratings(axes: "Axes", data: Report) -> None:
    """Draws the questions of each rating, the best on top."""
    names = reversed(data["ratings"][SPLITS[0]])
    totals = {name: sum(data["ratings"][split][name] for split in SPLITS) for name in names}
    labels = {name.partition("_")[2].replace("U", "not rated"): count for name, count in totals.items()}
    draw_horizontal_bars(axes, labels, "Question ratings", "questions", sum(labels.values()))


def draw_polarity(axes: "Axes", data: Report) -> None:
    """Draws positive, negative and unknown answers of the kept questions in each split."""
    order = tuple(reversed(POLARITIES))
    rows = {
        split: {name: data["polarity"][split]["kept"][name] for name in order}
        for split in SPLITS
        if sum(data["polarity"][split]["kept"].values())
    }
    draw_stacked_shares(axes, rows, "Polarity of the answers that take part", _POLARITY_COLORS)


def draw_question_types(axes: "Axes", data: Report) -> None:
    """Draws the questions of each type that take part, coloured by head."""
    types = data["question_types"]
    values = {name: entry["kept"]["total"] for name, entry in types.items() if entry["questions"]["total"]}
    colors = [_HEAD_COLORS[types[name]["head"]] for name in values]
    title = "Questions that take part, by type"
    draw_horizontal_bars(axes, values, title, "questions", sum(values.values()), colors)
    if values:
        _color_legend(axes, {head: _HEAD_COLORS[head] for head in _HEAD_COLORS if _has_head(types, head)})


def _has_head(types: Mapping[str, Any], head: str) -> bool:
    return any(entry["head"] == head and entry["questions"]["total"] for entry in types.values())


def draw_regions(axes: "Axes", data: Report) -> None:
    """Draws the positive observations of each region, coloured by group."""
    regions = data["regions"]["by_region"]
    if not any(entry["positive_observations"] for entry in regions.values()):
        regions = {}
    order = sorted(regions, key=lambda name: (REGION_GROUPS.index(regions[name]["group"]), name))
    values = {name: regions[name]["positive_observations"] for name in order}
    colors = [_GROUP_COLORS[regions[name]["group"]] for name in order]
    draw_horizontal_bars(axes, values, "Positive observations, by region", "observations", colors=colors)
    if values:
        _color_legend(axes, _GROUP_COLORS)


def _color_legend(axes: "Axes", colors: Mapping[str, str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=color, label=name.replace("_", " ")) for name, color in colors.items()]
    legend_below(axes, len(handles), points=32, handles=handles)


def draw_labels(axes: "Axes", data: Report) -> None:
    """Draws what the CheXpert labels of the training studies say about each finding."""
    train = data["labels"]["chexpert"]["train"]
    rows = {name: {kind: counts[kind] for kind in LABEL_VALUES} for name, counts in train["findings"].items()}
    title = "CheXpert labels of the training studies"
    draw_stacked_shares(axes, rows if train["studies"] else {}, title, _LABEL_COLORS)


def draw_observations(axes: "Axes", data: Report) -> None:
    """Draws how many observations a scene graph has."""
    counts = data["scene_graphs"]["graphs"]["observations_per_graph_histogram"]
    edges = np.arange(len(counts) + 1) - 0.5
    draw_histogram(axes, counts, edges, "Observations per scene graph", "observations", "scene graphs")


def draw_box_coverage(axes: "Axes", data: Report) -> None:
    """Draws how many of the 26 regions have a box on a frontal film."""
    counts = data["scene_graphs"]["coverage"]["regions_per_image_histogram"]
    edges = np.arange(len(counts) + 1) - 0.5
    draw_histogram(axes, counts, edges, "Regions with a box, of 26", "regions", "frontal films")


def draw_majority(axes: "Axes", data: Report) -> None:
    """Draws the share of the commonest answer of each head, which a model must beat."""
    shares = {
        name: entry["majority"]["accuracy"]["train"]
        for name, entry in data["heads"].items()
        if entry.get("majority") and entry["majority"]["accuracy"]["train"] is not None
    }
    colors = [_HEAD_COLORS[name] for name in shares]
    title = "Always the commonest answer"
    draw_horizontal_bars(axes, shares, title, "right in training", colors=colors, as_percent=True)


def draw_exposure(axes: "Axes", data: Report) -> None:
    """Draws the films by their mean grey level; nothing when the films were not read."""
    exposure = data["films"]["exposure"] or {"histogram": {"edges": [0, 255], "films": [0]}}
    histogram = exposure["histogram"]
    title = "Exposure" if data["films"]["exposure"] else "Exposure (films not read)"
    draw_histogram(axes, histogram["films"], histogram["edges"], title, "mean grey level", "films")


def draw_question_lengths(axes: "Axes", data: Report) -> None:
    """Draws the questions by their length in words."""
    _draw_lengths(axes, data["texts"]["questions"]["histogram"], "questions")


def draw_answer_lengths(axes: "Axes", data: Report) -> None:
    """Draws the answers by their length in words."""
    _draw_lengths(axes, data["texts"]["answers"]["histogram"], "answers")


def _draw_lengths(axes: "Axes", counts: list[int], what: str) -> None:
    longest = max((place for place, count in enumerate(counts) if count), default=0)
    edges = [place - 0.5 for place in range(longest + 2)]
    # The last place counts all that are longer as well.
    unit = f"words ({longest}: {longest} or more)" if longest == len(counts) - 1 else "words"
    draw_histogram(axes, counts[: longest + 1], edges, f"Length of the {what}", unit, what)


def draw_question_gain(axes: "Axes", data: Report) -> None:
    """Draws what the question's text alone gains over the commonest answer, the most first."""
    found = {
        name: entry["gain"]
        for name, entry in data["question_leakage"].items()
        if entry is not None and entry["gain"] > 0
    }
    ordered = dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))[:12])
    unit = "more often right than the commonest answer"
    draw_horizontal_bars(axes, ordered, "Gain of the question alone", unit, as_percent=True)
