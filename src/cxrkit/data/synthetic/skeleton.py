"""Ribs, clavicles, shoulders and spine as density on the canvas.

A rib is a loop around the chest seen from the front: an ellipse in the horizontal plane that falls towards
its front end. Its projection gives the flat posterior arc, the steep lateral turn and the faint anterior arc.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.synthetic.anatomy import SIDES, SIGN, Chest
from cxrkit.data.synthetic.frame import Frame, Grid, Points
from cxrkit.data.synthetic.ink import Stroke, draw_bands, draw_strokes, ribbon, smooth_curve
from cxrkit.data.synthetic.texture import points_of

Vector = npt.NDArray[np.float64]

NUM_RIBS = 11
_RIB_STEPS = 18  # points along a drawn arc
_LATERAL = np.pi / 2
_FRONT_END = 0.80 * np.pi
_RIB_HALF_WIDTH = 0.019
_STEP_DECAY = 0.30  # radians over which a displaced fragment returns to its course


@dataclass(frozen=True)
class RibBreak:
    """A fractured rib: which, where along the loop (radians from the spine), and the step in body units."""

    side: str
    rib: int
    angle: float
    step: float


def rib_points(chest: Chest, side: str, rib: npt.NDArray[np.integer] | int, angles: Vector) -> Points:
    """Gives body points `[..., 2]` of ribs at angles around the chest; the arguments broadcast.

    Args:
        chest: the geometry.
        side: "left" or "right".
        rib: 0 for the first.
        angles: radians, 0 at the spine, pi/2 at the side, pi at the sternum.
    """
    body, number = chest.body, np.asarray(rib, dtype=np.float64)
    crowding = 1 - 0.045 * np.clip(3 - number, 0, None)
    back = chest.apex + 0.015 + body.rib_spacing * number * crowding
    fall = (0.30 + 0.04 * np.minimum(number, 6)) * body.rib_slope
    reach = chest.wall(back + fall / 2) + 0.012
    reach *= np.interp(number, (0, 1, 2, 3), (0.52, 0.78, 0.93, 1.0))
    x = 0.05 + (reach - 0.05) * np.sin(angles)
    y = back - 0.02 * np.sin(np.minimum(2 * angles, np.pi)) + fall * (1 - np.cos(angles)) ** 0.9 / 2
    return np.stack([SIGN[side] * x + chest.midline(y), y], axis=-1)


def _rib_courses(
    chest: Chest, side: str, start: float, end: float, breaks: tuple[RibBreak, ...]
) -> tuple[Points, Vector]:
    """Gives courses `[K, N, 2]` and strengths `[K]` of one side's ribs; a broken rib has two pieces."""
    ribs = np.arange(NUM_RIBS)[:, None]
    courses = rib_points(chest, side, ribs, np.linspace(start, end, _RIB_STEPS))
    strengths = np.where(ribs[:, 0] < NUM_RIBS - 2, 1.0, 0.75)
    whole = strengths.copy()
    for wound in breaks:
        if wound.side != side or not start < wound.angle < end:
            continue
        pieces = [_broken_piece(chest, wound, start, wound.angle - 0.012, -0.45)]
        pieces.append(_broken_piece(chest, wound, wound.angle + 0.012, end, 0.55))
        courses = np.concatenate([courses, pieces])
        strengths = np.concatenate([strengths, np.repeat(whole[wound.rib], 2)])
        strengths[wound.rib] = 0.0
    shown = strengths > 0
    return courses[shown], strengths[shown]


def _broken_piece(chest: Chest, wound: RibBreak, low: float, high: float, share: float) -> Points:
    angles = np.linspace(low, high, _RIB_STEPS)
    points = rib_points(chest, wound.side, wound.rib, angles)
    points[:, 1] += share * wound.step * np.exp(-np.abs(angles - wound.angle) / _STEP_DECAY)
    return points


def _rib_arcs(frame: Frame, chest: Chest, span: tuple[float, float], strength: float,
              breaks: tuple[RibBreak, ...]) -> Grid:  # fmt: skip
    parts = [_rib_courses(chest, side, *span, breaks) for side in SIDES]
    courses = np.concatenate([part[0] for part in parts])
    strengths = strength * np.concatenate([part[1] for part in parts])
    widths = _RIB_HALF_WIDTH * np.linspace(0.9, 1.15, _RIB_STEPS)
    return draw_bands(frame, ribbon(courses, widths), 0.62 * strengths, strengths, edge=0.006)


def draw_ribs(frame: Frame, chest: Chest, breaks: tuple[RibBreak, ...]) -> Grid:
    """Gives the ribs' density on the film `[height, width]`, about 0 to 1.5.

    Posterior and anterior arcs add up where they cross.
    """
    back = _rib_arcs(frame, chest, (0.03, _LATERAL + 0.25), 1.0, breaks)
    back += _rib_arcs(frame, chest, (_LATERAL, _FRONT_END), 0.62, breaks)
    return back


