"""Targets of questions, read from the index's columns, and boxes between films and their squares."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
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


def to_relative(
    boxes_xyxy_px: npt.NDArray[np.floating], store: FilmSource, image_row: int | npt.NDArray[np.integer]
) -> FloatArray:
    """Maps boxes in pixels of the original film to fractions of the stored square.

    Args:
        boxes_xyxy_px: `[..., 4]`.
        store: the films.
        image_row: of one film, or of each box: `[...]`.
    """
    scale, shift, side = _geometry(store, image_row)
    return ((boxes_xyxy_px * scale + shift) / side).astype(np.float32)


def to_pixels(
    boxes_xyxy_rel: npt.NDArray[np.floating], store: FilmSource, image_row: int | npt.NDArray[np.integer]
) -> FloatArray:
    """Maps boxes in fractions of the stored square back to pixels of the original film.

    Args:
        boxes_xyxy_rel: `[..., 4]`.
        store: the films.
        image_row: of one film, or of each box: `[...]`.
    """
    scale, shift, side = _geometry(store, image_row)
    return ((boxes_xyxy_rel * side - shift) / scale).astype(np.float32)


def _geometry(
    store: FilmSource, image_row: int | npt.NDArray[np.integer]
) -> tuple[FloatArray, npt.NDArray[np.float64], FloatArray]:
    """Gives scale `[..., 1]`, shift `[..., 4]` and side `[..., 1]` of the squares."""
    pad_x, pad_y = store.pad_x[image_row], store.pad_y[image_row]
    shift = np.stack([pad_x, pad_y, pad_x, pad_y], axis=-1).astype(np.float64)
    side = np.asarray(store.side[image_row], dtype=np.float32)
    return np.asarray(store.scale[image_row])[..., None], shift, side[..., None]
