"""Questions of the strategy "region_abnormal": what is abnormal, or which devices lie, in one region."""

import numpy as np

from cxrkit.data.synthetic.answers import DETAILS, MAIN, RELATED, Answer, repeat
from cxrkit.data.synthetic.observations import Observation
from cxrkit.data.synthetic.question_writer import QuestionWriter
from cxrkit.data.synthetic.region_tree import HEART, LUNGS, lies_in
from cxrkit.data.synthetic.study_view import StudyView
from cxrkit.data.synthetic.truth import DRAWABLE
from cxrkit.data.synthetic.wording import capitalized, listed
from cxrkit.vocabulary import REGION_INDEX, REGIONS, mirrored_region

_NUM_AFFECTED, _NUM_FREE = 2, 5
_RELATED_SHARE = 0.5
_NUM_WITH_DEVICE, _NUM_WITHOUT_DEVICE = 2, 4
_WHOLES = (LUNGS, HEART, "left lung", "right lung", "mediastinum")
_SELDOM = ("spine", "abdomen", "aortic arch", "right atrium", "trachea", "carina", "stomach")


def _usual_regions(devices: bool) -> tuple[str, ...]:
    """Gives the regions where something of the kind can lie at all, and the wholes."""
    names = {
        name
        for drawable in DRAWABLE.values()
        if drawable.is_device == devices
        for placement in drawable.placements
        for name in placement.regions
    }
    return tuple(sorted(names.union(_WHOLES)))


_FINDING_REGIONS = _usual_regions(devices=False) + _SELDOM
_DEVICE_REGIONS = _usual_regions(devices=True)


def ask_regions(writer: QuestionWriter, view: StudyView) -> None:
    """Adds the questions about findings and devices in some regions."""
    affected, free = _sort(_FINDING_REGIONS, view.lesions)
    for region in _some(writer.rng, affected, _NUM_AFFECTED) + _some(writer.rng, free, _NUM_FREE):
        _ask_region(writer, view, region)
    equipped, bare = _sort(_DEVICE_REGIONS, view.devices)
    chosen = _some(writer.rng, equipped, _NUM_WITH_DEVICE) + _some(writer.rng, bare, _NUM_WITHOUT_DEVICE)
    for region in chosen:
        _ask_devices(writer, view, region)


def _sort(regions: tuple[str, ...], found: tuple[Observation, ...]) -> tuple[list[str], list[str]]:
    """Gives the regions with something found and those without.

    Regions that are only a part of a reported place are in neither: whether this part is affected is open.
    """
    affected, free = [], []
    for region in regions:
        verdicts = {lies_in(region, one.regions) for one in found}
        if True in verdicts:
            affected.append(region)
        elif None not in verdicts:
            free.append(region)
    return affected, free


def _some(rng: np.random.Generator, options: list[str], count: int) -> list[str]:
    return [options[int(n)] for n in rng.permutation(len(options))[:count]]


def _ask_region(writer: QuestionWriter, view: StudyView, region: str) -> None:
    lesions = tuple(one for one in view.lesions if lies_in(region, one.regions))
    absences = tuple(one for one in view.absences if lies_in(region, one.regions))
    variables = words = {"region": region}
    tag, names = capitalized(region), listed([one.entity for one in lesions])
    nothing = view.answer_about((region,), f"Nothing abnormal is seen in the {region}.", tag)
    told = [repeat(one, MAIN, with_children=False) for one in (*lesions, *absences)]
    related = [] if lesions else _on_other_side(writer, view, region)
    writer.ask("C01_describe_region", variables, words, (told or [nothing]) + related)
    positives = [repeat(one, MAIN, with_children=False) for one in lesions]
    writer.ask("C02_describe_abnormal_region", variables, words, positives or [nothing])
    details = [repeat(one, DETAILS, with_children=False) for one in lesions]
    text = f"Yes, {names}." if lesions else "No, nothing abnormal is seen there."
    lead = view.answer_about((region,), text, tag, lesions)
    writer.ask("C03_is_abnormal_region", variables, words, [lead, *details])
    text = f"No, there is {names}." if lesions else "Yes, it looks normal."
    lead = view.answer_about((region,), text, tag, lesions)
    writer.ask("C04_is_normal_region", variables, words, [lead, *details])


def _on_other_side(writer: QuestionWriter, view: StudyView, region: str) -> list[Answer]:
    """Gives, now and then, what is found in the region's twin on the other side."""
    if region not in REGION_INDEX or writer.rng.random() >= _RELATED_SHARE:
        return []
    twin = REGIONS[mirrored_region(REGION_INDEX[region])]
    found = [one for one in view.top_lesions if twin in one.regions and region not in one.regions]
    return [repeat(one, RELATED) for one in found]


def _ask_devices(writer: QuestionWriter, view: StudyView, region: str) -> None:
    devices = tuple(one for one in view.devices if lies_in(region, one.regions))
    variables = words = {"region": region}
    tag = f"Devices in the {region}"
    nothing = view.answer_about((region,), f"No device is seen in the {region}.", tag)
    told = [repeat(one, MAIN) for one in devices]
    writer.ask("C07_describe_region_device", variables, words, told or [nothing])
    text = "No, there is none."
    if devices:
        text = f"Yes, {listed([one.entity for one in devices])}."
    lead = view.answer_about((region,), text, tag, devices)
    writer.ask("C08_has_region_device", variables, words, [lead, *(repeat(one, DETAILS) for one in devices)])
