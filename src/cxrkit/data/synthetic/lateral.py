"""Draws lateral films: from the side, spine on the right of the film, simpler than the frontal ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from cxrkit.data.synthetic.anatomy import Body
from cxrkit.data.synthetic.exposure import expose, sample_exposure
from cxrkit.data.synthetic.frame import Frame, Grid, Points
from cxrkit.data.synthetic.ink import Stroke, draw_bands, draw_strokes, ribbon, smooth_curve, soften
from cxrkit.data.synthetic.outlines import points_box
from cxrkit.data.synthetic.remodel import grade_of
from cxrkit.data.synthetic.texture import blob, cloud, disc, points_of, profile, ramp
from cxrkit.data.synthetic.truth import BoxXyxyPx, Film, PlacedFinding

_AIR = 0.46  # what the air of both lungs takes off the density
_APEX = -0.72
_HEIGHT_OF_ZONE = {"apical": -0.52, "upper": -0.35, "mid": -0.05, "lower": 0.22}


@dataclass
class _Side:
    """A lateral film in the making: frame, diaphragm, lungs and density on the canvas."""

    frame: Frame
    dome: float
    heart: Points
    air: Grid
    density: Grid


_Shadow: TypeAlias = Callable[[_Side, PlacedFinding, float, np.random.Generator], Points]


def draw_lateral(
    rng: np.random.Generator, body: Body, findings: Sequence[PlacedFinding], width: int, height: int
) -> Film:
    """Draws one lateral film.

    Args:
        rng: source of randomness.
        body: the patient.
        findings: what the study has; those that a lateral film does not show leave no trace.
        width: film width in pixels.
        height: film height in pixels.

    Returns:
        The film with boxes of "trachea", "cardiac silhouette", "spine" and "abdomen", and of the findings
        that show.
    """
    seeds = [int(seed) for seed in rng.integers(2**62, size=5)]
    pose = np.random.default_rng(seeds[0])
    scale = 0.5 * min(width, height) * float(np.clip(pose.normal(1.2, 0.03), 1.12, 1.28))
    shift = (float(pose.normal(0.0, 0.03)), float(pose.normal(0.03, 0.03)))
    frame = Frame(width, height, scale, float(np.clip(pose.normal(0, 0.02), -0.06, 0.06)), shift)
    exposure = sample_exposure(pose, portable=False)
    side = _draw_chest(frame, body, findings, np.random.default_rng(seeds[1]))
    marks = [
        _draw_finding(side, finding, np.random.default_rng([seeds[2], i]))
        for i, finding in enumerate(findings)
    ]
    density = frame.warp(side.density) + soften(
        frame, _draw_bones(frame, body) + _draw_devices(frame, findings)
    )
    pixels = expose(density, exposure, np.random.default_rng(seeds[3]))
    boxes = {name: box for name, points in _outlines(side).items() if (box := frame.film_box(points))}
    return Film(pixels, boxes, tuple(_box_of(frame, points) for points in marks))


def _box_of(frame: Frame, points: Points | None) -> BoxXyxyPx | None:
    return frame.film_box(points) if points is not None and len(points) else None


def _spine_x(y: Grid) -> Grid:
    return np.asarray(0.36 + 0.09 * np.cos(1.9 * (y + 0.1)), dtype=np.float32)


def _grade(findings: Sequence[PlacedFinding], entity: str) -> float:
    return max((grade_of(finding) for finding in findings if finding.entity == entity), default=0.0)


def _draw_chest(
    frame: Frame, body: Body, findings: Sequence[PlacedFinding], rng: np.random.Generator
) -> _Side:
    y, stout = frame.y, body.stoutness
    inflation = _grade(findings, "emphysema")
    dome = 0.30 * body.lung_height + 0.10 * inflation + float(rng.normal(0, 0.04))
    front = profile(y, (-1.2, -0.75, -0.2, 0.3, 1.2), (-0.16, -0.24, -0.53 - 0.05 * inflation, -0.55, -0.50))
    back = profile(y, (-1.2, -0.7, -0.3, 0.3, 1.2), (0.36, 0.52, 0.60, 0.57, 0.48))
    skin = 0.10 + 0.08 * stout
    trunk = np.minimum(frame.x - front + skin, back + skin - frame.x).astype(np.float32)
    density = np.sqrt(np.clip(trunk / 0.5, 0, 1)) * (0.80 + 0.08 * np.clip(y + 0.2, 0, 1))
    crown = np.sqrt(1 - (1 - np.clip((y - _APEX) / 0.42, 0, 1)) ** 2)
    inside = np.minimum(frame.x - (front + 0.26 * (1 - crown)), back - 0.30 * (1 - crown) - frame.x) - 0.02
    inside[y[:, 0] < _APEX] = -1.0
    # The diaphragm falls towards the back, to the posterior costophrenic sulcus.
    surface = dome + (0.30 - 0.18 * inflation) * np.clip((frame.x + 0.1) / 0.65, 0, 1.2) ** 1.7
    domes = 0.6 * ramp(surface - y, 0.014) + 0.4 * ramp((surface + 0.05 - y).astype(np.float32), 0.014)
    air = ramp(inside, 0.03) * domes
    air *= _AIR * (1 + 0.2 * inflation) * np.clip(0.6 + 1.6 * inside, 0.6, 1.0)
    size = 1.0 + 0.55 * _grade(findings, "cardiomegaly")
    heart = disc(
        frame, (-0.25 + 0.12 * (size - 1), dome - 0.10), (0.25 * size, 0.31 * (0.6 + 0.4 * size)), 0.09
    )
    air *= 1 - 0.62 * heart
    body_share = np.clip(trunk * 6, 0, 1)
    density += 0.15 * (1 - domes) * body_share - air
    density += (cloud(frame, rng, 0.10) * 0.014 + cloud(frame, rng, 0.03) * 0.014) * body_share
    # Shoulders and raised arms lie over the apices, great vessels over the upper middle.
    density += 0.17 * blob(frame, (0.12, -0.92), (0.40, 0.24)) * body_share
    density += 0.08 * blob(frame, (0.06, -0.34), (0.14, 0.20))
    spine = np.clip((0.075 - np.abs(frame.x - _spine_x(y))) / 0.02, 0, 1)
    phase = (y / body.rib_spacing) % 1.0
    # More lung lies over the lower spine, which therefore darkens downwards above the diaphragm.
    density += spine * (0.15 - 0.08 * np.clip(y + 0.5, 0, 1)) * (1 - 0.4 * (np.abs(phase - 0.5) < 0.1))
    axis = -0.02 + 0.10 * (y + 0.9)
    density -= 0.13 * ramp(0.038 - np.abs(frame.x - axis), 0.03) * ramp(-0.26 - y, 0.05)
    density += 0.10 * blob(frame, (0.04, -0.18), (0.07, 0.07))
    return _Side(
        frame, dome, frame.mask_points(heart > 0.5), air.astype(np.float32), density.astype(np.float32)
    )


def _draw_bones(frame: Frame, body: Body) -> Grid:
    angles = np.linspace(0, 1, 16)
    ribs = []
    for rib in range(9):
        top = _APEX + 0.10 + body.rib_spacing * rib
        ribs.append(np.stack([0.50 - 0.95 * angles, top + 0.36 * angles**1.3], axis=1))
    strength = np.full(len(ribs), 0.8)
    bones = draw_bands(frame, ribbon(np.array(ribs), 0.016), 0.6 * strength, strength, edge=0.006)
    sternum = points_of((-0.30, -0.60), (-0.50, -0.30), (-0.59, 0.10))
    plate = draw_strokes(frame, [Stroke(smooth_curve(sternum), 0.035, 0.8)])
    return np.asarray((bones * 0.055 + plate * 0.13) * body.bone, dtype=np.float32)


def _draw_devices(frame: Frame, findings: Sequence[PlacedFinding]) -> Grid:
    strokes: list[Stroke] = []
    present = {finding.entity for finding in findings}
    if "pacemaker" in present:
        lead = points_of((-0.42, -0.42), (-0.18, -0.50), (0.0, -0.2), (-0.12, 0.1), (-0.34, 0.22))
        strokes += [
            Stroke(points_of((-0.46, -0.44), (-0.40, -0.36)), 0.10, 1.0),
            Stroke(smooth_curve(lead), 0.012, 0.6),
        ]
    if "nasogastric tube" in present:
        strokes.append(
            Stroke(
                smooth_curve(points_of((0.03, -1.5), (0.12, -0.3), (0.14, 0.3), (-0.05, 0.55))), 0.018, 0.5
            )
        )
    if "endotracheal tube" in present:
        strokes.append(Stroke(points_of((-0.08, -1.5), (0.02, -0.42)), 0.022, 0.5))
    if "sternal wires" in present:
        spots = np.linspace(0.1, 0.9, 6)[:, None] * np.array([-0.25, 0.62]) + np.array([-0.34, -0.5])
        strokes += [Stroke(spot + points_of((-0.02, -0.01), (0.02, 0.01)), 0.02, 0.8) for spot in spots]
    return draw_strokes(frame, strokes) * np.float32(0.45)


def _outlines(side: _Side) -> dict[str, Points]:
    y = np.linspace(-1.2, 1.2, 20)
    spine = np.stack([_spine_x(y.astype(np.float32)), y], axis=1)
    return {
        "trachea": points_box(points_of((-0.07, -0.86), (0.10, -0.24))),
        "cardiac silhouette": side.heart,
        "spine": np.concatenate([spine - points_of((0.09, 0.0)), spine + points_of((0.09, 0.0))]),
        "abdomen": points_box(points_of((-0.6, side.dome), (0.6, 1.6))),
    }


def _height_of(finding: PlacedFinding) -> float:
    for zone, height in _HEIGHT_OF_ZONE.items():
        if any(f"{zone} " in region for region in finding.regions):
            return height
    return _HEIGHT_OF_ZONE["lower"]


def _fill(side: _Side, share: Grid) -> Points:
    change = side.air * share
    side.density += change
    return side.frame.mask_points(change > max(0.16 * float(change.max()), 0.01))


def _heart(side: _Side, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    return side.heart


def _effusion(side: _Side, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    behind = np.clip((side.frame.x + 0.1) / 0.65, 0, 1.2)
    level = side.dome + 0.30 - 0.08 - 0.50 * grade - 0.08 * behind**3
    return _fill(side, ramp(side.frame.y - level, 0.05) * (0.75 + 0.2 * grade))


def _opacity(density: float, size: float, grain: float) -> _Shadow:
    def draw(side: _Side, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
        centre = (float(rng.uniform(-0.05, 0.32)), _height_of(finding))
        reach = size * (0.6 + 0.6 * grade)
        share = blob(side.frame, centre, (reach, reach)) * np.clip(
            1 + 0.3 * cloud(side.frame, rng, grain), 0.3, 1.4
        )
        return _fill(side, np.minimum(share * density * (0.5 + 0.6 * grade), 0.92))

    return draw


def _lesion(radius: float) -> _Shadow:
    def draw(side: _Side, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
        centre = (float(rng.uniform(0.0, 0.3)), _height_of(finding))
        reach = radius * (0.5 + 0.6 * grade)
        return _fill(side, disc(side.frame, centre, (reach, reach), 0.02) * (0.5 + 0.3 * grade))

    return draw


def _edema(side: _Side, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    wing = blob(side.frame, (0.05, -0.10), (0.22, 0.28)) * np.clip(
        0.9 + 0.3 * cloud(side.frame, rng, 0.06), 0.3, 1.3
    )
    return _fill(side, np.minimum(wing * (0.2 + 0.5 * grade), 0.9))


def _plate(side: _Side, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    off_axis = np.abs(side.frame.y - side.dome + 0.06 - 0.25 * (side.frame.x - 0.15))
    share = ramp(0.012 + 0.02 * grade - off_axis, 0.02) * ramp(side.frame.x + 0.05, 0.1)
    return _fill(side, (share * (0.4 + 0.5 * grade)).astype(np.float32))


_SHADOWS: Mapping[str, _Shadow] = MappingProxyType(
    {
        "cardiomegaly": _heart,
        "pleural effusion": _effusion,
        "consolidation": _opacity(1.0, 0.13, 0.12),
        "pneumonia": _opacity(0.8, 0.15, 0.05),
        "lung opacity": _opacity(0.45, 0.20, 0.2),
        "lung nodule": _lesion(0.045),
        "lung mass": _lesion(0.14),
        "pulmonary edema": _edema,
        "atelectasis": _plate,
    }
)


def _draw_finding(side: _Side, finding: PlacedFinding, rng: np.random.Generator) -> Points | None:
    shadow = _SHADOWS.get(finding.entity)
    return shadow(side, finding, grade_of(finding), rng) if shadow else None
