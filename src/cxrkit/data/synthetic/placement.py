"""Where a new finding lies and how severe it is."""

from dataclasses import replace

import numpy as np

from cxrkit.data.synthetic.truth import DRAWABLE, PlacedFinding, Placement

_SEVERITIES = ("mild", "moderate", "severe")
_SEVERITY_LIMITS = (0.40, 0.75)
_USUAL_FIRST = 0.35  # how fast the weight of a placement falls with its position in the list
_ATTEMPTS = 4

# Findings that go to the side of another one when it is there.
_FOLLOWS: dict[str, tuple[str, ...]] = {
    "consolidation": ("pneumonia",),
    "atelectasis": ("pleural effusion",),
    "chest tube": ("pneumothorax", "pleural effusion"),
    "rib fracture": ("pneumothorax",),
}
# Shadows in the lung that would hide one another in one place.
_PARENCHYMAL = frozenset(
    {"pneumonia", "consolidation", "lung opacity", "atelectasis", "lung nodule", "lung mass"}
)


def place(rng: np.random.Generator, entity: str, others: list[PlacedFinding]) -> PlacedFinding:
    """Draws place, severity and extent of a new finding, given those already placed in the study."""
    options = _options(entity, others)
    placement = _draw_placement(rng, options)
    for _ in range(_ATTEMPTS):
        if not _hidden(entity, placement, others):
            break
        placement = _draw_placement(rng, options)
    severity = None
    if DRAWABLE[entity].has_severity:
        severity = _SEVERITIES[int(np.searchsorted(_SEVERITY_LIMITS, rng.random()))]
    extent = round(float(rng.random()), 4)
    return PlacedFinding(entity, placement.regions, placement.side, severity, extent)


def change_severity(rng: np.random.Generator, finding: PlacedFinding) -> PlacedFinding:
    """Gives the finding at the patient's next study: same place, same severity or one step apart."""
    if finding.severity is None:
        return finding
    step = int(np.searchsorted((0.2, 0.8), rng.random())) - 1
    index = min(max(_SEVERITIES.index(finding.severity) + step, 0), len(_SEVERITIES) - 1)
    return replace(finding, severity=_SEVERITIES[index], extent=round(float(rng.random()), 4))


def _options(entity: str, others: list[PlacedFinding]) -> tuple[Placement, ...]:
    placements = DRAWABLE[entity].placements
    sides = {other.side for other in others if other.entity in _FOLLOWS.get(entity, ())}
    if not sides or "bilateral" in sides:
        return placements
    fitting = tuple(placement for placement in placements if placement.side in sides)
    return fitting or placements


def _draw_placement(rng: np.random.Generator, options: tuple[Placement, ...]) -> Placement:
    weights = 1.0 / (1.0 + _USUAL_FIRST * np.arange(len(options)))
    return options[int(np.searchsorted(np.cumsum(weights / weights.sum()), rng.random()))]


def _hidden(entity: str, placement: Placement, others: list[PlacedFinding]) -> bool:
    if entity not in _PARENCHYMAL:
        return False
    return any(
        other.entity in _PARENCHYMAL
        and other.entity not in _FOLLOWS.get(entity, ())
        and set(placement.regions) & set(other.regions)
        for other in others
    )
