"""Targets of questions, computed once for all questions of a type whose answers say the same."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from cxrkit.data.index.answer_tags import AnswerForm
from cxrkit.data.index.targets import (
    MASKED,
    BitTarget,
    binary_target,
    category_target,
    joint_polarity,
    leading_word,
    main_answers,
    region_target,
    severity_target,
)
from cxrkit.data.qba.records import Answer
from cxrkit.vocabulary import QUESTION_TYPES, Head, QuestionType, Subject

_NOTHING = BitTarget(0, False)
_IS_BINARY = [kind.head is Head.BINARY for kind in QUESTION_TYPES]
_NEEDS_VARIABLES = [kind.head is Head.CATEGORY and kind.subject is Subject.FINDING for kind in QUESTION_TYPES]


class QuestionTargets(NamedTuple):
    """Targets of a question; names and codes as in the table `questions`.

    Attributes:
        polarity: joint polarity of the main answers.
        binary_target: 0, 1, or -1 masked.
        severity_target: 0..3, or -1 masked.
        category_target: bits of the findings.
        category_valid: the set is known.
        region_target: bits of the regions.
        region_valid: the set is known.
        disagrees: the leading word contradicts the polarity.
        masked: the question has a head but no usable target.
    """

    polarity: int
    binary_target: int
    severity_target: int
    category_target: int
    category_valid: bool
    region_target: int
    region_valid: bool
    disagrees: bool
    masked: bool


class TargetTable:
    """All different targets that were met, numbered."""

    def __init__(self) -> None:
        self.rows: list[QuestionTargets] = []
        self._known: dict[tuple[int, int, int, bytes], int] = {}
        self._words: dict[str | None, int] = {}

    def find(self, kind: int, form: AnswerForm, first_text: str | None, variables: msgspec.Raw) -> int:
        """Gives the number of a question's targets.

        Args:
            kind: index of its type in `QUESTION_TYPES`.
            form: what its answers say.
            first_text: text of the first main answer.
            variables: its template variables, undecoded.
        """
        if _IS_BINARY[kind]:
            # A yes or no hangs on nothing else.
            stated, key = b"", (form.joint, kind, self._word(first_text), b"")
        else:
            stated = bytes(variables) if _NEEDS_VARIABLES[kind] else b""
            key = (form.number, kind, 0, stated)
        number = self._known.get(key)
        if number is None:
            number = self._known[key] = len(self.rows)
            answers = [entry.answer for entry in form.tags]
            named = msgspec.json.decode(stated) if stated else None
            self.rows.append(question_targets(QUESTION_TYPES[kind], answers, first_text, named))
        return number

    def _word(self, text: str | None) -> int:
        word = self._words.get(text)
        if word is None:
            word = self._words[text] = leading_word(text)
        return word


def question_targets(
    kind: QuestionType, answers: Sequence[Answer], first_text: str | None, variables: object
) -> QuestionTargets:
    """Gives the targets of a question; `docs/index_format.md` has the rules.

    Args:
        kind: its type.
        answers: its top-level answers, with at least one main answer.
        first_text: text of the first main answer.
        variables: its template variables.
    """
    main = main_answers(answers)
    joint = joint_polarity(main)
    binary, severity, category, region, disagrees = MASKED, MASKED, _NOTHING, _NOTHING, False
    if kind.head is Head.BINARY:
        binary, disagrees = binary_target(kind, [msgspec.structs.replace(main[0], text=first_text)], joint)
    elif kind.head is Head.CATEGORY:
        category = category_target(kind, answers, variables)
    elif kind.head is Head.REGION:
        region = region_target(answers)
    elif kind.head is Head.SEVERITY:
        severity = severity_target(answers)
    known = (binary, severity) != (MASKED, MASKED) or category.valid or region.valid
    masked = kind.head is not Head.FREE_TEXT and not known
    return QuestionTargets(joint, binary, severity, *category, *region, disagrees, masked)
