"""Signatures of bone: where ribs break, and the callus around broken bone."""

from collections.abc import Sequence

import numpy as np

from cxrkit.data.synthetic.anatomy import Chest
from cxrkit.data.synthetic.frame import Points
from cxrkit.data.synthetic.remodel import grade_of, sides_of
from cxrkit.data.synthetic.scene import Scene
from cxrkit.data.synthetic.signatures_airspace import zones_of
from cxrkit.data.synthetic.skeleton import NUM_RIBS, RibBreak, clavicle_points, rib_points
from cxrkit.data.synthetic.texture import blob, points_of
from cxrkit.data.synthetic.truth import PlacedFinding


def plan_breaks(
    chest: Chest, findings: Sequence[PlacedFinding], streams: list[np.random.Generator]
) -> dict[int, RibBreak]:
    """Decides for each rib fracture, by its position among the findings, which rib breaks and where."""
    breaks = {}
    for index, finding in enumerate(findings):
        if finding.entity == "rib fracture":
            breaks[index] = _plan_break(chest, finding, streams[index])
    return breaks


def _plan_break(chest: Chest, finding: PlacedFinding, rng: np.random.Generator) -> RibBreak:
    side = sides_of(finding)[0]
    angle = float(rng.uniform(0.75, 1.15))
    heights = rib_points(chest, side, np.arange(NUM_RIBS), np.full(NUM_RIBS, angle))[:, 1]
    top, bottom = chest.zone_span(side, zones_of(finding, side)[0])
    # Below the dome a break would hide in the abdomen, and the first rib lies behind the clavicle.
    bottom = min(bottom, chest.dome_top(side))
    off_zone = np.abs(heights - rng.uniform(0.75 * top + 0.25 * bottom, 0.2 * top + 0.8 * bottom))
    rib = 1 + int(off_zone[1:].argmin())
    return RibBreak(side, rib, angle, 0.034 + 0.044 * grade_of(finding))


def callus_of_rib(scene: Scene, wound: RibBreak, grade: float) -> Points:
    """Draws the callus around a broken rib and gives points around step and callus."""
    angles = wound.angle + np.linspace(-0.16, 0.16, 7)
    course = rib_points(scene.chest, wound.side, wound.rib, angles)
    centre = course[3]
    size = 0.022 + 0.017 * grade
    middle = (float(centre[0]), float(centre[1]))
    scene.density += blob(scene.frame, middle, (size, size)) * (0.12 + 0.16 * grade)
    reach = 2.2 * size
    return np.concatenate([course, centre + points_of((-reach, -reach), (reach, reach))])


def callus_of_clavicle(
    scene: Scene, finding: PlacedFinding, grade: float, rng: np.random.Generator
) -> Points:
    """Draws the overlap of a broken clavicle's ends and gives points around the displaced part."""
    side = sides_of(finding)[0]
    pieces = clavicle_points(scene.chest, side)
    ends = np.stack([pieces[0][-1], pieces[-1][0]])
    centre = ends.mean(axis=0)
    size = 0.020 + 0.014 * grade
    scene.density += blob(scene.frame, (float(centre[0]), float(centre[1])), (size, size * 1.6)) * (
        0.08 + 0.10 * grade
    )
    margin = 0.035
    near = np.concatenate([pieces[0][-16:], pieces[-1][:17]])
    low, high = near.min(axis=0) - margin, near.max(axis=0) + margin
    return points_of((float(low[0]), float(low[1])), (float(high[0]), float(high[1])))
