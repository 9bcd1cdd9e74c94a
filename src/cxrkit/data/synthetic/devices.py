"""Support devices: tubes, lines, pacemaker, leads and wires; positions follow the anatomy."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from cxrkit.data.synthetic.anatomy import SIGN, Chest
from cxrkit.data.synthetic.frame import Points
from cxrkit.data.synthetic.ink import Stroke, draw_strokes, ribbon, smooth_curve
from cxrkit.data.synthetic.remodel import sides_of
from cxrkit.data.synthetic.scene import Scene
from cxrkit.data.synthetic.texture import points_of
from cxrkit.data.synthetic.truth import PlacedFinding

Device: TypeAlias = Callable[[Scene, PlacedFinding, float, np.random.Generator], Points]
_ABOVE_FILM = -1.5


def _lay(scene: Scene, strokes: list[Stroke], density: float) -> Points:
    """Adds strokes of a given density and gives the points around them."""
    scene.overlay += draw_strokes(scene.frame, strokes) * np.float32(density)
    around = []
    for stroke in strokes:
        edge = 0.5 * stroke.width + 0.003
        around += [stroke.points - edge, stroke.points + edge]
    return np.concatenate(around)


def _tube(course: Points, half_width: float) -> list[Stroke]:
    """Gives a hollow tube: faint lumen, two walls and an opaque stripe."""
    outline = ribbon(course, half_width)
    count = len(course)
    return [
        Stroke(course, 2 * half_width, 0.35),
        Stroke(outline[:count], 0.006, 0.8),
        Stroke(outline[count:], 0.006, 0.8),
        Stroke(course + points_of((half_width * 0.35, 0.0)), 0.008, 1.0),
    ]


def _middle(chest: Chest, y: float) -> float:
    return float(chest.midline(np.array(y)))


def endotracheal_tube(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a tube in the trachea that ends above the carina; the extent lowers its tip."""
    chest = scene.chest
    tip = chest.carina - 0.13 + 0.10 * finding.extent
    x = _middle(chest, tip) + chest.body.trachea_offset
    control = points_of((x + 0.035, _ABOVE_FILM), (x + 0.015, tip - 0.4), (x - 0.004, tip - 0.15), (x, tip))
    return _lay(scene, _tube(smooth_curve(control), 0.019), 0.40)


