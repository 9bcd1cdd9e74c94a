"""Signatures of the pleural space: effusion, pneumothorax, thickening."""

import numpy as np

from cxrkit.data.synthetic.frame import Grid, Points
from cxrkit.data.synthetic.remodel import sides_of
from cxrkit.data.synthetic.scene import Scene, joined
from cxrkit.data.synthetic.texture import cloud, ramp
from cxrkit.data.synthetic.truth import PlacedFinding


def pleural_effusion(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws fluid that blunts the angle, rises along the wall as a meniscus and whitens the base."""
    parts = []
    for side in sides_of(finding):
        chest, lung = scene.chest, scene.lung(side)
        bottom = chest.angle(side)
        rise = 0.10 + 0.62 * max(grade - 0.24, 0.03) / 0.8
        climb = np.clip((lung.t - lung.inner) / (lung.wall - lung.inner), 0, 1)
        surface = bottom - rise * (0.72 + 0.5 * climb**4 + 0.12 * (1 - climb) ** 3) + np.float32(0.02)
        fluid = ramp(scene.frame.y - surface, 0.05)
        # Fluid also dims what lies just above it, because it wraps around the lung.
        haze = np.clip(1 - (surface - scene.frame.y) / (0.05 + 0.16 * grade), 0, 1) * (0.10 + 0.12 * grade)
        share = np.maximum(fluid * (0.80 + 0.18 * grade), haze).astype(np.float32)
        parts.append(_fill_and_weigh(scene, side, share, grade))
    return joined(parts)


def _fill_and_weigh(scene: Scene, side: str, share: Grid, grade: float) -> Points:
    """Fills the lung and adds the weight of a large effusion, which is denser than the lung it replaces."""
    points = scene.fill_lung(side, share)
    scene.density += share * scene.lung(side).air * (0.12 + 0.25 * grade)
    return points


def pneumothorax(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a thin pleural line inside the wall and, beyond it, black space without lung markings."""
    parts = []
    for side in sides_of(finding):
        chest, lung = scene.chest, scene.lung(side)
        apical = 0.06 + 0.27 * grade
        lateral = 0.035 + 0.20 * grade
        reach = 0.30 + 0.95 * grade
        depth = np.clip((scene.frame.y - chest.apex) / reach, 0, 1)
        gap = lateral * np.sqrt(np.clip(1 - depth**1.6, 0, 1))
        # The free edge is the lung's outline, smaller: the wall moved in and the apex moved down.
        lowered = np.float32(chest.apex + apical)
        wall = _shrunken_wall(scene, lowered) - gap
        inside = (wall - lung.t).astype(np.float32)
        inside[scene.frame.y[:, 0] < lowered] = -1.0
        # Only where there is lung to be seen: not over the heart.
        clear = np.minimum(lung.air * 4, 1)
        free = (1 - ramp(inside, 0.012)) * clear
        free *= ramp(chest.apex + reach - scene.frame.y, 0.06)
        line = np.exp(-0.5 * ((inside - 0.005) / 0.0065) ** 2) * clear
        line *= ramp(chest.apex + reach - scene.frame.y, 0.06)
        collapsed = np.clip(1 - inside / (0.10 + 0.25 * grade), 0, 1) * (inside > 0) * clear
        scene.markings *= 1 - scene.frame.warp(free.astype(np.float32))
        scene.density -= free * (0.045 + 0.055 * grade)
        scene.density += line.astype(np.float32) * 0.13
        scene.density += (collapsed * (0.015 + 0.09 * grade**2)).astype(np.float32)
        parts.append(scene.frame.mask_points(free > 0.35))
    return joined(parts)


def _shrunken_wall(scene: Scene, apex: np.float32) -> Grid:
    """Gives t of the wall per row of a lung whose top has sunk to `apex` and whose base stays in place."""
    sunk = np.maximum(scene.frame.y - (apex - np.float32(scene.chest.apex)), np.float32(scene.chest.apex))
    at_base = np.clip((scene.frame.y - apex) / 0.35, 0, 1)
    wall = scene.chest.wall(sunk) * (1 - at_base) + scene.chest.wall(scene.frame.y) * at_base
    return np.asarray(wall, dtype=np.float32)


def pleural_thickening(
    scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator
) -> Points:
    """Draws an irregular band along the apex (cap) or along the side wall, calcified when severe."""
    parts = []
    for side in sides_of(finding):
        chest, lung = scene.chest, scene.lung(side)
        thick = 0.012 + 0.062 * grade
        uneven = 1 + 0.20 * cloud(scene.frame, rng, 0.10)
        if any("apical" in region for region in finding.regions):
            crown = scene.frame.y - chest.apex - 0.8 * (lung.t - 0.33) ** 2
            band = ramp(1.5 * thick * uneven - crown, 0.018)
            wall = ramp(0.6 * thick * uneven - (lung.wall - lung.t), 0.014)
            upper = ramp(chest.apex + 0.12 + 0.12 * grade - scene.frame.y, 0.05)
            share = np.maximum(band, wall * upper)
        else:
            low = chest.zone_span(side, "lower")[1]
            top = chest.zone_span(side, "mid")[0]
            span = ramp(scene.frame.y - top, 0.08)
            span *= ramp(low - 0.10 - scene.frame.y, 0.08)
            share = span * ramp(0.9 * thick * uneven - (lung.wall - lung.t), 0.014)
        speckle = np.clip(cloud(scene.frame, rng, 0.018) - 0.6, 0, 1) * max(grade - 0.5, 0) * 0.5
        scene.density += share * speckle * lung.shape
        # The lung is thin at its rim: the band needs density of its own to be seen there.
        scene.density += share * lung.shape * (0.04 + 0.10 * grade)
        parts.append(scene.fill_lung(side, share * 0.9))
    return joined(parts)
