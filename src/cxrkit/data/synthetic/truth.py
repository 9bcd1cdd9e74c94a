"""What is on a synthetic film: the findings asked for, the film that was drawn, and what can be drawn.

Sides are the patient's: "left" lies on the right half of a frontal film.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

BoxXyxyPx = tuple[float, float, float, float]


@dataclass(frozen=True)
class PlacedFinding:
    """One finding or device to be drawn.

    Attributes:
        entity: a key of `DRAWABLE`.
        regions: names of `cxrkit.vocabulary.REGIONS` where it lies; one of the entity's placements.
        side: "left", "right", "bilateral", or None for what lies in the midline.
        severity: "mild", "moderate", "severe", or None when the entity has no severity.
        extent: size within the severity (or altogether, when there is no severity), 0 to 1.
    """

    entity: str
    regions: tuple[str, ...]
    side: str | None
    severity: str | None
    extent: float


@dataclass(frozen=True)
class Film:
    """A drawn film and the truth about it.

    Attributes:
        pixels: uint8 `[H, W]`, air black, bone white.
        region_boxes: xyxy_px per region name, inside the film; a frontal film has all 26 of `REGIONS`
            plus "mediastinum", "spine" and "abdomen".
        finding_boxes: parallel to the findings: xyxy_px of the drawn signature, None where nothing shows.
    """

    pixels: npt.NDArray[np.uint8]
    region_boxes: dict[str, BoxXyxyPx]
    finding_boxes: tuple[BoxXyxyPx | None, ...]


@dataclass(frozen=True)
class Placement:
    """Where an entity can lie: region names and the side they amount to."""

    regions: tuple[str, ...]
    side: str | None


@dataclass(frozen=True)
class Drawable:
    """What a records builder has to know to place an entity sensibly.

    Attributes:
        finding: name in `FINDINGS` that the entity stands for, "" when it stands for none.
        placements: the allowed places, the more usual ones first.
        needs_side: every placement has a side.
        has_severity: drawn by severity and extent; otherwise by extent alone.
        is_device: a support device.
    """

    finding: str
    placements: tuple[Placement, ...]
    needs_side: bool
    has_severity: bool
    is_device: bool


def _of_side(side: str, *stems: str) -> Placement:
    return Placement(tuple(f"{side} {stem}" for stem in stems), side)


def _either(*stems: str) -> tuple[Placement, ...]:
    return (_of_side("right", *stems), _of_side("left", *stems))


def _both(*stems: str) -> tuple[Placement, ...]:
    return (Placement(tuple(f"{side} {stem}" for side in ("right", "left") for stem in stems), "bilateral"),)


def _midline(*regions: str) -> tuple[Placement, ...]:
    return (Placement(regions, None),)


def _lesion(finding: str, placements: tuple[Placement, ...]) -> Drawable:
    return Drawable(finding, placements, all(p.side for p in placements), has_severity=True, is_device=False)


def _device(placements: tuple[Placement, ...]) -> Drawable:
    needs_side = all(place.side for place in placements)
    return Drawable("Support Devices", placements, needs_side, has_severity=False, is_device=True)


_LOWER, _MID, _UPPER = "lower lung zone", "mid lung zone", "upper lung zone"
_APEX, _ANGLE, _DOME, _HILUM = "apical zone", "costophrenic angle", "hemidiaphragm", "hilar structures"
_ONE_ZONE = (*_either(_LOWER), *_either(_MID), *_either(_UPPER))

DRAWABLE: Mapping[str, Drawable] = MappingProxyType(
    {
        "cardiomegaly": _lesion("Cardiomegaly", _midline("cardiac silhouette")),
        "mediastinal widening": _lesion("Enlarged Cardiomediastinum", _midline("upper mediastinum")),
        "pleural effusion": _lesion(
            "Pleural Effusion", (*_either(_ANGLE, _DOME, _LOWER), *_both(_ANGLE, _DOME, _LOWER))
        ),
        "consolidation": _lesion("Consolidation", _ONE_ZONE),
        "pneumonia": _lesion(
            "Pneumonia",
            (*_either(_LOWER, _MID), *_both(_LOWER), *_either(_UPPER, _MID), *_both(_LOWER, _MID)),
        ),
        "lung opacity": _lesion(
            "Lung Opacity", (*_either(_LOWER, _MID), *_both(_LOWER, _MID), *_either(_UPPER, _MID))
        ),
        "atelectasis": _lesion("Atelectasis", (*_either(_LOWER), *_both(_LOWER))),
        "pneumothorax": _lesion("Pneumothorax", _either(_APEX, _UPPER)),
        "lung nodule": _lesion("Lung Lesion", _ONE_ZONE),
        "lung mass": _lesion("Lung Lesion", (*_either(_UPPER), *_either(_MID), *_either(_LOWER))),
        "pulmonary edema": _lesion("Edema", _both(_HILUM, _MID, _LOWER)),
        "rib fracture": _lesion("Fracture", (*_either(_MID), *_either(_LOWER), *_either(_UPPER))),
        "clavicle fracture": _lesion("Fracture", _either("clavicle")),
        "pleural thickening": _lesion("Pleural Other", (*_either(_APEX), *_both(_APEX), *_either(_MID))),
        "emphysema": _lesion("", _both("lung")),
        "endotracheal tube": _device(_midline("trachea", "upper mediastinum")),
        "nasogastric tube": _device(
            _midline("upper mediastinum", "cardiac silhouette", "left hemidiaphragm")
        ),
        "central venous catheter": _device(
            (
                Placement(("svc", "cavoatrial junction"), "right"),
                Placement(("svc", "upper mediastinum"), "left"),
            )
        ),
        "pacemaker": _device(
            (
                Placement(("left upper lung zone", "cardiac silhouette"), "left"),
                Placement(("right upper lung zone", "cardiac silhouette"), "right"),
            )
        ),
        "chest tube": _device((*_either(_LOWER, _MID),)),
        "ecg leads": _device(_both("lung")),
        "sternal wires": _device(_midline("upper mediastinum", "cardiac silhouette")),
    }
)
