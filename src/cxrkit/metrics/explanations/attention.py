"""Attention over the tokens of a square film: where it lies, and how widely it is spread.

Tokens are a grid of v x v equal cells over the film's square, row after row; boxes are corners as fractions
of that square.
"""

from math import ceil, isqrt

import numpy as np

from cxrkit.metrics.counts import FloatArray, divide_or_nan
from cxrkit.metrics.spatial.areas import covers

TOP_SHARE = 0.2


def grid_side(tokens: int) -> int:
    """Gives v of a grid of v x v tokens.

    Raises:
        ValueError: the number is no square.

    >>> grid_side(49)
    7
    """
    side = isqrt(tokens)
    if side * side != tokens:
        raise ValueError(f"{tokens} tokens are no square grid")
    return side


def token_coverage(boxes: FloatArray, side: int) -> FloatArray:
    """Gives the share of each token's cell that boxes cover together, exactly.

    Args:
        boxes: `[Q, n, 4]` without negative sides; what lies outside the square is cut off.
        side: v.

    Returns:
        `[Q, v * v]` in 0..1.

    >>> token_coverage(np.array([[[0.0, 0.0, 0.75, 0.5]]]), 2).tolist()
    [[1.0, 0.5, 0.0, 0.0]]
    """
    inside = np.clip(boxes, 0.0, 1.0)
    lines = np.broadcast_to(np.linspace(0.0, 1.0, side + 1), (len(boxes), side + 1))
    across, down = (
        np.sort(np.concatenate([inside[..., ends].reshape(len(boxes), -1), lines], axis=1), axis=1)
        for ends in ([0, 2], [1, 3])
    )
    covered = covers(inside, across, down).astype(float)
    shares: FloatArray = _lengths(down, side).transpose(0, 2, 1) @ covered @ _lengths(across, side)
    return np.clip(shares.reshape(len(boxes), -1), 0.0, 1.0)


def _lengths(edges: FloatArray, side: int) -> FloatArray:
    """Gives how much of each of v cells every stretch between edges `[Q, K]` fills: `[Q, K - 1, v]`."""
    cell = np.minimum(((edges[:, :-1] + edges[:, 1:]) / 2 * side).astype(np.int64), side - 1)
    own: FloatArray = cell[..., None] == np.arange(side)
    return own * (np.diff(edges, axis=1) * side)[..., None]


def attention_iou(attention: FloatArray, coverage: FloatArray) -> FloatArray:
    """Gives the IoU of the most attended tokens with the annotated region.

    Definition: the tokens with at least the k-th largest attention, k = a fifth of the tokens, rounded up
    (the 0.8 quantile; equal values are in together), as an area, against the area that the boxes cover.
    Range 0..1; `nan` where attention is nowhere or the boxes cover nothing of the square. A map without
    differences chooses the whole square.

    Args:
        attention: `[Q, P]`, 0 or more.
        coverage: `[Q, P]` from `token_coverage`.

    Returns:
        `[Q]`.

    >>> coverage = np.array([[1.0, 0.5, 0.0, 0.0]])
    >>> attention_iou(np.array([[0.6, 0.2, 0.1, 0.1]]), coverage).round(4).tolist()
    [0.6667]
    """
    tokens = attention.shape[1]
    least = np.partition(attention, tokens - ceil(TOP_SHARE * tokens), axis=1)
    chosen = attention >= least[:, [tokens - ceil(TOP_SHARE * tokens)]]
    common = (chosen * coverage).sum(1)
    overlap = divide_or_nan(common, chosen.sum(1) + coverage.sum(1) - common)
    return np.where((attention.sum(1) > 0) & (coverage.sum(1) > 0), overlap, np.nan)


def attention_mass(attention: FloatArray, coverage: FloatArray) -> FloatArray:
    """Gives the share of the attention over the film that lies inside the annotated region.

    Definition: a token's attention is spread evenly over its cell. Range 0..1; `nan` where attention is
    nowhere or the boxes cover nothing of the square. A map without differences gives the region's share of
    the square.

    >>> attention_mass(np.array([[0.6, 0.2, 0.1, 0.1]]), np.array([[1.0, 0.5, 0.0, 0.0]])).round(4).tolist()
    [0.7]
    """
    inside = divide_or_nan((attention * coverage).sum(1), attention.sum(1))
    return np.where(coverage.sum(1) > 0, inside, np.nan)


def attention_points(attention: FloatArray, boxes: FloatArray) -> FloatArray:
    """Gives whether the centre of the most attended token lies inside a box.

    Definition: edges belong to a box; among equally attended tokens, the share of those inside, which is the
    chance of a random choice among them. Range 0..1; `nan` where attention is nowhere.
    Source: pointing game, Zhang et al., ECCV 2016, without a margin.

    Args:
        attention: `[Q, P]`.
        boxes: `[Q, n, 4]` without negative sides.

    Returns:
        `[Q]`.

    >>> attention_points(np.array([[0.6, 0.2, 0.1, 0.1]]), np.array([[[0.0, 0.0, 0.5, 0.5]]])).tolist()
    [1.0]
    """
    side = grid_side(attention.shape[1])
    middle = (np.arange(side) + 0.5) / side
    centres = np.stack([np.tile(middle, side), np.repeat(middle, side)], axis=-1)
    low, high = boxes[:, :, None, :2], boxes[:, :, None, 2:]
    within = ((low <= centres) & (centres <= high) & (low < high)).all(-1)
    highest = attention == attention.max(1, keepdims=True)
    share = divide_or_nan((highest & np.any(within, axis=1)).sum(1), highest.sum(1))
    return np.where(attention.sum(1) > 0, share, np.nan)


def attention_entropy(attention: FloatArray) -> FloatArray:
    """Gives the entropy of attention over the tokens, divided by log(number of tokens).

    Range 0..1: 0 when one token has all, 1 when all have the same; `nan` where attention is nowhere or there
    is one token only.

    >>> attention_entropy(np.array([[0.2, 0.2, 0.2, 0.2], [1.0, 0.0, 0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    share = divide_or_nan(attention, attention.sum(1, keepdims=True))
    terms = share * np.log(np.where(share > 0, share, 1.0))
    entropy = divide_or_nan(-terms.sum(1), np.log(attention.shape[1]))
    return np.clip(entropy + 0.0, 0.0, 1.0)
