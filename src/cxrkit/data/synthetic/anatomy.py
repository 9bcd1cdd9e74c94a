"""The body of one patient and the chest that it shows on one frontal film.

Lengths are body units (see `frame`); t is the distance from the midline towards one side, so that both
sides share their formulas. Proportions follow posteroanterior films of adults.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cxrkit.data.synthetic.texture import profile

Side: TypeAlias = Literal["left", "right"]
Array: TypeAlias = npt.NDArray[np.floating]
SIDES: tuple[Side, Side] = ("right", "left")
SIGN: dict[str, float] = {"left": 1.0, "right": -1.0}

_APEX_BEND = 2.25  # exponent of the superellipse that closes the lung's apex
_APEX_CENTRE = 0.31
_WALL_HEIGHT = 1.42  # from the apex to where the chest is widest
_SHOULDER_HEIGHT = 0.21  # from the apex to where its inner side reaches the mediastinum


@dataclass(frozen=True)
class Body:
    """What stays with a patient from film to film; sampled by `sample_body`.

    Lengths in body units; factors are relative to the mean adult.
    """

    lung_width: float
    lung_height: float
    heart_ratio: float
    heart_height: float
    knob: float
    aorta_unfolding: float
    pedicle: float
    dome_difference: float
    dome_curve: float
    stoutness: float
    shoulder_drop: float
    breast: float
    breast_height: float
    bone: float
    rib_spacing: float
    rib_slope: float
    clavicle_rise: float
    scoliosis: float
    trachea_offset: float
    vessel_richness: float
    vessel_seed: int


def sample_body(rng: np.random.Generator) -> Body:
    """Draws a patient's anatomy.

    Args:
        rng: source of randomness.
    """
    female = rng.random() < 0.48
    age = rng.beta(2.2, 1.6)
    return Body(
        lung_width=float(rng.normal(0.72 if female else 0.755, 0.03)),
        lung_height=float(rng.normal(1.0, 0.05)),
        heart_ratio=float(np.clip(rng.normal(0.445 + 0.02 * age, 0.018), 0.40, 0.495)),
        heart_height=float(rng.normal(1.0, 0.05)),
        knob=float(np.clip(rng.normal(0.8 + 0.45 * age, 0.15), 0.5, 1.6)),
        aorta_unfolding=float(np.clip(rng.normal(age - 0.45, 0.2), 0.0, 0.8)),
        pedicle=float(np.clip(rng.normal(1.0, 0.07), 0.85, 1.16)),
        dome_difference=float(rng.normal(0.045, 0.018)),
        dome_curve=float(rng.normal(1.0, 0.12)),
        stoutness=float(rng.beta(2, 2)),
        shoulder_drop=float(rng.normal(0.0, 0.03)),
        breast=float(rng.uniform(0.35, 1.0)) if female else 0.0,
        breast_height=float(rng.normal(0.36, 0.05)),
        bone=float(rng.uniform(0.8, 1.15) - 0.15 * age),
        rib_spacing=float(rng.normal(0.135, 0.006)),
        rib_slope=float(rng.normal(1.0, 0.14)),
        clavicle_rise=float(rng.normal(0.10, 0.03)),
        scoliosis=float(rng.normal(0.0, 0.012)),
        trachea_offset=float(rng.normal(-0.012, 0.008)),
        vessel_richness=float(rng.uniform(0.85, 1.15)),
        vessel_seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class Chest:
    """The geometry of one film: the body, its breath and projection, and what findings did to its shape.

    Attributes:
        body: the patient.
        portable: drawn anteroposterior at the bedside.
        apex: y of the lungs' tops.
        domes: y of the two hemidiaphragms' tops, (right, left).
        dome_drop: how far the diaphragm falls from its top to the costophrenic angle.
        heart_right: how far the heart reaches right of the midline.
        heart_left: how far the heart reaches left of the midline.
        heart_top: y of the heart's top.
        heart_bottom: y of the heart's lowest point.
        pedicle: half width of the upper mediastinum relative to the usual.
        mediastinal_bulge: additional half width at the height of the aortic arch.
        hyperinflation: 0 to 1, how much darker emphysema makes the lungs.
        clavicle_step: displacement of broken clavicles, (right, left).
    """

    body: Body
    portable: bool
    apex: float
    domes: tuple[float, float]
    dome_drop: float
    heart_right: float
    heart_left: float
    heart_top: float
    heart_bottom: float
    pedicle: float
    mediastinal_bulge: float = 0.0
    hyperinflation: float = 0.0
    clavicle_step: tuple[float, float] = (0.0, 0.0)

    def dome_top(self, side: str) -> float:
        """Gives y of a hemidiaphragm's top."""
        return self.domes[SIDES.index("left" if side == "left" else "right")]

    def angle(self, side: str) -> float:
        """Gives y of a costophrenic angle."""
        return self.dome_top(side) + self.dome_drop

    @property
    def carina(self) -> float:
        """Y of the tracheal bifurcation."""
        return self.apex + 0.43 * self.body.lung_height

    @property
    def knob_height(self) -> float:
        """Y of the aortic knob's middle."""
        return self.carina - 0.07

    @property
    def hilum(self) -> float:
        """Y of the left hilum; the right one lies a little lower."""
        return self.carina + 0.09

    def hilum_of(self, side: str) -> tuple[float, float]:
        """Gives the body coordinates of a hilum."""
        lower = 0.035 if side == "right" else 0.0
        return SIGN[side] * 0.20, self.hilum + lower

    def midline(self, y: Array) -> Array:
        """Gives x of the spine at heights y."""
        middle: Array = self.body.scoliosis * np.sin(2.2 * y)
        return middle

    def wall(self, y: Array) -> Array:
        """Gives t of the lung's outer border at heights y; both sides are alike."""
        depth = np.clip((y - self.apex) / (_WALL_HEIGHT * self.body.lung_height), 0.0, 1.0)
        opening = (1 - (1 - depth) ** _APEX_BEND) ** (1 / _APEX_BEND)
        widest = self.body.lung_width + 0.02 * self.hyperinflation
        border: Array = _APEX_CENTRE + (widest - _APEX_CENTRE) * opening
        return border

    def inner(self, y: Array, side: str) -> Array:
        """Gives t of the lung's inner border at heights y, the heart left out."""
        depth = np.clip((y - self.apex) / _SHOULDER_HEIGHT, 0.0, 1.0)
        opening = (1 - (1 - depth) ** _APEX_BEND) ** (1 / _APEX_BEND)
        border: Array = np.maximum(_APEX_CENTRE * (1 - opening), self.pedicle_border(y, side))
        return border

    def pedicle_border(self, y: Array, side: str) -> Array:
        """Gives t of the border of the great vessels and, lower down, of the paraspinal tissue."""
        off_arch = y - self.knob_height - 0.01
        hump = np.exp(-0.5 * (off_arch / np.where(off_arch < 0, 0.22, 0.15)) ** 2) * self.mediastinal_bulge
        if side == "right":
            vessels = profile(y, (-0.9, -0.6, self.carina, 0.0, 0.5), (0.085, 0.10, 0.125, 0.09, 0.06))
            return vessels * self.pedicle + hump
        body = self.body
        vessels = profile(y, (-0.9, -0.6, self.carina, 0.0, 0.5), (0.085, 0.10, 0.105, 0.10, 0.07))
        knob = 0.062 * body.knob * np.exp(-0.5 * ((y - self.knob_height) / 0.055) ** 2)
        trunk = 0.05 * np.exp(-0.5 * ((y - self.carina - 0.13) / 0.06) ** 2)
        unfolded = 0.06 * body.aorta_unfolding * np.exp(-0.5 * ((y - self.carina - 0.25) / 0.2) ** 2)
        border: Array = vessels * self.pedicle + knob + trunk + unfolded + hump
        return border

    def heart_border(self, y: Array, side: str) -> Array:
        """Gives t of the heart's border at heights y; negative above and below the heart."""
        depth = (y - self.heart_top) / (self.heart_bottom - self.heart_top)
        if side == "right":
            shape = profile(
                depth, (0.0, 0.1, 0.3, 0.55, 0.78, 0.93, 1.0), (0.4, 0.55, 0.85, 1.0, 0.95, 0.72, 0.3)
            )
            border = shape * self.heart_right
        else:
            shape = profile(
                depth, (0.0, 0.1, 0.3, 0.55, 0.78, 0.93, 1.0), (0.20, 0.34, 0.58, 0.87, 1.0, 0.88, 0.5)
            )
            border = shape * self.heart_left
        return np.where((depth < 0) | (depth > 1), -1.0, border)

    def dome(self, t: Array, side: str) -> Array:
        """Gives y of the hemidiaphragm at distances t from the midline."""
        top, peak = self.dome_top(side), 0.40
        outwards = np.clip((t - peak) / (self.body.lung_width - peak), 0.0, 1.2)
        inwards = np.clip((peak - t) / peak, 0.0, 1.0)
        surface: Array = top + self.dome_drop * outwards**2.3 + 0.10 * self.body.dome_curve * inwards**2
        return surface

    def zone_span(self, side: str, zone: str) -> tuple[float, float]:
        """Gives the top and bottom y of "apical", "upper", "mid" or "lower" of a lung."""
        apex, low = self.apex, self.dome_top(side) + 0.25 * self.dome_drop
        upper = apex + 0.36 * (low - apex)
        mid = apex + 0.66 * (low - apex)
        spans = {
            "apical": (apex, apex + 0.16 * (low - apex)),
            "upper": (apex, upper),
            "mid": (upper, mid),
            "lower": (mid, self.dome_top(side) + 0.7 * self.dome_drop),
        }
        return spans[zone]


