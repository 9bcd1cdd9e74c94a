"""Questions of the strategies "indication" and "abnormal": about the whole film or a group of findings."""

import numpy as np

from cxrkit.data.synthetic.answers import DETAILS, MAIN, fill_in, repeat
from cxrkit.data.synthetic.catalogue import (
    DEVICE_GROUPS,
    FINDING_GROUPS,
    GROUP_REGIONS,
    GROUPS_WITHOUT_NORMAL_QUESTION,
)
from cxrkit.data.synthetic.question_writer import QuestionWriter
from cxrkit.data.synthetic.region_tree import HEART, LUNGS
from cxrkit.data.synthetic.scene_graph import Indication
from cxrkit.data.synthetic.study_view import StudyView
from cxrkit.data.synthetic.wording import capitalized, listed

_WHOLE_FILM = (LUNGS, HEART)
_NUM_GROUPS, _MAX_POSITIVE_GROUPS, _NUM_ABSENT_DEVICE_GROUPS = 8, 3, 2
_ACQUISITION_SHARE = 0.05


def ask_overall(writer: QuestionWriter, view: StudyView, indication: Indication | None) -> None:
    """Adds all questions of the two strategies."""
    if indication is not None:
        _ask_indication(writer, view, indication)
    _ask_film(writer, view)
    for group in _draw_groups(writer.rng, view):
        _ask_group(writer, view, group)
    _ask_devices(writer, view, "", "support devices")
    for group in _draw_device_groups(writer.rng, view):
        _ask_devices(writer, view, group, DEVICE_GROUPS[group])
    if writer.rng.random() < _ACQUISITION_SHARE:
        text = f"It is a frontal film in {view.projection} projection."
        answer = fill_in(text, "Projection", _WHOLE_FILM, view.localizer.locate(_WHOLE_FILM), positive=True)
        writer.ask("B14_describe_acquisition", {}, {}, [answer])
    _ask_artifacts(writer, view)


def _ask_indication(writer: QuestionWriter, view: StudyView, indication: Indication) -> None:
    words = {
        "patient": indication.patient_info,
        "reason": indication.reason,
        "reason_lower": indication.reason.lower(),
        "evaluation": indication.evaluation,
    }
    details = [repeat(one, DETAILS) for one in view.top_lesions]
    writer.ask("A_indication", {}, words, [repeat(indication.answer, MAIN), *details])


def _ask_film(writer: QuestionWriter, view: StudyView) -> None:
    lesions = view.top_lesions
    writer.ask("B01_describe_all", {}, {}, [repeat(one, MAIN) for one in view.observations])
    details = [repeat(one, DETAILS) for one in lesions]
    nothing = view.answer_about(_WHOLE_FILM, "No abnormality is seen.", "No abnormality")
    writer.ask("B02_describe_abnormal", {}, {}, [repeat(one, MAIN) for one in lesions] or [nothing])
    names = listed([one.entity for one in view.lesions])
    if lesions:
        yes, no = f"Yes, {names}.", f"No, there is {names}."
    else:
        yes, no = "No, nothing abnormal is seen.", "Yes, the film is normal."
    writer.ask(
        "B03_is_abnormal", {}, {}, [view.answer_about(_WHOLE_FILM, yes, "Abnormal", lesions), *details]
    )
    writer.ask("B04_is_normal", {}, {}, [view.answer_about(_WHOLE_FILM, no, "Normal", lesions), *details])


def _draw_groups(rng: np.random.Generator, view: StudyView) -> list[str]:
    groups = list(FINDING_GROUPS)
    positive = [group for group in groups if view.lesions_of_group(group)]
    rest = [group for group in groups if group not in positive]
    shuffled = [positive[int(n)] for n in rng.permutation(len(positive))]
    shuffled += [rest[int(n)] for n in rng.permutation(len(rest))]
    # Few places go to groups with a finding, so that negatives prevail as in the data set.
    chosen = shuffled[: min(len(positive), _MAX_POSITIVE_GROUPS)]
    return chosen + shuffled[len(positive) :][: _NUM_GROUPS - len(chosen)]


def _ask_group(writer: QuestionWriter, view: StudyView, group: str) -> None:
    words, variables, regions = {"group": FINDING_GROUPS[group]}, {"subcategory": group}, GROUP_REGIONS[group]
    lesions = view.lesions_of_group(group)
    absences = [one for one in view.absences if group in one.subcategories]
    told = [repeat(one, MAIN, with_children=False) for one in (*lesions, *absences)]
    tag = capitalized(FINDING_GROUPS[group])
    nothing = view.answer_about(regions, f"Nothing abnormal is seen concerning {words['group']}.", tag)
    writer.ask("B08_describe_subcat", variables, words, told or [nothing])
    positives = [repeat(one, MAIN, with_children=False) for one in lesions]
    writer.ask("B09_describe_abnormal_subcat", variables, words, positives or [nothing])
    names = listed([one.entity for one in lesions])
    details = [repeat(one, DETAILS, with_children=False) for one in lesions]
    text = f"Yes, {names}." if lesions else "No, nothing abnormal is seen."
    writer.ask(
        "B10_is_abnormal_subcat", variables, words, [view.answer_about(regions, text, tag, lesions), *details]
    )
    if group not in GROUPS_WITHOUT_NORMAL_QUESTION:
        text = f"No, there is {names}." if lesions else "Yes, everything is normal there."
        lead = view.answer_about(regions, text, tag, lesions)
        writer.ask("B11_is_normal_subcat", variables, words, [lead, *details])


def _draw_device_groups(rng: np.random.Generator, view: StudyView) -> list[str]:
    present = [group for group in DEVICE_GROUPS if view.devices_of_group(group)]
    absent = [group for group in DEVICE_GROUPS if group not in present]
    order = rng.permutation(len(absent))[:_NUM_ABSENT_DEVICE_GROUPS]
    return [*present, *(absent[int(n)] for n in order)]


def _ask_devices(writer: QuestionWriter, view: StudyView, group: str, name: str) -> None:
    devices = view.devices_of_group(group)
    words, variables = {"group": name}, {"subcategory": group} if group else {}
    nothing = view.answer_about(_WHOLE_FILM, f"No {name} are seen.", capitalized(name))
    writer.ask("B12_describe_device", variables, words, [repeat(one, MAIN) for one in devices] or [nothing])
    text = "No, there are none."
    if devices:
        text = f"Yes, {listed([one.entity for one in devices])}."
    lead = view.answer_about(_WHOLE_FILM, text, capitalized(name), devices)
    writer.ask("B13_has_devices", variables, words, [lead, *(repeat(one, DETAILS) for one in devices)])


def _ask_artifacts(writer: QuestionWriter, view: StudyView) -> None:
    overlying = view.devices_of_group("MONITORING")
    plain = "Leads overlie the chest." if overlying else "There is no imaging artifact."
    answered = "Yes, leads overlie the chest." if overlying else "No, there is no imaging artifact."
    leads = [
        view.answer_about(_WHOLE_FILM, text, "Imaging artifacts", overlying) for text in (plain, answered)
    ]
    details = [repeat(one, DETAILS) for one in overlying]
    writer.ask("B15_describe_imaging_artifacts", {}, {}, [leads[0], *details])
    writer.ask("B16_has_imaging_artifacts", {}, {}, [leads[1], *details])
