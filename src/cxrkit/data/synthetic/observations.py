"""From drawn findings to the observations of a study's report: positives, their children, negatives."""

from dataclasses import dataclass, replace

import numpy as np

from cxrkit.data.synthetic.catalogue import (
    ENTITIES,
    NORMAL,
    categories_of,
    parents_of,
    subcategories_of,
)
from cxrkit.data.synthetic.course import ReportedFinding
from cxrkit.data.synthetic.localization import Localizer, Location
from cxrkit.data.synthetic.quality import EXTRACTION_LEVELS
from cxrkit.data.synthetic.region_tree import HEART, LUNGS, lies_in, side_of
from cxrkit.data.synthetic.truth import DRAWABLE, PlacedFinding
from cxrkit.data.synthetic.wording import (
    bare_noun,
    capitalized,
    change_sentence,
    negative_sentence,
    positive_sentence,
)

CHILD_TYPE = "associated_with"
_SEVERITIES = ("mild", "moderate", "severe")
# Absences that reports and the data set's templates name most often, with how often here.
_USUAL_ABSENCES = {
    "pleural effusion": 0.95,
    "pneumothorax": 0.95,
    "consolidation": 0.8,
    "pulmonary edema": 0.8,
    "cardiomegaly": 0.8,
}
_OTHER_ABSENCE = 0.45
_ABSENCE_FROM_REPORT = 0.45
# Pairs of which the second can be told as a consequence of the first.
_CHILDREN = (("pneumonia", "consolidation"), ("pleural effusion", "atelectasis"))
_CHILD_SHARE = 0.7
_NON_RESOLVED = "retrocardiac area"


@dataclass(frozen=True)
class Observation:
    """One observation of a study.

    Attributes:
        obs_id: "O01"; a child of it is "O01.01".
        entity: key of `ENTITIES`, or "normal".
        positive: present, or stated to be absent.
        regions: region names as the records give them.
        is_default: the report names no place; the regions are the entity's default.
        certain: False when the report hedges.
        from_report: stated in the report; otherwise filled in by a template.
        sentence: the summary sentence.
        name: a few words.
        modifiers: values by type (temporal, severity, texture, spread).
        change: against the previous study, None when not compared.
        location: boxes per film.
        levels: extraction quality by criterion.
        non_resolved: places named in the report that are no region of the vocabulary.
        children: observations told as its consequence.
        also: further entities of a summary of several findings.
    """

    obs_id: str
    entity: str
    positive: bool
    regions: tuple[str, ...]
    is_default: bool
    certain: bool
    from_report: bool
    sentence: str
    name: str
    modifiers: dict[str, list[str]]
    change: str | None
    location: Location
    levels: dict[str, int]
    non_resolved: tuple[str, ...] = ()
    children: tuple["Observation", ...] = ()
    also: tuple[str, ...] = ()

    @property
    def laterality(self) -> str | None:
        """Side of its regions."""
        return side_of(self.regions)

    @property
    def is_device(self) -> bool:
        """True for support devices."""
        return self.entity in DRAWABLE and DRAWABLE[self.entity].is_device

    @property
    def severity(self) -> str | None:
        """The severity word, when one is stated."""
        return next(iter(self.modifiers["severity"]), None)

    @property
    def entities(self) -> list[str]:
        """Its entity and those that it sums up besides."""
        return [self.entity, *self.also]

    @property
    def categories(self) -> list[str]:
        """The data set's categories of its entities."""
        return categories_of(self.entities)

    @property
    def subcategories(self) -> list[str]:
        """The data set's subcategories of its entities."""
        return subcategories_of(self.entities)

    @property
    def parents(self) -> list[str]:
        """More general entities."""
        return parents_of(self.entities)

    @property
    def with_children(self) -> tuple["Observation", ...]:
        """Itself and its children."""
        return (self, *self.children)


def best_levels(location: Location) -> dict[str, int]:
    """Gives extraction levels without fault, apart from those of the boxes."""
    levels = {criterion: len(names) - 1 for criterion, names in EXTRACTION_LEVELS.items()}
    levels["localization_quality"] = location.quality
    return levels


def observe(
    rng: np.random.Generator, findings: tuple[ReportedFinding, ...], localizer: Localizer
) -> tuple[Observation, ...]:
    """Gives a study's top-level observations: findings, devices, then absences, numbered in this order."""
    positives = [_observe_positive(rng, finding, localizer) for finding in findings]
    positives.sort(key=lambda observation: observation.is_device)
    positives = _nest(rng, positives)
    absent = _observe_absences(rng, findings, localizer)
    if all(observation.is_device for observation in positives):
        positives.append(_observe_normal(localizer))
    return tuple(_numbered(observation, n) for n, observation in enumerate([*positives, *absent], start=1))


def _numbered(observation: Observation, number: int) -> Observation:
    obs_id = f"O{number:02d}"
    children = tuple(
        replace(child, obs_id=f"{obs_id}.{position:02d}")
        for position, child in enumerate(observation.children, start=1)
    )
    return replace(observation, obs_id=obs_id, children=children)


