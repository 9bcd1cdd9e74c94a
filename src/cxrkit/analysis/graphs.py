"""How good the scene graphs are: observations, boxes, coverage of the films."""

from typing import Any

import numpy as np

from cxrkit.analysis.counting import Counts, named, share, slices
from cxrkit.analysis.rows import Rows
from cxrkit.data.index import Index
from cxrkit.vocabulary import REGIONS

LOCALIZATION_LEVELS: tuple[str, ...] = (
    "0 none", "1 fallback", "2 incomplete", "3 box", "4 box and mask",
)  # fmt: skip
_LONGEST_HISTOGRAM = 60
_FRONTAL = 0


def measure_graphs(index: Index, rows: Rows) -> dict[str, Any]:
    """Gives the quality of the scene graphs.

    Returns:
        `graphs`, `observations`, `boxes` and `coverage` of the frontal films.
    """
    has_graph = index.column("studies", "has_scene_graph")
    per_graph = index.column("studies", "num_observations")[has_graph]
    return {
        "graphs": {
            "studies_with_graph": int(has_graph.sum()),
            "studies_without_graph": int((~has_graph).sum()),
            "graphs_without_observations": int((per_graph == 0).sum()),
            "observations_per_graph": _describe(per_graph),
            "observations_per_graph_histogram": _histogram(per_graph),
        },
        "observations": _measure_observations(index),
        "boxes": _measure_boxes(index, rows),
        "coverage": _measure_coverage(index),
    }


def _describe(values: Counts) -> dict[str, float | int | None]:
    if not len(values):
        return {"mean": None, "median": None, "least": None, "most": None}
    return {
        "mean": round(float(values.mean()), 3),
        "median": float(np.median(values)),
        "least": int(values.min()),
        "most": int(values.max()),
    }


def _histogram(values: Counts) -> list[int]:
    """Gives how many values are 0, 1, 2, ...; the last entry also holds all greater ones."""
    if not len(values):
        return []
    clipped = np.minimum(values, _LONGEST_HISTOGRAM)
    return [int(count) for count in np.bincount(clipped)]


def _measure_observations(index: Index) -> dict[str, Any]:
    positiveness = index.column("observations", "positiveness")
    total = len(positiveness)
    return {
        "total": total,
        "positive": int((positiveness == 1).sum()),
        "negative": int((positiveness == 0).sum()),
        "unknown": int((positiveness == -1).sum()),
        "child_share": share((index.column("observations", "parent") >= 0).sum(), total),
        "from_report_share": share(index.column("observations", "from_report").sum(), total),
        "mapped_region_share": share((index.column("observations", "node_bits") != 0).sum(), total),
        "mapped_finding_share": share((index.column("observations", "finding_bits") != 0).sum(), total),
        "with_severity_share": share((index.column("observations", "severity") >= 0).sum(), total),
    }


def _measure_boxes(index: Index, rows: Rows) -> dict[str, Any]:
    fallback = index.column("region_boxes", "is_fallback")
    quality = index.column("region_boxes", "localization_quality")
    levels = np.bincount(np.clip(quality, 0, 4), minlength=len(LOCALIZATION_LEVELS))
    with_box = (index.column("questions", "num_boxes") > 0) & rows.question_kept
    grounded = index.column("questions", "node_valid") & rows.question_kept
    kept = int(rows.question_kept.sum())
    return {
        "total": len(fallback),
        "fallback_share": share(fallback.sum(), len(fallback)),
        "localization_quality": named(LOCALIZATION_LEVELS, levels),
        "unmapped_share": share((index.column("region_boxes", "node") < 0).sum(), len(fallback)),
        "kept_questions_with_box_share": share(with_box.sum(), kept),
        "kept_questions_with_grounding_target_share": share(grounded.sum(), kept),
    }


def _measure_coverage(index: Index) -> dict[str, Any]:
    """Gives which of the 26 regions have a real box on the frontal films of studies with a graph."""
    boxed = np.zeros((len(index.column("images", "view")), len(REGIONS)), dtype=np.bool_)
    image, node = index.column("region_boxes", "image_row"), index.column("region_boxes", "node")
    fallback = index.column("region_boxes", "is_fallback")
    for piece in slices(len(node)):
        real = (node[piece] >= 0) & ~fallback[piece]
        boxed[image[piece][real], node[piece][real]] = True
    with_graph = index.column("studies", "has_scene_graph")[index.column("images", "study_row")]
    frontal = boxed[(index.column("images", "view") == _FRONTAL) & with_graph]
    per_film = frontal.sum(axis=1)
    return {
        "frontal_images": len(frontal),
        "with_box_share": share((per_film > 0).sum(), len(frontal)),
        "regions_per_image": _describe(per_film),
        "regions_per_image_histogram": [
            int(count) for count in np.bincount(per_film, minlength=len(REGIONS) + 1)
        ],
        "share_by_region": {
            name: share(frontal[:, place].sum(), len(frontal)) for place, name in enumerate(REGIONS)
        },
    }
