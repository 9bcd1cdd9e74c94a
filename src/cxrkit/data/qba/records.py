"""The parts of `s*.qa.json` and `s*.scene_graph.json` that the index needs, as decoded records.

Lenient where data_formats allows it: unknown keys are ignored and every key may be missing or null,
`regions` holds names or objects, `modifiers` pairs or lists by type. Source: PhysioNet page of
MIMIC-Ext-CXR-QBA 1.0.0.

What recurs from answer to answer (regions, entities, boxes, ...) stays undecoded in `RawAnswer`: equal
bytes are decoded once, which is most of the speed of the index.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

MISSING = msgspec.Raw(b"null")


class Localization(msgspec.Struct, gc=False):
    """Boxes of an answer or region on one film, xyxy_px."""

    bboxes: list[list[float]] | None = None
    is_fallback: bool | None = None
    localization_quality: int | float | None = None


class RegionMention(msgspec.Struct, gc=False):
    """A region named as an object, as in the scene graph."""

    region: str | None = None


class Rated(msgspec.Struct, gc=False):
    """A quality record; only the overall rating is read."""

    rating: str | int | None = None


Localizations = dict[str, Localization | None]
Regions = list[str | RegionMention]
Modifiers = list[list[str | None]] | dict[str, list[str | None] | str | None]


class SubAnswer(msgspec.Struct, gc=False):
    """A nested answer: only its entities matter."""

    answer_type: str | None = None
    positiveness: str | None = None
    obs_entities: list[str] | None = None
    sub_answers: "list[SubAnswer] | None" = None


class Answer(msgspec.Struct, gc=False):
    """A top-level answer."""

    answer_type: str | None = None
    text: str | None = None
    regions: Regions | None = None
    obs_entities: list[str] | None = None
    positiveness: str | None = None
    modifiers: Modifiers | None = None
    localization: Localizations | None = None
    sub_answers: list[SubAnswer] | None = None
    answer_quality: Rated | None = None


class Question(msgspec.Struct, gc=False):
    """A question with its answers."""

    question_id: str | None = None
    question_type: str | None = None
    question_strategy: str | None = None
    variables: Any = None
    obs_ids: list[str] | None = None
    question: str | None = None
    answers: list[Answer] | None = None
    question_quality: Rated | None = None


class QaFile(msgspec.Struct):
    """`s*.qa.json`."""

    patient_id: str | int | None = None
    study_id: str | int | None = None
    questions: list[Question] | None = None


class RawAnswer(msgspec.Struct, gc=False):
    """A top-level answer whose parts are decoded only when their bytes are new."""

    answer_type: str | None = None
    text: str | None = None
    regions: msgspec.Raw = MISSING
    obs_entities: msgspec.Raw = MISSING
    positiveness: str | None = None
    modifiers: msgspec.Raw = MISSING
    localization: msgspec.Raw = MISSING
    sub_answers: msgspec.Raw = MISSING
    answer_quality: msgspec.Raw = MISSING


class RawQuestion(msgspec.Struct, gc=False):
    """A question with its undecoded parts."""

    question_id: str | None = None
    question_type: str | None = None
    question_strategy: str | None = None
    variables: msgspec.Raw = MISSING
    obs_ids: msgspec.Raw = MISSING
    question: str | None = None
    answers: list[RawAnswer] | None = None
    question_quality: msgspec.Raw = MISSING


class RawQaFile(msgspec.Struct):
    """`s*.qa.json` with undecoded parts."""

    patient_id: str | int | None = None
    study_id: str | int | None = None
    questions: list[RawQuestion] | None = None


class Region(msgspec.Struct, gc=False):
    """A region of the scene graph."""

    localization: Localizations | None = None


class Observation(msgspec.Struct, gc=False):
    """An observation of the scene graph."""

    obs_id: str | None = None
    child_level: int | None = None
    regions: Regions | None = None
    obs_entities: list[str] | None = None
    obs_categories: list[str] | None = None
    obs_subcategories: list[str] | None = None
    positiveness: str | None = None
    modifiers: Modifiers | None = None
    from_report: bool | None = None


class ObservationRelation(msgspec.Struct, gc=False):
    """Parent and child observation."""

    parent_observation_id: str | None = None
    child_observation_id: str | None = None


class SceneGraphFile(msgspec.Struct):
    """`s*.scene_graph.json`."""

    patient_id: str | int | None = None
    study_id: str | int | None = None
    observations: dict[str, Observation | None] | None = None
    regions: dict[str, Region | None] | None = None
    obs_relations: list[ObservationRelation] | None = None


def region_names(regions: Regions | None) -> list[str]:
    """Gives the names out of either shape of `regions`.

    >>> region_names(["heart", RegionMention("svc")])
    ['heart', 'svc']
    """
    mentions = regions or ()
    named = (mention if isinstance(mention, str) else mention.region for mention in mentions)
    return [name for name in named if name]


def modifier_values(modifiers: Modifiers | None, wanted: str) -> Iterator[str]:
    """Gives the values of one modifier type out of either shape of `modifiers`.

    >>> list(modifier_values([["severity", "mild"]], "severity"))
    ['mild']
    >>> list(modifier_values({"severity": ["mild"], "spread": []}, "severity"))
    ['mild']
    """
    if isinstance(modifiers, dict):
        values = modifiers.get(wanted) or ()
        yield from (value for value in ((values,) if isinstance(values, str) else values) if value)
        return
    for pair in modifiers or ():
        if len(pair) > 1 and pair[0] == wanted:
            yield from (value for value in pair[1:] if value)


def polarity(positiveness: str | None) -> int:
    """Gives 1 for positive, 0 for negative, -1 for neutral, missing or unknown.

    >>> polarity("pos"), polarity("neg"), polarity(None)
    (1, 0, -1)
    """
    return _POLARITIES.get(positiveness.strip().lower(), -1) if positiveness else -1


_POLARITIES = {"pos": 1, "positive": 1, "neg": 0, "negative": 0}
