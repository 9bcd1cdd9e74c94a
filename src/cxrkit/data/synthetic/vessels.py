"""Lung markings: vessels that branch from each hilum, thinner and fainter towards the wall."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.synthetic.anatomy import SIDES, SIGN, Chest
from cxrkit.data.synthetic.frame import Frame, Grid, Points
from cxrkit.data.synthetic.ink import draw_segments

Vector = npt.NDArray[np.float64]

_GENERATIONS = 5
_BENT_GENERATIONS = 3  # later ones are too short for a bend to show


@dataclass
class _Shoots:
    """The growing ends of one lung's vessels: `[N, 2]` points, `[N]` directions, lengths and widths."""

    points: Points
    directions: Vector
    lengths: Vector
    widths: Vector


def draw_vessels(frame: Frame, chest: Chest, congestion: float = 0.0) -> Grid:
    """Gives the vessels of both lungs as density on the film `[height, width]` in 0..1.

    Args:
        frame: the drawing frame.
        chest: the geometry; the body's seed decides the branching, so a patient keeps his vessels.
        congestion: 0 to 1, how much thicker the vessels are, those of the upper zones most.
    """
    rng = np.random.default_rng(chest.body.vessel_seed)
    trees = [_tree(chest, side, congestion, rng) for side in SIDES]
    segments, widths, strengths = (np.concatenate(parts) for parts in zip(*trees, strict=True))
    return draw_segments(frame, segments, widths, strengths)


def _tree(
    chest: Chest, side: str, congestion: float, rng: np.random.Generator
) -> tuple[Points, Vector, Vector]:
    sign = SIGN[side]
    shoots = _trunks(chest, side, congestion, rng)
    segments, widths, strengths = [], [], []
    for generation in range(_GENERATIONS):
        strength = 0.9 * (1 - generation / (_GENERATIONS + 0.5)) ** 0.9
        pieces = 2 if generation < _BENT_GENERATIONS else 1
        for piece in range(pieces):
            start = shoots.points
            shoots.directions = shoots.directions + rng.normal(0, 0.13, len(start))
            turned = np.stack([sign * np.cos(shoots.directions), np.sin(shoots.directions)], axis=1)
            shoots.points = start + turned * (shoots.lengths / pieces)[:, None]
            segments.append(np.stack([start, shoots.points], axis=1))
            widths.append(shoots.widths * (1 - 0.12 * piece))
            strengths.append(np.full(len(start), strength - 0.04 * piece))
        shoots = _fork(shoots, rng)
    return np.concatenate(segments), np.concatenate(widths), np.concatenate(strengths)


def _trunks(chest: Chest, side: str, congestion: float, rng: np.random.Generator) -> _Shoots:
    x, y = chest.hilum_of(side)
    # More and thicker trunks point down than up, as upright blood flow does.
    directions = np.concatenate(
        [rng.uniform(-1.5, -0.5, 3), rng.uniform(-0.4, 0.5, 2), rng.uniform(0.45, 1.4, 5)]
    )
    upward = directions < 0
    widths = 0.021 * np.where(upward, 0.72, 1.0) * (1 + congestion * np.where(upward, 1.0, 0.5))
    widths *= chest.body.vessel_richness
    start_y = y + 0.08 * np.sin(directions)
    start_x = np.full_like(start_y, x - 0.06 * SIGN[side])
    return _Shoots(
        np.stack([start_x, start_y], 1), directions, rng.uniform(0.13, 0.2, len(directions)), widths
    )


def _fork(shoots: _Shoots, rng: np.random.Generator) -> _Shoots:
    count = len(shoots.directions)
    turn = rng.uniform(0.10, 0.55, (2, count)) * np.array([[1.0], [-1.0]])
    # Every third twig ends, so that the number of branches stays bounded.
    kept = np.flatnonzero(rng.random(2 * count) < 0.9)
    lengths = (shoots.lengths * rng.uniform(0.62, 1.0, (2, count))).ravel()
    return _Shoots(
        np.tile(shoots.points, (2, 1))[kept],
        (shoots.directions + turn).ravel()[kept],
        lengths[kept],
        np.tile(shoots.widths * 0.68, 2)[kept],
    )
