"""The data set's scene graphs of a batch of films, read from the index's columns."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.batches.spans import rows_of_spans
from cxrkit.data.batches.targets import to_relative, unpack_bits
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.vocabulary import REGIONS

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FilmGraphs:
    """The scene graphs of B films over the 26 regions: supervision, never input by default.

    Attributes:
        boxes_xyxy_rel: `[B, 26, 4]` corners as fractions of the film's square; zeros where there is none.
        has_box: `[B, 26]` a trustworthy box exists (no fallback, localization quality 3 or better).
        findings: `[B, 26, E]` 1 where a positive observation places an entity in a region.
        valid: `[B]` the study has a scene graph.
    """

    boxes_xyxy_rel: FloatArray
    has_box: npt.NDArray[np.bool_]
    findings: FloatArray
    valid: npt.NDArray[np.bool_]


def film_graphs(index: Index, store: FilmSource, image_rows: IntArray) -> FilmGraphs:
    """Reads the scene graphs of some films.

    Args:
        index: the opened index.
        store: the films, for the mapping of boxes.
        image_rows: `[B]` rows of the index's images.
    """
    studies = index.column("images", "study_row")[image_rows]
    boxes, has_box = film_region_boxes(index, store, image_rows)
    valid = index.column("studies", "has_scene_graph")[studies]
    return FilmGraphs(boxes, has_box, _findings(index, studies), valid)


def film_region_boxes(
    index: Index, store: FilmSource, image_rows: IntArray
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Reads the trustworthy boxes of the 26 regions of some films.

    Args:
        index: the opened index.
        store: the films, for the mapping of boxes.
        image_rows: `[B]` rows of the index's images.

    Returns:
        Corners as fractions of the film's square `[B, 26, 4]`, and which there are `[B, 26]`.
    """
    studies = index.column("images", "study_row")[image_rows]
    rows, film = _rows_of_studies(index, studies, "first_region_box", "num_region_boxes")

    def column(name: str) -> npt.NDArray[Any]:
        return index.column("region_boxes", name)[rows]

    good = (column("image_row") == image_rows[film]) & (column("node") >= 0) & ~column("is_fallback")
    good &= column("localization_quality") >= MINIMUM_BOX_QUALITY
    # A name and its synonym may both have a box: written last to first, the first in the file stands.
    rows, film = rows[good][::-1], film[good][::-1]
    node = column("node")
    corners = np.stack([column(name) for name in ("x1", "y1", "x2", "y2")], axis=-1)
    boxes = np.zeros((len(image_rows), len(REGIONS), 4), dtype=np.float32)
    has_box = np.zeros((len(image_rows), len(REGIONS)), dtype=np.bool_)
    boxes[film, node] = to_relative(corners, store, image_rows[film])
    has_box[film, node] = True
    return boxes, has_box


def _findings(index: Index, studies: npt.NDArray[np.integer]) -> FloatArray:
    """Gives `[B, 26, E]` 1 where a positive observation of a film's study places an entity in a region."""
    rows, film = _rows_of_studies(index, studies, "first_observation", "num_observations")
    positive = index.column("observations", "positiveness")[rows] == 1
    rows, film = rows[positive], film[positive]
    offsets, entities = index.ragged("observations", "entities")
    named, observation = rows_of_spans(offsets[rows], offsets[rows + 1] - offsets[rows])
    nodes = unpack_bits(index.column("observations", "node_bits")[rows], len(REGIONS))[observation]
    mention, node = np.nonzero(nodes)
    findings = np.zeros((len(studies), len(REGIONS), len(index.vocabularies.entities)), dtype=np.float32)
    findings[film[observation[mention]], node, entities[named[mention]]] = 1.0
    return findings


def _rows_of_studies(
    index: Index, studies: npt.NDArray[np.integer], first: str, count: str
) -> tuple[IntArray, IntArray]:
    of_study = (index.column("studies", name)[studies] for name in (first, count))
    return rows_of_spans(*of_study)