def _nest(rng: np.random.Generator, positives: list[Observation]) -> list[Observation]:
    by_entity = {observation.entity: observation for observation in positives}
    for parent, child in _CHILDREN:
        if parent in by_entity and child in by_entity and rng.random() < _CHILD_SHARE:
            nested = by_entity.pop(child)
            if _touch(by_entity[parent], nested):
                by_entity[parent] = replace(by_entity[parent], children=(nested,))
            else:
                by_entity[child] = nested
    return list(by_entity.values())


def _touch(first: Observation, second: Observation) -> bool:
    return any(lies_in(region, first.regions) for region in second.regions)


def _observe_positive(
    rng: np.random.Generator, finding: ReportedFinding, localizer: Localizer
) -> Observation:
    placed, record = finding.placed, ENTITIES[finding.placed.entity]
    regions, is_default = reported_regions(placed, finding.place_stated)
    location = localizer.locate(regions, is_default)
    severity = []
    if placed.severity is not None and finding.severity_stated:
        severity = [record.size_words[_SEVERITIES.index(placed.severity)]]
    modifiers: dict[str, list[str]] = {
        "temporal": ["acute"] if finding.change == "new" and rng.random() < 0.3 else [],
        "severity": severity,
        "texture": [record.texture] if record.texture and rng.random() < 0.5 else [],
        "spread": [_spread(placed)] if record.texture and rng.random() < 0.4 else [],
    }
    levels = best_levels(location)
    levels["region_extract_quality"] = 1 if is_default else 4
    non_resolved: tuple[str, ...] = ()
    if not is_default and rng.random() < 0.05:
        levels["region_extract_quality"], non_resolved = 3, (_NON_RESOLVED,)
    levels["change_quality"] = 2 if finding.change is not None and rng.random() < 0.1 else 3
    adjectives = [word for kind in ("temporal", "severity", "texture") for word in modifiers[kind]]
    name = " ".join([*severity, bare_noun(placed.entity)])
    sentence = positive_sentence(placed.entity, adjectives, regions, finding.certain)
    return Observation(
        "", placed.entity, True, regions, is_default, finding.certain, True, sentence, name, modifiers,
        finding.change, location, levels, non_resolved,
    )  # fmt: skip


def _spread(placed: PlacedFinding) -> str:
    return "focal" if len(placed.regions) == 1 else "diffuse"


def reported_regions(placed: PlacedFinding, place_stated: bool) -> tuple[tuple[str, ...], bool]:
    """Gives the region names that the records use for a drawn finding, and whether they are a default.

    They are the drawn regions or a whole that the drawn ones make up; a tube into the stomach has the
    stomach besides.
    """
    if placed.entity == "nasogastric tube":
        return (*placed.regions, "stomach"), False
    if placed.entity == "cardiomegaly":
        return (HEART,) if place_stated else placed.regions, False
    if placed.entity == "pulmonary edema" and not place_stated:
        return (LUNGS, "interstitial"), True
    if set(placed.regions) == {"left lung", "right lung"}:
        return ((LUNGS,), placed.entity != "ecg leads") if not place_stated else (placed.regions, False)
    return placed.regions, False


def absent_entities(findings: tuple[ReportedFinding, ...]) -> list[str]:
    """Gives the entities of which absence can be stated: not there, nor anything that looks alike."""
    present = {finding.placed.entity for finding in findings}
    return [
        entity
        for entity, record in ENTITIES.items()
        if entity not in present and not present & set(record.relatives)
    ]


def _observe_absences(
    rng: np.random.Generator, findings: tuple[ReportedFinding, ...], localizer: Localizer
) -> list[Observation]:
    absent = []
    for entity in absent_entities(findings):
        is_device = entity in DRAWABLE and DRAWABLE[entity].is_device
        if not is_device and rng.random() < _USUAL_ABSENCES.get(entity, _OTHER_ABSENCE):
            from_report = bool(rng.random() < _ABSENCE_FROM_REPORT)
            absent.append(observe_absence(entity, localizer, from_report))
    return absent


def observe_absence(entity: str, localizer: Localizer, from_report: bool = False) -> Observation:
    """Gives the observation that an entity is absent, at the regions where one would look for it."""
    regions = ENTITIES[entity].look_at
    is_default = LUNGS in regions and not from_report
    location = localizer.locate(regions, is_default)
    levels = best_levels(location)
    levels["region_extract_quality"] = 1 if is_default else 2 if not from_report else 4
    return Observation(
        "", entity, False, regions, is_default, True, from_report, negative_sentence(entity),
        f"no {bare_noun(entity)}", _no_modifiers(), None, location, levels,
    )  # fmt: skip


def _observe_normal(localizer: Localizer) -> Observation:
    regions = (LUNGS, HEART)
    location = localizer.locate(regions)
    return Observation(
        "", NORMAL, False, regions, False, True, True, "No acute abnormality is seen.", "normal film",
        _no_modifiers(), None, location, best_levels(location),
    )  # fmt: skip


def _no_modifiers() -> dict[str, list[str]]:
    return {"temporal": [], "severity": [], "texture": [], "spread": []}


def change_text(observation: Observation) -> str | None:
    """Gives the observation's change sentence; None when not compared."""
    return change_sentence(observation.change)


def name_tag(observation: Observation) -> str:
    """Gives the observation's name as a label."""
    return capitalized(observation.name)
