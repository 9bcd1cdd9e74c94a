"""Which entities a patient has in each study: they come, stay, change and go."""

import math
from dataclasses import dataclass

import numpy as np

from cxrkit.data.synthetic.placement import change_severity, place
from cxrkit.data.synthetic.tendencies import EXCLUSIVE, TENDENCIES, Tendency
from cxrkit.data.synthetic.truth import DRAWABLE, PlacedFinding

_TRAITS = ("heart", "acute", "infection", "trauma")
_STICKINESS = 0.6  # share of the tendency to be abnormal that belongs to the patient, not to the study


@dataclass(frozen=True)
class ReportedFinding:
    """A drawn finding and how the invented report speaks of it.

    Attributes:
        placed: what is drawn.
        change: "new", "unchanged", "worse" or "improved" against the previous study; None without one.
        certain: False when the report hedges.
        severity_stated: the report names the severity.
        place_stated: the report names the place; otherwise a default region stands for it.
    """

    placed: PlacedFinding
    change: str | None
    certain: bool
    severity_stated: bool
    place_stated: bool


@dataclass(frozen=True)
class Traits:
    """Standard-normal traits that make findings come together, `acute` at its value for one study."""

    heart: float
    acute: float
    infection: float
    trauma: float


def draw_course(
    rng: np.random.Generator, num_studies: int, abnormal_share: float
) -> list[tuple[Traits, tuple[ReportedFinding, ...]]]:
    """Draws the findings of a patient's studies in order of time.

    Args:
        rng: source of randomness.
        num_studies: how many studies.
        abnormal_share: probability that a study has a finding other than a device.
    """
    patient = rng.standard_normal(len(_TRAITS) + 1)
    previous: tuple[ReportedFinding, ...] = ()
    course = []
    for position in range(num_studies):
        traits = Traits(*_mixed(rng, patient[:-1]))
        abnormal = _normal_share(float(_mixed(rng, patient[-1:])[0])) < abnormal_share
        findings = _draw_study(rng, traits, previous, abnormal, is_first=position == 0)
        course.append((traits, findings))
        previous = findings
    return course


def _mixed(rng: np.random.Generator, patient: np.ndarray) -> list[float]:
    own = rng.standard_normal(len(patient))
    return [float(value) for value in math.sqrt(_STICKINESS) * patient + math.sqrt(1 - _STICKINESS) * own]


def _normal_share(value: float) -> float:
    return 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))


def _draw_study(
    rng: np.random.Generator,
    traits: Traits,
    previous: tuple[ReportedFinding, ...],
    abnormal: bool,
    is_first: bool,
) -> tuple[ReportedFinding, ...]:
    before = {finding.placed.entity: finding.placed for finding in previous}
    present = _draw_entities(rng, traits, set(before), abnormal)
    placed: list[PlacedFinding] = []
    for entity in present:
        known = before.get(entity)
        placed.append(place(rng, entity, placed) if known is None else change_severity(rng, known))
    return tuple(_report(rng, finding, before.get(finding.entity), is_first) for finding in placed)


def _draw_entities(rng: np.random.Generator, traits: Traits, before: set[str], abnormal: bool) -> list[str]:
    candidates = [entity for entity in TENDENCIES if abnormal or DRAWABLE[entity].is_device]
    present: list[str] = []
    for entity in candidates:
        tendency = TENDENCIES[entity]
        chance = tendency.stay if entity in before else _entry(tendency, traits, present)
        if rng.random() < chance and not _excluded(entity, present):
            present.append(entity)
    if abnormal and all(DRAWABLE[entity].is_device for entity in present):
        lesions = [entity for entity in candidates if not DRAWABLE[entity].is_device]
        weights = np.array([TENDENCIES[entity].share for entity in lesions])
        present.insert(0, lesions[int(rng.choice(len(lesions), p=weights / weights.sum()))])
    return present


def _entry(tendency: Tendency, traits: Traits, present: list[str]) -> float:
    """Gives the chance to be new; set so that the share stays level over a patient's studies."""
    level = tendency.share * (1 - tendency.stay) / (1 - tendency.share)
    # The first study has no past to stay from: start nearer to the level share.
    start = 0.5 * (tendency.share + level)
    log_odds = math.log(start / (1 - start)) + sum(
        getattr(tendency, trait) * getattr(traits, trait) for trait in _TRAITS
    )
    log_odds += sum(shift for other, shift in tendency.companions.items() if other in present)
    return 1.0 / (1.0 + math.exp(-log_odds))


def _excluded(entity: str, present: list[str]) -> bool:
    return any(
        (entity == first and second in present) or (entity == second and first in present)
        for first, second in EXCLUSIVE
    )


def _report(
    rng: np.random.Generator, placed: PlacedFinding, before: PlacedFinding | None, is_first: bool
) -> ReportedFinding:
    is_mild = placed.severity == "mild"
    is_device = DRAWABLE[placed.entity].is_device
    draws = rng.random(3)
    return ReportedFinding(
        placed=placed,
        change=None if is_first else _change(placed, before),
        certain=is_device or bool(draws[0] >= (0.10 if is_mild else 0.03)),
        severity_stated=placed.severity is not None and bool(draws[1] < 0.92),
        place_stated=bool(draws[2] < 0.80),
    )


_GRADES = {None: 0, "mild": 1, "moderate": 2, "severe": 3}


def _change(now: PlacedFinding, before: PlacedFinding | None) -> str:
    if before is None:
        return "new"
    step = _GRADES[now.severity] - _GRADES[before.severity]
    return "unchanged" if step == 0 else "worse" if step > 0 else "improved"
