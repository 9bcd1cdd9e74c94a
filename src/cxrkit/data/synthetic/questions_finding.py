"""Questions of the strategy "finding": whether, where and how severe one finding or device is."""

from cxrkit.data.synthetic.answers import DETAILS, MAIN, RELATED, Answer, fill_in_about, repeat
from cxrkit.data.synthetic.catalogue import DEVICE, ENTITIES
from cxrkit.data.synthetic.observations import Observation, observe_absence
from cxrkit.data.synthetic.question_writer import QuestionWriter
from cxrkit.data.synthetic.study_view import StudyView
from cxrkit.data.synthetic.wording import bare_noun, capitalized, in_regions

_NUM_ABSENT, _NUM_ABSENT_WHERE, _NUM_ABSENT_SEVERITY = 9, 3, 2
_NUM_ABSENT_DEVICES = 2
_RELATED_SHARE = 0.5
# Extent makes no sense for these, although they are drawn with one.
_WITHOUT_SEVERITY = ("rib fracture", "clavicle fracture", "hernia")


def ask_findings(writer: QuestionWriter, view: StudyView) -> None:
    """Adds the questions about single findings and devices."""
    for one in view.lesions:
        _ask_presence(writer, one, view)
        _ask_place(writer, one, "D03_where_is_finding")
        if one.entity not in _WITHOUT_SEVERITY:
            _ask_severity(writer, one)
    absent = [_absence(view, entity) for entity in _some_absent(writer, view, devices=False)]
    for position, one in enumerate(absent):
        _ask_presence(writer, one, view)
        if position < _NUM_ABSENT_WHERE:
            _ask_place(writer, one, "D03_where_is_finding")
        elif position < _NUM_ABSENT_WHERE + _NUM_ABSENT_SEVERITY and one.entity not in _WITHOUT_SEVERITY:
            _ask_severity(writer, one)
    _ask_devices(writer, view)


def _some_absent(writer: QuestionWriter, view: StudyView, devices: bool) -> list[str]:
    options = [entity for entity in view.absent if (ENTITIES[entity].category == DEVICE) == devices]
    count = _NUM_ABSENT_DEVICES if devices else _NUM_ABSENT
    return [options[int(n)] for n in writer.rng.permutation(len(options))[:count]]


def _absence(view: StudyView, entity: str) -> Observation:
    """Gives the stated absence when there is one, otherwise one filled in for the question."""
    stated = [one for one in view.absences if one.entity == entity]
    return stated[0] if stated else observe_absence(entity, view.localizer)


def _repeated(one: Observation, kind: str) -> Answer:
    """Repeats an observation of the scene graph; one made for the question alone counts as template."""
    return repeat(one, kind) if one.obs_id else fill_in_about(one, one.sentence)


def _ask_presence(writer: QuestionWriter, one: Observation, view: StudyView) -> None:
    variables, words = {"finding": one.entity}, {"noun": ENTITIES[one.entity].noun}
    writer.ask("D01_describe_finding", variables, words, [_repeated(one, MAIN)])
    text = _presence_text(one)
    answers = [fill_in_about(one, text)]
    if one.positive:
        answers.append(repeat(one, DETAILS))
    elif writer.rng.random() < _RELATED_SHARE:
        groups = set(one.subcategories)
        answers += [
            repeat(other, RELATED) for other in view.top_lesions if groups & set(other.subcategories)
        ][:1]
    writer.ask("D02_has_finding", variables, words, answers)


def _presence_text(one: Observation) -> str:
    noun = ENTITIES[one.entity].noun
    if not one.positive:
        return f"No, {one.sentence[0].lower()}{one.sentence[1:]}"
    return f"Yes, {noun} is present." if one.certain else f"Yes, {noun} may be present."


def _ask_place(writer: QuestionWriter, one: Observation, type_name: str) -> None:
    key = "device" if one.is_device or ENTITIES[one.entity].category == DEVICE else "finding"
    text = f"Nowhere: {one.sentence[0].lower()}{one.sentence[1:]}"
    if one.positive:
        text = f"In {in_regions(one.regions)}."
    answers = [fill_in_about(one, text)]
    if one.positive:
        answers.append(repeat(one, DETAILS))
    writer.ask(type_name, {key: one.entity}, {"noun": ENTITIES[one.entity].noun}, answers)


def _ask_severity(writer: QuestionWriter, one: Observation) -> None:
    name = capitalized(bare_noun(one.entity))
    if not one.positive:
        text = f"{name} is not present."
    elif one.severity is None:
        text = f"The severity of {bare_noun(one.entity)} is not stated."
    else:
        text = f"{name} is {one.severity}."
    answers = [fill_in_about(one, text)]
    if one.positive:
        answers.append(repeat(one, DETAILS))
    writer.ask(
        "D04_how_severe_is_finding", {"finding": one.entity}, {"noun": ENTITIES[one.entity].noun}, answers
    )


def _ask_devices(writer: QuestionWriter, view: StudyView) -> None:
    absent = [observe_absence(entity, view.localizer) for entity in _some_absent(writer, view, devices=True)]
    for position, one in enumerate((*view.devices, *absent)):
        variables, words = {"device": one.entity}, {"noun": ENTITIES[one.entity].noun}
        writer.ask("D05_describe_device", variables, words, [_repeated(one, MAIN)])
        answers = [fill_in_about(one, _presence_text(one))]
        if one.positive:
            answers.append(repeat(one, DETAILS))
        writer.ask("D06_has_device", variables, words, answers)
        if position <= len(view.devices):
            _ask_place(writer, one, "D07_where_is_device")
