"""Soft tissue, air and heart: the smooth part of a frontal film.

Densities are relative attenuations: about 0 outside the body, 0.2 in air-filled lung, 0.75 in the
mediastinum, 1 in the abdomen. They add up along the beam as attenuations do.
"""

from dataclasses import dataclass

import numpy as np

from cxrkit.data.synthetic.anatomy import SIDES, SIGN, Array, Chest
from cxrkit.data.synthetic.frame import Frame, Grid
from cxrkit.data.synthetic.texture import blob, disc, profile, ramp

AIR_DEPTH = 0.50  # what the air of a lung of full depth takes off the density


@dataclass(frozen=True)
class SideGrids:
    """One lung on the canvas.

    Attributes:
        sign: 1 on the patient's left.
        t: distance from the midline towards this side, `[H, W]`, body units.
        wall: t of the chest wall per row, `[H, 1]`.
        inner: t of the mediastinal border without the heart per row, `[H, 1]`.
        dome: y of the diaphragm per column, `[1, W]`.
        shape: 0..1, the lung's outline above the diaphragm, heart left out.
        air: density that air takes off, `[H, W]`; 0 outside the lung, little behind the heart.
    """

    sign: float
    t: Grid
    wall: Grid
    inner: Grid
    dome: Grid
    shape: Grid
    air: Grid


def heart_mask(frame: Frame, chest: Chest) -> Grid:
    """Gives the heart's outline on the canvas `[H, W]`, 0..1."""
    return ramp(_inside_heart(frame, chest), 0.022)


def _inside_heart(frame: Frame, chest: Chest) -> Grid:
    middle = chest.midline(frame.y)
    left = middle + chest.heart_border(frame.y, "left")
    right = middle - chest.heart_border(frame.y, "right")
    inside: Grid = np.minimum(_single(left) - frame.x, frame.x - _single(right))
    return inside


def side_grids(frame: Frame, chest: Chest, side: str, heart: Grid) -> SideGrids:
    """Lays one lung out on the canvas.

    Args:
        frame: the drawing frame.
        chest: the geometry.
        side: "left" or "right".
        heart: the heart's mask on the canvas.
    """
    sign = SIGN[side]
    t = (frame.x - _single(chest.midline(frame.y))) * np.float32(sign)
    wall, inner = _single(chest.wall(frame.y)), _single(chest.inner(frame.y, side))
    inner[frame.y < chest.apex] = 10.0
    dome = _single(chest.dome(frame.x * sign, side))
    across = np.minimum(wall - t, t - inner)
    shape = ramp(across, 0.018)
    above = dome - frame.y
    depth = shape * np.clip(0.62 + 2.6 * across, 0.0, 1.0)
    shape *= ramp(above, 0.014)
    # The lung reaches down behind the dome, where it makes the abdomen a little less dense.
    recess = 0.86 * ramp(above, 0.014) + 0.14 * np.clip(1 + above / 0.16, 0.0, 1.0)
    depth *= recess * (AIR_DEPTH * (1 + 0.22 * chest.hyperinflation))
    depth *= 1 - 0.92 * heart
    return SideGrids(sign, t, wall, inner, dome, shape, depth)


def draw_soft_tissue(frame: Frame, chest: Chest) -> Grid:
    """Gives the density `[H, W]` of the trunk, neck and arms without any air in the chest."""
    body, x, y = chest.body, np.abs(frame.x), frame.y
    stout = body.stoutness
    torso = _single(_trunk_half_width(y, chest))
    inside = np.clip(1 - x / torso, 0, 1)
    density = np.sqrt(np.sqrt(inside * np.float32(2.2))).clip(0, 1)
    # Pectoral and shoulder muscles lie over the upper lungs' outer parts.
    density += (
        0.07 * np.exp(-0.5 * ((x - 0.62) / 0.2) ** 2) * np.exp(-0.5 * ((y - chest.apex - 0.42) / 0.25) ** 2)
    )
    density *= _single(0.66 + 0.08 * stout + 0.07 * np.clip((y - 0.1) / 0.8, 0, 1))
    arm_middle = _single(1.04 + 0.12 * stout + 0.11 * (y - chest.apex))
    arm = 1 - ((x - arm_middle) / (0.17 + 0.04 * stout)) ** 2
    arm *= ramp(y - np.float32(chest.apex + 0.08), 0.2)
    np.clip(arm, 0, 1, out=arm)
    np.maximum(density, 0.62 * np.sqrt(arm), out=density)
    return density


