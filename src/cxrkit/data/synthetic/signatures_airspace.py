"""Signatures in the lung: consolidation, pneumonia, haze, edema, lesions, collapse, emphysema."""

import numpy as np

from cxrkit.data.synthetic.anatomy import SIGN
from cxrkit.data.synthetic.frame import Grid, Points
from cxrkit.data.synthetic.ink import Stroke, draw_on_canvas, ribbon, smooth_curve
from cxrkit.data.synthetic.remodel import sides_of
from cxrkit.data.synthetic.scene import Scene, joined, visible_level
from cxrkit.data.synthetic.texture import blob, cloud, disc, points_of, ramp
from cxrkit.data.synthetic.truth import PlacedFinding
from cxrkit.data.synthetic.vessels import draw_vessels

_ZONES = {
    "apical zone": "apical",
    "upper lung zone": "upper",
    "mid lung zone": "mid",
    "lower lung zone": "lower",
}


def zones_of(finding: PlacedFinding, side: str) -> tuple[str, ...]:
    """Gives the zones "apical", "upper", "mid", "lower" that a finding names on one side; "lower" if none."""
    stems = (region.removeprefix(f"{side} ") for region in finding.regions if region.startswith(side))
    zones = tuple(_ZONES[stem] for stem in stems if stem in _ZONES)
    return zones or ("lower",)


def _span(scene: Scene, side: str, zones: tuple[str, ...]) -> tuple[float, float]:
    spans = [scene.chest.zone_span(side, zone) for zone in zones]
    return min(span[0] for span in spans), max(span[1] for span in spans)


def _across(scene: Scene, side: str, y: float, share: float) -> float:
    """Gives x at a share of the way from the mediastinum (0) to the wall (1) at height y."""
    height = np.array([y])
    inner = max(float(scene.chest.inner(height, side)[0]), float(scene.chest.heart_border(height, side)[0]))
    t = inner + share * (float(scene.chest.wall(height)[0]) - inner)
    return SIGN[side] * t + float(scene.chest.midline(height)[0])


