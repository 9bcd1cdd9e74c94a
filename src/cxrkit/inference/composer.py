"""Puts an answer into words: a fixed sentence per question type and head output, no random wording."""

from collections.abc import Sequence

from cxrkit.vocabulary import FINDINGS, NO_FINDING, REGIONS, SEVERITIES, Head, QuestionType, Subject

_YES_NO: dict[Subject, tuple[str, str]] = {
    Subject.ABNORMALITY: ("No, nothing abnormal is seen.", "Yes, there is an abnormality."),
    Subject.FINDING: ("No, it is not seen.", "Yes, it is seen."),
    Subject.DEVICE: ("No, no device is seen.", "Yes, there is a device."),
    Subject.ARTIFACT: ("No, there is no imaging artifact.", "Yes, there is an imaging artifact."),
}
_YES_NO_NORMAL = ("No, there is an abnormality.", "Yes, nothing abnormal is seen.")
_NOTHING: dict[Subject, str] = {
    Subject.ABNORMALITY: "Nothing abnormal is seen.",
    Subject.FINDING: "It is not seen.",
    Subject.DEVICE: "No device is seen.",
}


def compose_answer(question_type: QuestionType, classes: Sequence[int]) -> str:
    """Gives the sentence for a head's decision.

    Args:
        question_type: the router's entry of the question.
        classes: the chosen class indices of the head: one for binary and severity, a set otherwise.

    >>> from cxrkit.vocabulary import QUESTION_TYPES
    >>> compose_answer(QUESTION_TYPES[22], [9, 19])
    'In the left lower lung zone and the right lower lung zone.'
    """
    if question_type.head is Head.BINARY:
        words = _YES_NO_NORMAL if question_type.yes_means_normal else _YES_NO[question_type.subject]
        return words[classes[0]]
    if question_type.head is Head.SEVERITY:
        return "It is not seen." if classes[0] == 0 else f"It is {SEVERITIES[classes[0]]}."
    if question_type.head is Head.REGION:
        names = [f"the {REGIONS[index]}" for index in sorted(classes)]
        return f"In {_listed(names)}." if names else "Nowhere: it is not seen."
    names = [FINDINGS[index].lower() for index in sorted(classes) if index != NO_FINDING]
    return _listed(names).capitalize() + "." if names else _NOTHING[question_type.subject]


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1]