def _trunk_half_width(y: Array, chest: Chest) -> Array:
    wide, stout = chest.body.lung_width, chest.body.stoutness
    top = chest.apex + chest.body.shoulder_drop
    waist = wide + 0.13 + 0.14 * stout
    positions = (top - 0.5, top - 0.24, top - 0.10, top + 0.02, top + 0.15, top + 0.75, top + 1.1, top + 1.9)
    values = (0.27 + 0.06 * stout, 0.34 + 0.06 * stout, 0.72, 1.15, 1.45, waist + 0.12, waist, waist + 0.03)
    return profile(y, positions, values)


def draw_organs(frame: Frame, chest: Chest, heart: Grid, sides: tuple[SideGrids, SideGrids]) -> Grid:
    """Gives heart, great vessels, hila, abdomen and breasts as density `[H, W]` to be added."""
    y = frame.y
    # The heart's shadow begins within the great vessels' and ends within the abdomen's.
    depth = np.clip(_inside_heart(frame, chest) / 0.16, 0.0, 1.0)
    density: Grid = (0.08 + 0.10 * depth) * heart
    density *= ramp(y - np.float32(chest.heart_top + 0.10), 0.22)
    middle = _single(chest.midline(y))
    left = _single(chest.pedicle_border(y, "left")) - (frame.x - middle)
    right = (frame.x - middle) + _single(chest.pedicle_border(y, "right"))
    vessels = ramp(y - np.float32(chest.apex + 0.05), 0.4) * (
        0.04 + 0.08 * ramp(chest.heart_top + 0.06 - y, 0.2)
    )
    density += ramp(np.minimum(left, right), 0.05) * vessels
    for grids in sides:
        below = frame.y - grids.dome
        reach = ramp(grids.wall - grids.t, 0.05) * ramp(grids.t, 0.01)
        abdomen = ramp(below, 0.014) * reach
        density *= 1 - 0.9 * abdomen
        density += abdomen * np.clip(0.15 + 0.28 * below, 0.0, 0.21)
    return density


def draw_breasts(frame: Frame, chest: Chest) -> Grid | None:
    """Gives breast shadows as density `[H, W]`, None when there are none."""
    size = chest.body.breast
    if size <= 0:
        return None
    density = np.zeros(frame.canvas_size[::-1], dtype=np.float32)
    for side in SIDES:
        centre = (SIGN[side] * (0.47 + 0.05 * size), chest.body.breast_height - 0.02)
        shape = disc(frame, centre, (0.30 + 0.10 * size, 0.26 + 0.12 * size), 0.05)
        fullness = np.clip(0.45 + (frame.y - centre[1]) * 1.5, 0.0, 0.8)
        density += shape * (0.13 * size * fullness)
    return density


def draw_airways(frame: Frame, chest: Chest) -> Grid:
    """Gives the air of trachea and main bronchi `[H, W]` in 0..1."""
    y = frame.y
    middle = _single(chest.midline(y) + chest.body.trachea_offset * (1 + np.clip((y + 0.7) / 0.3, 0, 1)))
    carina = np.float32(chest.carina)
    air = ramp(0.036 - np.abs(frame.x - middle), 0.03) * ramp(carina + 0.015 - y, 0.03)
    bottom = float(middle[np.abs(y - carina).argmin(), 0])
    for slope, reach in ((-0.85, 0.15), (1.35, 0.19)):
        down = y - carina
        off_axis = np.abs(frame.x - bottom - slope * down) * np.float32(1 / np.sqrt(1 + slope**2))
        branch = ramp(0.022 - off_axis, 0.026) * ramp(down + 0.01, 0.02) * np.clip(1 - down / reach, 0, 1)
        np.maximum(air, branch, out=air)
    return air


def draw_gastric_bubble(frame: Frame, chest: Chest, rng: np.random.Generator) -> Grid:
    """Gives stomach and bowel gas below the left dome `[H, W]` in 0..1."""
    size = float(rng.uniform(0.3, 1.0))
    centre = (float(rng.uniform(0.30, 0.44)), chest.domes[1] + 0.045 + 0.06 * size)
    gas = disc(frame, centre, (0.06 + 0.09 * size, 0.03 + 0.05 * size), 0.03)
    gas *= ramp(np.float32(centre[1] + 0.035 * size) - frame.y, 0.05)
    for _ in range(int(rng.integers(0, 5))):
        spot = (float(rng.uniform(-0.5, 0.6)), chest.domes[1] + float(rng.uniform(0.3, 0.6)))
        gas += 0.5 * blob(frame, spot, (0.06, 0.04))
    return gas


def hilar_shadow(frame: Frame, chest: Chest) -> Grid:
    """Gives the soft density of both hila `[H, W]`, about 0 to 1."""
    density = np.zeros(frame.canvas_size[::-1], dtype=np.float32)
    for side in SIDES:
        x, y = chest.hilum_of(side)
        density += blob(frame, (x * 0.82, y), (0.055, 0.085))
    return density


def _single(values: Array) -> Grid:
    return np.asarray(values, dtype=np.float32)
