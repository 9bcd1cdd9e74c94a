"""The `.scene_graph.json` record of a study."""

from dataclasses import dataclass, replace
from typing import Any

from cxrkit.data.synthetic.catalogue import NORMAL
from cxrkit.data.synthetic.localization import Localizer
from cxrkit.data.synthetic.observations import CHILD_TYPE, Observation, best_levels, change_text
from cxrkit.data.synthetic.region_tree import ALL_REGIONS, HEART, LUNGS, region_relations, side_of
from cxrkit.data.synthetic.wording import listed

INDICATION_ID = "OIND"
Record = dict[str, Any]


@dataclass(frozen=True)
class Indication:
    """Why the film was taken, and what it says to that."""

    patient_info: str
    reason: str
    evaluation: str
    answer: Observation


def answer_indication(observations: tuple[Observation, ...], localizer: Localizer) -> Observation:
    """Gives the observation `OIND` that sums the study up."""
    positives = [one for top in observations for one in top.with_children if one.positive]
    lesions = [one for one in positives if not one.is_device]
    regions = tuple(dict.fromkeys(name for one in lesions for name in one.regions)) or (LUNGS, HEART)
    location = localizer.locate(regions)
    levels = best_levels(location)
    if lesions:
        text = f"The film shows {listed([one.entity for one in lesions])}."
        return replace(
            lesions[0], obs_id=INDICATION_ID, regions=regions, sentence=text, name="answer to the indication",
            location=location, levels=levels, children=(), is_default=False, change=None, non_resolved=(),
            also=tuple(one.entity for one in lesions[1:]),
        )  # fmt: skip
    return Observation(
        INDICATION_ID, NORMAL, False, regions, False, True, True, "The film shows nothing acute.",
        "answer to the indication", {"temporal": [], "severity": [], "texture": [], "spread": []}, None,
        location, levels,
    )  # fmt: skip


def scene_graph_record(
    patient_id: str,
    study_id: str,
    observations: tuple[Observation, ...],
    indication: Indication | None,
    localizer: Localizer,
    extraction_rating: str,
) -> Record:
    """Gives the study's scene graph as it goes into the JSON file."""
    everything = [one for top in observations for one in top.with_children]
    sentences, sentence_of = _sentences(everything, indication)
    named = frozenset(name for name in ALL_REGIONS if name != "interstitial") | {
        name for one in everything for name in one.regions
    }
    qualities = {image.image_id: image.quality for image in localizer.locate((LUNGS,)).images}
    return {
        "patient_id": patient_id,
        "study_id": study_id,
        "sentences": sentences,
        "top_level_obs_ids": [one.obs_id for one in observations],
        "observations": {one.obs_id: observation_record(one) for one in everything},
        "indication": None if indication is None else _indication_record(indication, observations),
        "regions": {name: _region_record(name, localizer) for name in sorted(named)},
        "located_at_relations": [
            {"region": name, "observation_id": one.obs_id, "distances": [], "where_specified": _how(one)}
            for one in everything
            for name in one.regions
        ],
        "obs_relations": [
            {
                "parent_observation_id": top.obs_id,
                "child_observation_id": child.obs_id,
                "child_type": CHILD_TYPE,
            }
            for top in observations
            for child in top.children
        ],
        "obs_sent_relations": [
            {"observation_id": obs_id, "sentence_id": sent_id} for obs_id, sent_id in sentence_of.items()
        ],
        "region_region_relations": region_relations(named),
        "study_quality": _study_levels(everything) | {"extraction_rating": extraction_rating},
        "study_img_localization_quality": qualities,
    }


def observation_record(one: Observation) -> Record:
    """Gives an observation as it goes into the scene graph."""
    return {
        "obs_id": one.obs_id,
        "name": one.name,
        "summary_sentence": one.sentence,
        "child_type": CHILD_TYPE if "." in one.obs_id else None,
        "child_level": one.obs_id.count("."),
        "regions": [{"region": name, "distances": []} for name in one.regions],
        "non_resolved_regions": list(one.non_resolved),
        "laterality": one.laterality,
        "default_regions": list(one.regions) if one.is_default else [],
        "obs_entities": one.entities,
        "obs_entities_parents": one.parents,
        "non_resolved_obs_entities": [],
        "obs_categories": one.categories,
        "obs_subcategories": one.subcategories,
        "probability": "positive" if one.positive else "negative",
        "certainty": "certain" if one.certain else "uncertain",
        "positiveness": "pos" if one.positive else "neg",
        "modifiers": one.modifiers,
        "changes": [] if one.change is None else [one.change],
        "change_sentence": change_text(one),
        "from_report": one.from_report,
        "obs_quality": one.levels,
        "localization": one.location.encoded,
    }


def _how(one: Observation) -> str:
    return "default" if one.is_default else "direct"


def _region_record(name: str, localizer: Localizer) -> Record:
    location = localizer.locate((name,))
    return {
        "region": name,
        "laterality": side_of((name,)),
        "localization": location.encoded,
        "region_localization_quality": location.quality,
    }


def _sentences(
    everything: list[Observation], indication: Indication | None
) -> tuple[dict[str, Record], dict[str, str]]:
    sentences: dict[str, Record] = {}
    sentence_of: dict[str, str] = {}

    def add(section: str, section_type: str, text: str) -> str:
        sent_id = f"S{len(sentences) + 1:02d}"
        sentences[sent_id] = {
            "sent_id": sent_id,
            "section": section,
            "section_type": section_type,
            "sentence": text,
        }
        return sent_id

    if indication is not None:
        add("INDICATION", "INDICATION", f"{indication.patient_info}. {indication.reason}.")
    add("EXAMINATION", "EXAM_TECHNIQUE", "Chest radiograph.")
    for one in everything:
        if one.from_report:
            text = " ".join(filter(None, [one.sentence, change_text(one)]))
            sentence_of[one.obs_id] = add("FINDINGS", "FINDINGS", text)
    return sentences, sentence_of


def _indication_record(indication: Indication, observations: tuple[Observation, ...]) -> Record:
    return {
        "indication_summary": f"{indication.patient_info}; {indication.reason.lower()}.",
        "patient_info": indication.patient_info,
        "indication": f"{indication.reason}.",
        "evaluation": indication.evaluation,
        "associated_sentence_ids": ["S01"],
        "associated_obs_ids": [one.obs_id for one in observations if one.positive],
        "answer_for_indication": observation_record(indication.answer),
    }


def _study_levels(everything: list[Observation]) -> dict[str, int]:
    criteria = everything[0].levels
    return {criterion: min(one.levels[criterion] for one in everything) for criterion in criteria}
