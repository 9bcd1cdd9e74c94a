"""Puts answers into words, boxes and probabilities: fixed rules per question type, no random wording.

Source of the rules: the 27 question types of MIMIC-Ext-CXR-QBA and the head that the router gives each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.models.decisions import SET_THRESHOLD, choose_classes
from cxrkit.vocabulary import (
    CLASSES_OF_HEAD,
    FINDINGS,
    NO_FINDING,
    REGIONS,
    SEVERITIES,
    Head,
    QuestionType,
    Subject,
)

FloatArray = npt.NDArray[np.floating]
# More places than these are left to the boxes.
MOST_PLACES = 3
_YES_NO: dict[Subject, tuple[str, str]] = {
    Subject.ABNORMALITY: ("No, nothing abnormal is seen.", "Yes, there is an abnormality{place}."),
    Subject.FINDING: ("No, it is not seen.", "Yes, it is seen{place}."),
    Subject.DEVICE: ("No, no device is seen.", "Yes, there is a device{place}."),
    Subject.ARTIFACT: ("No, there is no imaging artifact.", "Yes, there is an imaging artifact{place}."),
}
_YES_NO_NORMAL = ("No, there is an abnormality{place}.", "Yes, nothing abnormal is seen.")
_NOTHING: dict[Subject, str] = {
    Subject.ABNORMALITY: "Nothing abnormal is seen.",
    Subject.FINDING: "It is not seen.",
    Subject.DEVICE: "No device is seen.",
}


@dataclass(frozen=True)
class SupportingBox:
    """A box that supports an answer: its region, corners in pixels of the original film, and its score."""

    region: str
    corners_xyxy_px: tuple[float, float, float, float]
    score: float


@dataclass(frozen=True)
class ComposedAnswer:
    """An answer as people read it.

    Attributes:
        question_type: name of the type.
        head: the head that answered; `free_text` where no head can.
        text: the sentence; None where no head answers questions of this type.
        classes: the chosen class indices of the head.
        probabilities: of each class of the head, by its name; empty without a head.
        boxes: of the nodes that support the answer, the likeliest first; several or none.
        attended: attention of the answer over the nodes by region; empty when it was not asked for.
    """

    question_type: str
    head: Head
    text: str | None
    classes: tuple[int, ...]
    probabilities: dict[str, float]
    boxes: tuple[SupportingBox, ...]
    attended: dict[str, float]

    @property
    def is_supported(self) -> bool:
        """Whether a head answers questions of this type; free-text questions need a language model."""
        return self.head is not Head.FREE_TEXT


def compose(
    question_type: QuestionType,
    probabilities: FloatArray,
    node_scores: FloatArray,
    node_boxes_xyxy_px: FloatArray,
    node_attention: FloatArray | None = None,
) -> ComposedAnswer:
    """Gives sentence, probabilities and boxes for what the heads say about one question.

    Args:
        question_type: the router's entry of the question.
        probabilities: `[C]` of the type's head; not read for free text.
        node_scores: `[26]` probability that a region's node supports the answer, 0 where it does not exist.
        node_boxes_xyxy_px: `[26, 4]`.
        node_attention: `[26]`, or None.
    """
    if question_type.head is Head.FREE_TEXT:
        return ComposedAnswer(question_type.name, Head.FREE_TEXT, None, (), {}, (), {})
    order = [int(node) for node in np.argsort(-node_scores, kind="stable")]
    nodes = [node for node in order if node_scores[node] >= SET_THRESHOLD]
    boxes = tuple(_supporting_box(node, node_boxes_xyxy_px[node], node_scores[node]) for node in nodes)
    names = CLASSES_OF_HEAD[question_type.head]
    classes = choose_classes(question_type.head, probabilities)
    return ComposedAnswer(
        question_type.name,
        question_type.head,
        compose_answer(question_type, classes, nodes),
        tuple(classes),
        {name: float(value) for name, value in zip(names, probabilities, strict=True)},
        boxes,
        {} if node_attention is None else dict(zip(REGIONS, node_attention.tolist(), strict=True)),
    )


def _supporting_box(node: int, corners: FloatArray, score: float) -> SupportingBox:
    x1, y1, x2, y2 = (float(value) for value in corners)
    return SupportingBox(REGIONS[node], (x1, y1, x2, y2), float(score))


def compose_answer(question_type: QuestionType, classes: Sequence[int], regions: Sequence[int] = ()) -> str:
    """Gives the sentence for a head's decision.

    Args:
        question_type: the router's entry of the question, of a type that a head answers.
        classes: the chosen class indices of the head: one for binary and severity, a set otherwise.
        regions: regions of the nodes that support the answer; the first few are named where something is
            said to be there.

    >>> from cxrkit.vocabulary import QUESTION_TYPES
    >>> compose_answer(QUESTION_TYPES[22], [9, 19])
    'In the left lower lung zone and the right lower lung zone.'
    >>> compose_answer(QUESTION_TYPES[21], [1], [9])
    'Yes, it is seen in the left lower lung zone.'
    """
    if question_type.head is Head.BINARY:
        words = _YES_NO_NORMAL if question_type.yes_means_normal else _YES_NO[question_type.subject]
        return words[classes[0]].format(place=_place(regions))
    if question_type.head is Head.SEVERITY:
        return "It is not seen." if classes[0] == 0 else f"It is {SEVERITIES[classes[0]]}."
    if question_type.head is Head.REGION:
        names = [f"the {REGIONS[index]}" for index in sorted(classes)]
        return f"In {_listed(names)}." if names else "Nowhere: it is not seen."
    names = [FINDINGS[index].lower() for index in sorted(classes) if index != NO_FINDING]
    return f"There is {_listed(names)}{_place(regions)}." if names else _NOTHING[question_type.subject]


def _place(regions: Sequence[int]) -> str:
    names = [f"the {REGIONS[index]}" for index in regions[:MOST_PLACES]]
    return f" in {_listed(names)}" if names else ""


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1]