def consolidation(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a dense, fairly even part of a lobe with a sharp fissure edge and dark bronchi in it."""
    parts = []
    for side in sides_of(finding):
        top, bottom = _span(scene, side, zones_of(finding, side))
        height, middle = bottom - top, 0.5 * (top + bottom)
        reach = 0.20 + 0.38 * grade
        centre = (_across(scene, side, middle, float(rng.uniform(0.35, 0.6))), middle)
        rough = cloud(scene.frame, rng, 0.09)
        across, down = (
            (scene.frame.x - centre[0]) / (0.42 * reach + 0.03),
            (scene.frame.y - middle) / (reach * height + 0.05),
        )
        distance = 1.0 - np.sqrt(across**2 + down**2) + 0.16 * rough
        share = ramp(distance, 0.35)
        slope = float(rng.normal(0.0, 0.10)) * SIGN[side]
        edge = (
            (bottom if rng.random() < 0.5 else bottom + 0.05)
            - scene.frame.y
            + slope * (scene.frame.x - centre[0])
        )
        share *= ramp(edge, 0.02)
        share *= 0.52 + 0.40 * grade
        share *= 1 - 0.38 * _bronchi(scene, side, rng)
        parts.append(scene.fill_lung(side, share))
    return joined(parts)


def _bronchi(scene: Scene, side: str, rng: np.random.Generator) -> Grid:
    """Gives air bronchograms of one lung `[H, W]` in 0..1."""
    x, y = scene.chest.hilum_of(side)
    strokes = []
    for direction in (-1.0, -0.5, 0.0, 0.45, 0.85, 1.2):
        turned = direction + float(rng.normal(0, 0.1))
        bend = turned + float(rng.normal(0, 0.2))
        start = np.array([x, y])
        middle = start + 0.22 * np.array([SIGN[side] * np.cos(turned), np.sin(turned)])
        end = middle + 0.2 * np.array([SIGN[side] * np.cos(bend), np.sin(bend)])
        strokes += [
            Stroke(np.stack([start, middle]), 0.015, 1.0),
            Stroke(np.stack([middle, end]), 0.010, 0.8),
        ]
    return draw_on_canvas(scene.frame, strokes, blur=0.003)


def pneumonia(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws several cloudy patches that run together as the grade grows."""
    parts = []
    for side in sides_of(finding):
        top, bottom = _span(scene, side, zones_of(finding, side))
        share = np.zeros(scene.density.shape, dtype=np.float32)
        for _ in range(3 + round(5 * grade)):
            y = float(rng.uniform(top + 0.06, bottom - 0.08))
            x = _across(scene, side, y, float(rng.uniform(0.18, 0.78)))
            size = float(rng.uniform(0.05, 0.08)) * (0.8 + 0.45 * grade)
            share += blob(scene.frame, (x, y), (size, size * float(rng.uniform(0.75, 1.2))))
        mottled = 0.74 + 0.26 * cloud(scene.frame, rng, 0.055)
        share = np.minimum(share, 1.15) * np.clip(mottled, 0.08, 1.25) * (0.34 + 0.42 * grade)
        parts.append(scene.fill_lung(side, np.minimum(share, 0.86)))
    return joined(parts)


def lung_opacity(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a large, faint, even haze through which the vessels stay visible."""
    parts = []
    for side in sides_of(finding):
        top, bottom = _span(scene, side, zones_of(finding, side))
        middle = 0.5 * (top + bottom)
        half = 0.5 * (bottom - top) * (0.85 + 0.25 * grade)
        down = ramp(half - np.abs(scene.frame.y - middle), 0.22)
        share = down * np.clip(1.0 + 0.16 * cloud(scene.frame, rng, 0.22), 0.6, 1.3)
        share *= 0.17 + 0.30 * grade
        change = scene.lung(side).air * share
        scene.density += change
        parts.append(scene.frame.mask_points(change > visible_level(change)))
    return joined(parts)


def pulmonary_edema(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws swollen vessels, perihilar wings of haze and Kerley lines at the bases of both lungs."""
    swollen = draw_vessels(scene.frame, scene.chest, congestion=0.5 + 0.6 * grade)
    np.maximum(scene.markings, swollen * np.float32(0.17 + 0.09 * grade), out=scene.markings)
    points = []
    for side in ("right", "left"):
        lung = scene.lung(side)
        x, y = scene.chest.hilum_of(side)
        wing = blob(
            scene.frame, (x + SIGN[side] * 0.10, y + 0.10), (0.15 + 0.05 * grade, 0.20 + 0.06 * grade)
        )
        wing *= np.clip(0.85 + 0.28 * cloud(scene.frame, rng, 0.06), 0.3, 1.3)
        points.append(scene.fill_lung(side, np.minimum(wing * (0.24 + 0.56 * grade), 0.92)))
        lines = _kerley_lines(scene, side, 4 + round(6 * grade), rng)
        scene.density += lung.air * lines * (0.20 + 0.15 * grade)
    return joined(points)


def _kerley_lines(scene: Scene, side: str, count: int, rng: np.random.Generator) -> Grid:
    low = scene.chest.dome_top(side) + 0.10
    strokes = []
    for y in np.linspace(low - 0.30, low, count):
        wall = float(scene.chest.wall(np.array([y]))[0]) - 0.01
        inner = wall - float(rng.uniform(0.05, 0.09))
        ends = points_of((SIGN[side] * wall, float(y)), (SIGN[side] * inner, float(y) + 0.006))
        strokes.append(Stroke(ends, 0.006, 0.9))
    return draw_on_canvas(scene.frame, strokes)


def lung_nodule(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws one small round shadow with a sharp edge."""
    radius = 0.024 + 0.032 * grade
    return _round_lesion(scene, finding, radius, 0.42 + 0.34 * grade, 0.0, rng)


def lung_mass(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws one large, lobulated and dense shadow with a spiky rim."""
    radius = 0.07 + 0.09 * grade
    return _round_lesion(scene, finding, radius, 0.72 + 0.22 * grade, 0.20, rng)


def _round_lesion(
    scene: Scene,
    finding: PlacedFinding,
    radius: float,
    strength: float,
    lobes: float,
    rng: np.random.Generator,
) -> Points:
    side = sides_of(finding)[0]
    top, bottom = _span(scene, side, zones_of(finding, side))
    low = max(top + radius, bottom - radius - 0.08)
    y = float(rng.uniform(min(top + radius + 0.03, low), low))
    x = _across(scene, side, y, float(rng.uniform(0.35, 0.72)))
    if lobes:
        across, down = scene.frame.x - x, scene.frame.y - y
        distance = radius * (1 + lobes * 0.6 * cloud(scene.frame, rng, 0.07)) - np.sqrt(across**2 + down**2)
        shape = ramp(distance, 0.03)
    else:
        shape = disc(scene.frame, (x, y), (radius, radius * float(rng.uniform(0.9, 1.1))), 0.012)
    return scene.fill_lung(side, shape * min(strength, 0.95))


def atelectasis(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws plates of collapsed lung over a raised diaphragm (the dome is raised by `remodel`)."""
    parts = []
    for side in sides_of(finding):
        dome = scene.chest.dome_top(side)
        strokes = []
        for index in range(1 + round(2.4 * grade)):
            y = dome - 0.04 - 0.09 * index - float(rng.uniform(0, 0.03))
            start = _across(scene, side, y, float(rng.uniform(0.02, 0.40)))
            end = _across(scene, side, y, (0.42 + 0.5 * grade) * float(rng.uniform(0.85, 1.15)))
            tilt = float(rng.normal(-0.03 - 0.03 * index, 0.045))
            control = points_of((start, y), (0.5 * (start + end), y + 0.5 * tilt + 0.006), (end, y + tilt))
            bow = smooth_curve(control, 16)
            plate = ribbon(bow, (0.007 + 0.014 * grade) * np.sqrt(np.sin(np.linspace(0.12, 3.0, 16))))
            strokes.append(Stroke(plate, 0.0, float(rng.uniform(0.7, 0.95))))
        plates = draw_on_canvas(scene.frame, strokes, blur=0.006)
        # Crowded lung over the dome loses air evenly.
        crowded = np.clip(1 - (scene.lung(side).dome - scene.frame.y) / (0.10 + 0.14 * grade), 0, 1)
        share = np.maximum(plates * (0.45 + 0.45 * grade), crowded * (0.12 + 0.45 * grade))
        parts.append(scene.fill_lung(side, share.astype(np.float32)))
        wall = float(scene.chest.wall(np.array([dome]))[0])
        raised = points_of((SIGN[side] * 0.10, dome), (SIGN[side] * wall, dome + 0.8 * scene.chest.dome_drop))
        parts.append(raised)
    return joined(parts)


def emphysema(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws bullae; the large dark lungs and flat domes come from `remodel`."""
    points = []
    for side in ("right", "left"):
        lung = scene.lung(side)
        holes = np.zeros(scene.density.shape, dtype=np.float32)
        for _ in range(round(4 * grade)):
            y = float(rng.uniform(scene.chest.apex + 0.1, scene.chest.apex + 0.45))
            x = _across(scene, side, y, float(rng.uniform(0.3, 0.85)))
            size = float(rng.uniform(0.05, 0.09))
            holes = np.maximum(holes, disc(scene.frame, (x, y), (size, size), 0.03))
        scene.density -= lung.air * holes * 0.10
        scene.markings *= 1 - 0.7 * scene.frame.warp(holes)
        points.append(scene.frame.mask_points(lung.shape > 0.5))
    return joined(points)