def clavicle_points(chest: Chest, side: str) -> tuple[Points, ...]:
    """Gives the course of a clavicle in body points, in two pieces when it is broken."""
    rise = chest.body.clavicle_rise - (0.05 if chest.portable else 0.0)
    top = chest.apex + 0.085 - (0.045 if chest.portable else 0.0) + chest.body.shoulder_drop
    control = points_of(
        (0.065, top + 0.08 + rise * 0.3), (0.2, top + 0.065), (0.42, top - rise * 0.5), (0.62, top - rise),
        (0.80, top - rise * 0.8),
    )  # fmt: skip
    course = smooth_curve(control, 48)
    course[:, 0] *= SIGN[side]
    step = chest.clavicle_step[SIDES.index("left" if side == "left" else "right")]
    if step == 0.0:
        return (course,)
    middle = 25
    medial, lateral = course[: middle + 2].copy(), course[middle - 1 :].copy()
    medial[:, 1] -= 0.55 * step * np.linspace(0, 1, len(medial)) ** 2
    lateral[:, 1] += 0.75 * step * np.linspace(1, 0, len(lateral)) ** 1.5
    return medial, lateral


def draw_shoulders(frame: Frame, chest: Chest) -> Grid:
    """Gives clavicles, shoulder blades and upper arms as density on the film `[height, width]` in 0..1."""
    strokes: list[Stroke] = []
    for side in SIDES:
        strokes += _arm_strokes(chest, side)
        for course in clavicle_points(chest, side):
            ends = np.linspace(-1, 1, len(course))
            outline = ribbon(course, 0.021 + 0.010 * ends**2)
            strokes.append(Stroke(outline, 0.0, 0.66))
            strokes += [
                Stroke(half, 0.007, 0.95) for half in (outline[: len(course)], outline[len(course) :])
            ]
    return draw_strokes(frame, strokes)


def _arm_strokes(chest: Chest, side: str) -> list[Stroke]:
    sign, top = SIGN[side], chest.apex + chest.body.shoulder_drop
    medial = 0.60 if chest.portable else 0.74
    blade = points_of(
        (medial + 0.02, top + 0.10), (0.84, top + 0.06), (0.93, top + 0.15), (0.88, top + 0.29),
        (medial + 0.08, top + 0.58), (medial + 0.02, top + 0.58), (medial - 0.01, top + 0.32),
    )  # fmt: skip
    blade = smooth_curve(blade, 30)
    spine = points_of((medial + 0.02, top + 0.21), (0.82, top + 0.11), (0.95, top + 0.06))
    head = smooth_curve(
        points_of((0.93, top + 0.16), (1.02, top + 0.09), (1.11, top + 0.17), (1.07, top + 0.26)), 20
    )
    shaft = points_of((1.035, top + 0.18), (1.13, top + 0.95))
    strokes = [
        Stroke(blade, 0.0, 0.15),
        Stroke(blade[16:], 0.008, 0.26),
        Stroke(blade[9:18], 0.014, 0.34),
        Stroke(smooth_curve(spine, 12), 0.026, 0.30),
        Stroke(head, 0.0, 0.42),
        Stroke(shaft, 0.105, 0.40),
        Stroke(shaft + points_of((0.043, 0.0)), 0.018, 0.62),
        Stroke(shaft - points_of((0.043, 0.0)), 0.018, 0.62),
    ]
    return [Stroke(stroke.points * [sign, 1.0], stroke.width, stroke.strength) for stroke in strokes]


def draw_spine(frame: Frame, chest: Chest) -> Grid:
    """Gives the spine as density `[H, W]` in 0..1: bodies, darker discs, pedicles and spinous processes."""
    offset = np.abs(frame.x - chest.midline(frame.y).astype(np.float32))
    half_width = 0.072 + 0.012 * np.clip(frame.y, -1, 1)
    column: Grid = np.clip((half_width - offset) / 0.03 + 0.5, 0, 1).astype(np.float32)
    phase = (frame.y - chest.apex) / chest.body.rib_spacing
    within = phase - np.floor(phase)
    disc_space = np.clip((0.10 - np.abs(within - 0.5)) / 0.06 + 0.5, 0, 1)
    pedicle = np.exp(-0.5 * (((offset - 0.045) / 0.012) ** 2)) * np.exp(
        -0.5 * ((np.abs(within - 0.5) - 0.32) / 0.07) ** 2
    )
    process = np.exp(-0.5 * (offset / 0.013) ** 2) * np.exp(-0.5 * ((within - 0.62) / 0.16) ** 2)
    column *= (1 - 0.36 * disc_space).astype(np.float32)
    column += (0.20 * pedicle + 0.26 * process).astype(np.float32)
    return column
