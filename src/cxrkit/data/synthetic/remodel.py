"""Findings that change the shape of the chest before anything is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from cxrkit.data.synthetic.anatomy import SIDES, Chest, with_domes
from cxrkit.data.synthetic.truth import PlacedFinding

_BASE_GRADE = {"mild": 0.36, "moderate": 0.66, "severe": 1.0}


def grade_of(finding: PlacedFinding) -> float:
    """Gives the strength of a finding, about 0.3 to 1; the extent never outweighs a step of severity."""
    if finding.severity is None:
        return 0.35 + 0.65 * finding.extent
    return _BASE_GRADE[finding.severity] * (0.86 + 0.2 * finding.extent)


def sides_of(finding: PlacedFinding) -> tuple[str, ...]:
    """Gives the sides that a finding affects; both when it names none."""
    if finding.side in SIDES:
        return (str(finding.side),)
    return SIDES


def _enlarge_heart(chest: Chest, finding: PlacedFinding, grade: float) -> Chest:
    ratio = 0.495 + 0.205 * grade
    wide = max(ratio * 2 * chest.body.lung_width, 1.08 * (chest.heart_left + chest.heart_right))
    return replace(
        chest,
        heart_right=(0.33 + 0.02 * grade) * wide,
        heart_left=(0.67 - 0.02 * grade) * wide,
        heart_top=chest.heart_top - 0.05 * grade,
        heart_bottom=chest.heart_bottom + 0.03 * grade,
    )


def _widen_mediastinum(chest: Chest, finding: PlacedFinding, grade: float) -> Chest:
    return replace(chest, mediastinal_bulge=0.012 + 0.125 * grade)


def _lose_volume(chest: Chest, finding: PlacedFinding, grade: float) -> Chest:
    for side in sides_of(finding):
        chest = with_domes(chest, side, 0.03 + 0.12 * grade)
    return chest


def _overinflate(chest: Chest, finding: PlacedFinding, grade: float) -> Chest:
    right, left = chest.domes
    lower = 0.05 + 0.09 * grade
    return replace(
        chest,
        domes=(right + lower, left + lower),
        dome_drop=chest.dome_drop * (1 - 0.62 * grade),
        heart_right=chest.heart_right * (1 - 0.12 * grade),
        heart_left=chest.heart_left * (1 - 0.17 * grade),
        heart_bottom=chest.heart_bottom + lower,
        hyperinflation=grade,
    )


def _break_clavicle(chest: Chest, finding: PlacedFinding, grade: float) -> Chest:
    step = 0.015 + 0.075 * grade
    right, left = chest.clavicle_step
    return replace(chest, clavicle_step=(right, step) if finding.side == "left" else (step, left))


_REMODEL: Mapping[str, Callable[[Chest, PlacedFinding, float], Chest]] = MappingProxyType(
    {
        "emphysema": _overinflate,
        "cardiomegaly": _enlarge_heart,
        "mediastinal widening": _widen_mediastinum,
        "atelectasis": _lose_volume,
        "clavicle fracture": _break_clavicle,
    }
)


def remodel(chest: Chest, findings: tuple[PlacedFinding, ...]) -> Chest:
    """Gives the chest as the findings have shaped it, whatever their order."""
    for entity, change in _REMODEL.items():
        for finding in findings:
            if finding.entity == entity:
                chest = change(chest, finding, grade_of(finding))
    return chest