def nasogastric_tube(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a thin tube down the gullet into the stomach."""
    chest = scene.chest
    x, dome = _middle(chest, 0.0), chest.domes[1]
    reach, rise = 0.22 + 0.18 * finding.extent, float(rng.uniform(0, 0.06))
    control = points_of(
        (x - 0.02, _ABOVE_FILM), (x - 0.01, chest.apex), (x + 0.035, chest.carina), (x + 0.04, 0.1),
        (x + 0.07, dome + 0.02), (x + 0.20, dome + 0.15), (x + reach, dome + 0.10 + rise),
    )  # fmt: skip
    course = smooth_curve(control, 70)
    strokes = [Stroke(course, 0.019, 0.55), Stroke(course, 0.008, 1.0), Stroke(course[-4:], 0.024, 1.0)]
    return _lay(scene, strokes, 0.36)


def central_venous_catheter(
    scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator
) -> Points:
    """Draws a line from the neck or below the clavicle to the junction of vena cava and atrium."""
    chest, side = scene.chest, sides_of(finding)[0]
    x = _middle(chest, chest.carina)
    tip = (x - 0.085, chest.carina + 0.03 + 0.13 * finding.extent)
    high = (x - 0.095, chest.carina - 0.14)
    if side == "left":
        start = [(0.62, chest.apex + 0.10), (0.40, chest.apex + 0.10), (0.18, chest.apex + 0.15)]
        course = [*start, (x - 0.03, chest.carina - 0.16), (x - 0.085, chest.carina - 0.06), tip]
    elif rng.random() < 0.5:
        course = [(-0.24, _ABOVE_FILM), (-0.20, chest.apex - 0.10), (-0.13, chest.apex + 0.12), high, tip]
    else:
        course = [
            (-0.64, chest.apex + 0.14),
            (-0.42, chest.apex + 0.07),
            (-0.2, chest.apex + 0.12),
            high,
            tip,
        ]
    line = smooth_curve(np.array(course), 60)
    return _lay(scene, [Stroke(line, 0.017, 0.7), Stroke(line, 0.007, 1.0)], 0.38)


def pacemaker(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a generator below the clavicle with one or two leads into the heart."""
    chest, side = scene.chest, sides_of(finding)[0]
    sign, x = SIGN[side], _middle(chest, chest.carina)
    centre = np.array([sign * 0.56, chest.apex + 0.30])
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    rounded = np.stack([np.cos(turn), np.sin(turn)], 1)
    box = centre + np.sign(rounded) * np.abs(rounded) ** 0.55 * (0.085, 0.078)
    entry = [
        (sign * 0.50, chest.apex + 0.22),
        (sign * 0.36, chest.apex + 0.11),
        (sign * 0.17, chest.apex + 0.15),
    ]
    cava = [(x - 0.07, chest.carina - 0.10), (x - 0.09, chest.carina + 0.10)]
    depth = chest.heart_bottom - chest.heart_top
    ventricle = [(x - 0.07, chest.heart_top + 0.62 * depth), (x + 0.10, chest.heart_top + 0.80 * depth),
                 (x + 0.62 * chest.heart_left, chest.heart_top + 0.84 * depth)]  # fmt: skip
    leads = [smooth_curve(np.array([*entry, *cava, *ventricle]), 80)]
    if finding.extent > 0.5:
        loop = [(x - 0.10, chest.heart_top + 0.55 * depth), (x - 0.05, chest.heart_top + 0.42 * depth)]
        leads.append(smooth_curve(points_of(*entry, *cava, *loop) + points_of((0.012, 0.0)), 70))
    strokes = [Stroke(lead, 0.010, 0.55) for lead in leads] + [
        Stroke(lead[-5:], 0.020, 0.85) for lead in leads
    ]
    strokes += [Stroke(box, 0.0, 0.80), Stroke(np.concatenate([box, box[:1]]), 0.010, 1.0)]
    return _lay(scene, strokes, 0.52)


def chest_tube(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws a drain from the side wall up along the chest."""
    chest, side = scene.chest, sides_of(finding)[0]
    sign = SIGN[side]
    entry = chest.dome_top(side) - 0.02 - float(rng.uniform(0, 0.10))
    wall = float(chest.wall(np.array([entry]))[0])
    top = chest.apex + 0.40 - 0.26 * finding.extent
    inner = float(rng.uniform(0.26, 0.36))
    control = points_of(
        (wall + 0.24, entry + 0.16), (wall + 0.02, entry + 0.05), (wall - 0.13, entry - 0.10),
        (wall - 0.24, 0.5 * (entry + top)), (inner, top),
    ) * [sign, 1.0]  # fmt: skip
    return _lay(scene, _tube(smooth_curve(control, 50), 0.020), 0.40)


def ecg_leads(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws electrodes on the skin with wires that leave the film; the extent gives their number."""
    spots = [(-0.52, -0.42), (0.52, -0.40), (0.56, 0.34), (-0.54, 0.36), (0.02, 0.12)]
    strokes: list[Stroke] = []
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    for spot in spots[: 3 + round(2 * finding.extent)]:
        centre = np.array(spot) + rng.normal(0, 0.03, 2)
        bow = centre + np.array([0.10 * np.sign(centre[0]) + rng.normal(0, 0.1), 0.25])
        leaving = (float(centre[0] * 1.15 + rng.normal(0, 0.12)), 1.6)
        wire = smooth_curve(np.array([centre, bow, leaving]), 30)
        strokes.append(Stroke(wire, 0.008, 0.62))
        strokes += [Stroke(centre + circle * 0.036, 0.0, 0.45), Stroke(centre + circle * 0.018, 0.0, 1.0)]
    return _lay(scene, strokes, 0.42)


def sternal_wires(scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator) -> Points:
    """Draws the twisted loops that close the breastbone."""
    chest = scene.chest
    strokes: list[Stroke] = []
    turn = np.linspace(0, 2 * np.pi, 20)
    for y in np.linspace(chest.carina - 0.10, chest.heart_bottom - 0.14, 5 + round(2 * finding.extent)):
        centre = np.array([_middle(chest, float(y)) + 0.008 + rng.normal(0, 0.006), y])
        lean = float(rng.normal(0, 0.2))
        loop = np.stack([0.040 * np.cos(turn), 0.020 * np.sin(turn) + lean * 0.04 * np.cos(turn)], 1)
        strokes.append(Stroke(centre + loop, 0.008, 0.9))
        knot = centre + points_of((0.0, 0.020))
        strokes.append(Stroke(knot + points_of((-0.012, -0.008), (0.012, 0.010)), 0.014, 1.0))
    return _lay(scene, strokes, 0.50)


DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        "endotracheal tube": endotracheal_tube,
        "nasogastric tube": nasogastric_tube,
        "central venous catheter": central_venous_catheter,
        "pacemaker": pacemaker,
        "chest tube": chest_tube,
        "ecg leads": ecg_leads,
        "sternal wires": sternal_wires,
    }
)
