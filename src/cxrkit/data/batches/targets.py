"""Targets of questions and scene graphs, read from the index's columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.image_store import ImageStore
from cxrkit.data.index import Index
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.vocabulary import FINDINGS, REGIONS

FloatArray = npt.NDArray[np.float32]


def unpack_bits(bits: npt.NDArray[np.integer], width: int) -> FloatArray:
    """Turns bit sets `[N]` into 0/1 rows `[N, width]`.

    >>> unpack_bits(np.array([5]), 4).tolist()
    [[1.0, 0.0, 1.0, 0.0]]
    """
    return ((bits[:, None].astype(np.int64) >> np.arange(width)) & 1).astype(np.float32)


def question_targets(index: Index, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Gives every head's target for some questions; a masked one is -1 or marked not valid.

    Args:
        index: the opened index.
        rows: `[N]` question rows.
    """

    def column(name: str) -> npt.NDArray[Any]:
        return index.column("questions", name)[rows]

    return {
        "question_type": column("question_type").astype(np.int64),
        "head": column("head").astype(np.int64),
        "binary_target": column("binary_target").astype(np.int64),
        "severity_target": column("severity_target").astype(np.int64),
        "category_target": unpack_bits(column("category_target"), len(FINDINGS)),
        "category_valid": column("category_valid"),
        "region_target": unpack_bits(column("region_target"), len(REGIONS)),
        "region_valid": column("region_valid"),
        "node_target": unpack_bits(column("node_target"), len(REGIONS)),
        "node_valid": column("node_valid"),
    }


@dataclass(frozen=True)
class FilmGraph:
    """The data set's scene graph of one film, over the 26 regions: supervision, never input by default.

    Attributes:
        boxes_xyxy_rel: `[26, 4]` corners as fractions of the stored square; zeros where there is none.
        has_box: `[26]` a trustworthy box exists (no fallback, localization quality 3 or better).
        findings: `[26, E]` 1 where a positive observation places an entity in a region.
        valid: the study has a scene graph.
    """

    boxes_xyxy_rel: FloatArray
    has_box: npt.NDArray[np.bool_]
    findings: FloatArray
    valid: bool


def film_graph(index: Index, store: ImageStore, image_row: int) -> FilmGraph:
    """Reads the scene graph of one film."""
    study = int(index.column("images", "study_row")[image_row])
    boxes, has_box = _region_boxes(index, store, image_row, study)
    findings = np.zeros((len(REGIONS), len(index.vocabularies.entities)), dtype=np.float32)
    first = int(index.column("studies", "first_observation")[study])
    count = int(index.column("studies", "num_observations")[study])
    positive = index.column("observations", "positiveness")[first : first + count] == 1
    nodes = unpack_bits(index.column("observations", "node_bits")[first : first + count], len(REGIONS))
    entities = index.observations.column("entities").slice(first, count)
    for position in np.flatnonzero(positive):
        for entity in entities[int(position)].as_py():
            findings[nodes[position] > 0, entity] = 1.0
    return FilmGraph(boxes, has_box, findings, bool(index.column("studies", "has_scene_graph")[study]))


def _region_boxes(
    index: Index, store: ImageStore, image_row: int, study: int
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    first = int(index.column("studies", "first_region_box")[study])
    span = slice(first, first + int(index.column("studies", "num_region_boxes")[study]))
    node = index.column("region_boxes", "node")[span]
    good = (index.column("region_boxes", "image_row")[span] == image_row) & (node >= 0)
    good &= ~index.column("region_boxes", "is_fallback")[span]
    good &= index.column("region_boxes", "localization_quality")[span] >= MINIMUM_BOX_QUALITY
    corners = np.stack(
        [index.column("region_boxes", name)[span] for name in ("x1", "y1", "x2", "y2")], axis=-1
    )
    boxes = np.zeros((len(REGIONS), 4), dtype=np.float32)
    has_box = np.zeros(len(REGIONS), dtype=np.bool_)
    # A name and its synonym may both have a box: the first in the file stands.
    for row in np.flatnonzero(good)[::-1]:
        boxes[node[row]] = to_relative(corners[row], store, image_row)
        has_box[node[row]] = True
    return boxes, has_box


def to_relative(boxes_xyxy_px: npt.NDArray[np.floating], store: ImageStore, image_row: int) -> FloatArray:
    """Maps boxes `[..., 4]` in pixels of the original film to fractions of the stored square."""
    shift = np.array([store.pad_x[image_row], store.pad_y[image_row]] * 2, dtype=np.float64)
    return ((boxes_xyxy_px * float(store.scale[image_row]) + shift) / store.size).astype(np.float32)


def to_pixels(boxes_xyxy_rel: npt.NDArray[np.floating], store: ImageStore, image_row: int) -> FloatArray:
    """Maps boxes `[..., 4]` in fractions of the stored square back to pixels of the original film."""
    shift = np.array([store.pad_x[image_row], store.pad_y[image_row]] * 2, dtype=np.float64)
    return ((boxes_xyxy_rel * store.size - shift) / float(store.scale[image_row])).astype(np.float32)
