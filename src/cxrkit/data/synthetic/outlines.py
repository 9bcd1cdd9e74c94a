"""Outlines of the named regions of a chest, as body points: the source of all region boxes."""

import numpy as np

from cxrkit.data.synthetic.anatomy import SIDES, SIGN, Array, Chest
from cxrkit.data.synthetic.frame import Points
from cxrkit.data.synthetic.skeleton import clavicle_points
from cxrkit.data.synthetic.texture import points_of

_ROWS, _COLUMNS = 120, 24
_FAR = 1.6  # reach of what leaves the film at its borders


def region_outlines(chest: Chest) -> dict[str, Points]:
    """Gives points `[N, 2]` around each of the 26 regions, and of mediastinum, spine and abdomen."""
    outlines = _midline_outlines(chest)
    for side in SIDES:
        outlines |= {f"{side} {name}": points for name, points in _side_outlines(chest, side).items()}
    return outlines


def heart_outline(chest: Chest) -> Points:
    """Gives points on the heart's border."""
    y = np.linspace(chest.heart_top, chest.heart_bottom, 60)
    middle = chest.midline(y)
    left, right = middle + chest.heart_border(y, "left"), middle - chest.heart_border(y, "right")
    return np.concatenate([np.stack([left, y], 1), np.stack([right, y], 1)])


def lung_points(chest: Chest, side: str) -> Points:
    """Gives body points that fill the visible lung: between wall, mediastinum, heart and diaphragm."""
    y = np.linspace(chest.apex, chest.angle(side) + 0.02, _ROWS)[:, None]
    inner = np.maximum(chest.inner(y, side), chest.heart_border(y, side))
    outer = chest.wall(y)
    t = inner + (outer - inner) * np.linspace(0, 1, _COLUMNS)[None, :]
    inside = (y <= chest.dome(t, side)) & (outer > inner)
    x = SIGN[side] * t + chest.midline(y)
    return np.stack([x[inside], np.broadcast_to(y, t.shape)[inside]], axis=1)


def _side_outlines(chest: Chest, side: str) -> dict[str, Points]:
    lung = lung_points(chest, side)
    outlines = {"lung": lung}
    for zone, name in (("apical", "apical zone"), ("upper", "upper lung zone"), ("mid", "mid lung zone")):
        outlines[name] = _between(lung, *chest.zone_span(side, zone))
    outlines["lower lung zone"] = _between(lung, chest.zone_span(side, "lower")[0], 9.0)
    hilum = chest.hilum_of(side)[1]
    wall = float(chest.wall(np.array([chest.angle(side)]))[0])
    sided = {
        "hilar structures": points_of((0.06, hilum - 0.14), (0.31, hilum + 0.17)),
        "costophrenic angle": points_of(
            (wall - 0.17, chest.angle(side) - 0.16), (wall + 0.01, chest.angle(side) + 0.03)
        ),
        "hemidiaphragm": points_of((0.09, chest.dome_top(side) - 0.01), (wall, chest.angle(side) + 0.01)),
    }  # fmt: skip
    middle = np.array([float(chest.midline(np.array(hilum))), 0.0])
    outlines |= {name: points_box(points * [SIGN[side], 1.0] + middle) for name, points in sided.items()}
    margin = np.array([[0.0, 0.028], [0.0, -0.028]])
    course = np.concatenate(clavicle_points(chest, side))
    outlines["clavicle"] = np.concatenate([course + margin[:1], course + margin[1:]])
    return outlines


def _midline_outlines(chest: Chest) -> dict[str, Points]:
    heart = heart_outline(chest)
    carina, knob = chest.carina, chest.knob_height
    left_of_knob = float(chest.pedicle_border(np.array([knob]), "left")[0])
    x = float(chest.midline(np.array(carina)))
    pedicle = _pedicle(chest, chest.apex + 0.02, carina + 0.04)
    in_heart = float(chest.heart_bottom - chest.heart_top)
    atrium = heart[(heart[:, 0] < x) & (heart[:, 1] > chest.heart_top + 0.22 * in_heart)]
    atrium = atrium[atrium[:, 1] < chest.heart_top + 0.86 * in_heart]
    corners = {
        "aortic arch": points_of((x - 0.03, knob - 0.10), (x + left_of_knob + 0.01, knob + 0.10)),
        "carina": points_of((x - 0.09, carina - 0.06), (x + 0.09, carina + 0.07)),
        "cavoatrial junction": points_of(
            (x - 0.14, chest.heart_top + 0.0), (x + 0.01, chest.heart_top + 0.15)
        ),
        "svc": points_of((x - 0.12, carina - 0.18), (x - 0.0, chest.heart_top + 0.07)),
        "trachea": points_of((x - 0.06, carina - 0.56), (x + 0.05, carina)),
        "spine": points_of((x - 0.10, -_FAR), (x + 0.10, _FAR)),
        "abdomen": points_of((-chest.body.lung_width, min(chest.domes)), (chest.body.lung_width, _FAR)),
    }
    outlines = {name: points_box(points) for name, points in corners.items()}
    outlines["cardiac silhouette"] = heart
    outlines["right atrium"] = np.concatenate([atrium, [[x + 0.05, chest.heart_top + 0.5 * in_heart]]])
    outlines["upper mediastinum"] = pedicle
    outlines["mediastinum"] = np.concatenate([pedicle, heart])
    return outlines


def _pedicle(chest: Chest, top: float, bottom: float) -> Points:
    y: Array = np.linspace(top, bottom, 30)
    middle = chest.midline(y)
    left, right = middle + chest.pedicle_border(y, "left"), middle - chest.pedicle_border(y, "right")
    return np.concatenate([np.stack([left, y], 1), np.stack([right, y], 1)])


def _between(points: Points, top: float, bottom: float) -> Points:
    return points[(points[:, 1] >= top) & (points[:, 1] <= bottom)]


def points_box(points: Points) -> Points:
    """Gives the four corners of the upright box around points."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return points_of((left, top), (right, top), (right, bottom), (left, bottom))