def chest_of(body: Body, portable: bool, rng: np.random.Generator) -> Chest:
    """Gives the chest of a body on one film: breath and projection vary, findings are not in it yet.

    Args:
        body: the patient.
        portable: anteroposterior: the heart is nearer to the tube and larger, the breath is shallower.
        rng: source of randomness.
    """
    breath = float(np.clip(rng.normal(0.0, 0.045), -0.1, 0.1)) + (0.07 if portable else 0.0)
    apex = -0.75 * body.lung_height + float(rng.normal(0.0, 0.015))
    right = 0.38 * body.lung_height - breath
    heart_width = body.heart_ratio * 2 * body.lung_width * (1.09 if portable else 1.0)
    carina = apex + 0.43 * body.lung_height
    top = carina + 0.10
    bottom = right + 0.13 + 0.03 * body.heart_height
    return Chest(
        body=body,
        portable=portable,
        apex=apex,
        domes=(right, right + max(body.dome_difference, 0.01)),
        dome_drop=0.21 * body.dome_curve,
        heart_right=0.34 * heart_width,
        heart_left=0.66 * heart_width,
        heart_top=top,
        heart_bottom=bottom,
        pedicle=body.pedicle * (1.07 if portable else 1.0),
    )


def with_domes(chest: Chest, side: str, rise: float) -> Chest:
    """Gives the chest with one hemidiaphragm higher by `rise` body units (lower when negative)."""
    right, left = chest.domes
    moved = (right, left - rise) if side == "left" else (right - rise, left)
    return replace(chest, domes=moved)
