"""Answers: taken from observations, or filled into a template, and their JSON records."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from cxrkit.data.synthetic.localization import Location
from cxrkit.data.synthetic.observations import Observation, best_levels, name_tag
from cxrkit.data.synthetic.quality import RATINGS, answer_quality, draw_rating
from cxrkit.data.synthetic.region_tree import side_of

MAIN, DETAILS, RELATED = "main_answer", "details", "related_information"


@dataclass(frozen=True)
class Answer:
    """One answer before it has a number and a rating.

    Attributes:
        kind: main_answer, details or related_information.
        text: the answer sentence.
        tag: a label of a few words.
        regions: region names.
        location: their boxes per film.
        positive: polarity of the abnormality (a "yes" to "is it normal?" is negative).
        levels: extraction quality by criterion.
        source: the observation that it repeats; None for a template answer.
        entities, categories, subcategories, parents: tags of what it is about.
        modifiers: pairs of type and value.
        certain: False when hedged.
        children: answers of child observations.
    """

    kind: str
    text: str
    tag: str
    regions: tuple[str, ...]
    location: Location
    positive: bool
    levels: dict[str, int]
    source: Observation | None = None
    entities: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subcategories: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    modifiers: tuple[tuple[str, str], ...] = ()
    certain: bool = True
    children: tuple["Answer", ...] = ()

    @property
    def from_report(self) -> bool:
        """True when the invented report says it."""
        return self.source is not None and self.source.from_report


def repeat(observation: Observation, kind: str, with_children: bool = True) -> Answer:
    """Gives the answer that repeats an observation, and its children below it."""
    return Answer(
        kind=kind,
        text=observation.sentence,
        tag=name_tag(observation),
        regions=observation.regions,
        location=observation.location,
        positive=observation.positive,
        levels=observation.levels,
        source=observation,
        entities=tuple(observation.entities),
        categories=tuple(observation.categories),
        subcategories=tuple(observation.subcategories),
        parents=tuple(observation.parents),
        modifiers=tuple((key, value) for key, values in observation.modifiers.items() for value in values),
        certain=observation.certain,
        children=tuple(repeat(child, DETAILS) for child in observation.children) if with_children else (),
    )


def fill_in(text: str, tag: str, regions: tuple[str, ...], location: Location, positive: bool) -> Answer:
    """Gives a template main answer about regions, without entities."""
    return Answer(MAIN, text, tag, regions, location, positive, best_levels(location))


def fill_in_about(observation: Observation, text: str) -> Answer:
    """Gives a template main answer about one observation, with the observation's tags."""
    told = repeat(observation, MAIN, with_children=False)
    return Answer(
        MAIN, text, told.tag, told.regions, told.location, told.positive, told.levels, None, told.entities,
        told.categories, told.subcategories, told.parents, told.modifiers, told.certain,
    )  # fmt: skip


class AnswerNumbering:
    """Numbers and rates the answers of one question, children included, and keeps what the tables need."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.listed: list[tuple[int, int, Answer, str]] = []

    def record(self, answer: Answer, level: int = 0) -> dict[str, Any]:
        """Gives the answer's JSON record; `listed` gains (answer id, level, answer, rating)."""
        answer_id = len(self.listed) + 1
        rating = draw_rating(self._rng, answer.levels)
        self.listed.append((answer_id, level, answer, RATINGS[rating]))
        return {
            "answer_id": answer_id,
            "answer_type": answer.kind,
            "answer_level": level,
            "text": answer.text,
            "name_tag": answer.tag,
            "laterality": side_of(answer.regions),
            "regions": answer.regions,
            "obs_entities": answer.entities,
            "obs_entities_parents": answer.parents,
            "obs_categories": answer.categories,
            "obs_subcategories": answer.subcategories,
            "certainty": "certain" if answer.certain else "uncertain",
            "positiveness": "pos" if answer.positive else "neg",
            "modifiers": answer.modifiers,
            "localization": answer.location.encoded,
            "sub_answers": [self.record(child, level + 1) for child in answer.children],
            "from_report": answer.from_report,
            "extraction_quality": answer.levels,
            "answer_quality": answer_quality(rating, answer.from_report, answer.kind == RELATED),
        }
