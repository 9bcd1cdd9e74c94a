"""The state of one frontal film while it is being drawn: what signatures and devices add to."""

from dataclasses import dataclass, field

import numpy as np

from cxrkit.data.synthetic.anatomy import SIDES, Chest
from cxrkit.data.synthetic.frame import Frame, Grid, Points
from cxrkit.data.synthetic.tissue import SideGrids


@dataclass
class Scene:
    """A film in the making.

    Attributes:
        frame: the drawing frame.
        chest: the geometry, findings included.
        lungs: both lungs on the canvas, (right, left).
        density: on the canvas `[H, W]`; everything soft; added to in place.
        visible: on the canvas `[H, W]` in 0..1; how much of lung markings and ribs shows.
        markings: on the film `[height, width]`; lung vessels.
        ribs: on the film `[height, width]`; density of the ribs.
        overlay: on the film `[height, width]`; density of other bones and of devices.
        marks: body points around each finding's signature, by the finding's position.
    """

    frame: Frame
    chest: Chest
    lungs: tuple[SideGrids, SideGrids]
    density: Grid
    visible: Grid
    markings: Grid
    ribs: Grid
    overlay: Grid
    marks: dict[int, Points] = field(default_factory=dict)

    def lung(self, side: str) -> SideGrids:
        """Gives one lung's grids."""
        return self.lungs[SIDES.index("left" if side == "left" else "right")]

    def fill_lung(self, side: str, share: Grid) -> Points:
        """Replaces a share of a lung's air by fluid or tissue and gives the points around the change.

        Args:
            side: "left" or "right".
            share: `[H, W]` in 0..1.
        """
        change = self.lung(side).air * share
        self.density += change
        self.visible *= 1 - 0.85 * share
        return self.frame.mask_points(change > visible_level(change))


def visible_level(change: Grid) -> float:
    """Gives the change of density from which a signature counts as seen, for its box."""
    return max(0.16 * float(change.max()), 0.004)


def joined(parts: list[Points]) -> Points:
    """Gives the points of several parts together, `[N, 2]`."""
    return np.concatenate(parts) if parts else np.empty((0, 2))
