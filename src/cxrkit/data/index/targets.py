"""Targets of the four answer heads, as pure functions of a question's decoded answers.

The rules follow `docs/index_format.md`. A name that no table maps never becomes a class: it is
masked. Bit sets have bit i set for class i of `FINDINGS` or `REGIONS`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from cxrkit.data.qba.records import Answer, SubAnswer, modifier_values, polarity, region_names
from cxrkit.vocabulary import (
    NO_FINDING,
    SEVERITIES,
    SUPPORT_DEVICES,
    QuestionType,
    Subject,
    finding_of_entity,
    regions_of_name,
    severity_class,
)

POSITIVE, NEGATIVE, UNKNOWN = 1, 0, -1
MASKED = -1
SUPPORTING_TYPES = frozenset({"main_answer", "details"})
_NO_FINDING_BIT = 1 << NO_FINDING
_DEVICE_BIT = 1 << SUPPORT_DEVICES
# "Yes" is never a determiner; "No" is one in "No effusion is seen", which says nothing about "is it normal?".
_LEADING_WORD = re.compile(r"\s*(?:(yes)\b|(no)\s*(?:[,.;:!\u2013\u2014-]|$))", re.IGNORECASE)


class BitTarget(NamedTuple):
    """A set of classes; `valid` is False where the set is unknown and must stay out of the loss."""

    bits: int
    valid: bool


class BinaryTarget(NamedTuple):
    """0 no, 1 yes, -1 masked; `disagrees` when the leading word contradicts the stored polarity."""

    target: int
    disagrees: bool


@lru_cache(maxsize=8192)
def entity_bits(name: str) -> int:
    """Gives the finding's bit for an entity name, 0 when unmapped."""
    finding = finding_of_entity(name)
    return 0 if finding is None else 1 << finding


@lru_cache(maxsize=8192)
def region_bits(name: str) -> int:
    """Gives the bits of the 26 regions for a region name, 0 when unmapped."""
    return sum(1 << region for region in regions_of_name(name))


@lru_cache(maxsize=1024)
def _severity_index(word: str) -> int:
    name = severity_class(word)
    return -1 if name is None else SEVERITIES.index(name)


def all_bits(names: Iterable[str], bits_of: Callable[[str], int]) -> int:
    """Gives the union of the bits of some names."""
    result = 0
    for name in names:
        result |= bits_of(name)
    return result


def main_answers(answers: Sequence[Answer]) -> list[Answer]:
    """Gives the top-level main answers; a missing type counts as main."""
    return [answer for answer in answers if answer.answer_type in (None, "main_answer")]


def supporting_answers(answers: Sequence[Answer]) -> list[Answer]:
    """Gives the top-level main answers and details, without related information."""
    return [answer for answer in answers if _is_supporting(answer)]


def joint_polarity(answers: Sequence[Answer]) -> int:
    """Gives 1 when any answer is positive, 0 when all are negative, -1 otherwise.

    Args:
        answers: the main answers.
    """
    polarities = [polarity(answer.positiveness) for answer in answers]
    if POSITIVE in polarities:
        return POSITIVE
    return NEGATIVE if polarities and UNKNOWN not in polarities else UNKNOWN


def leading_word(text: str | None) -> int:
    """Gives 1 for a leading "Yes", 0 for a leading "No", -1 for neither.

    >>> leading_word("Yes, pneumonia."), leading_word("No."), leading_word("No effusion is seen.")
    (1, 0, -1)
    """
    match = _LEADING_WORD.match(text or "")
    if match is None:
        return UNKNOWN
    return POSITIVE if match[1] else NEGATIVE


def binary_target(question_type: QuestionType, main: Sequence[Answer], joint: int) -> BinaryTarget:
    """Gives the target of a yes/no question.

    The word of the first main answer wins; without one, the polarity of the abnormality decides, turned
    round for types where yes means normal.

    Args:
        question_type: a type of the binary head.
        main: the main answers, at least one.
        joint: their `joint_polarity`.
    """
    word = leading_word(main[0].text)
    by_polarity = MASKED if joint == UNKNOWN else joint ^ int(question_type.yes_means_normal)
    if word == UNKNOWN:
        return BinaryTarget(by_polarity, False)
    return BinaryTarget(word, by_polarity not in (MASKED, word))


def positive_entities(answers: Sequence[Answer]) -> set[str]:
    """Gives the entities of positive main answers and details, nested ones included."""
    return {
        entity
        for answer in _with_nested(answers)
        if polarity(answer.positiveness) == POSITIVE
        for entity in answer.obs_entities or ()
    }


def _is_supporting(answer: Answer | SubAnswer) -> bool:
    return answer.answer_type is None or answer.answer_type in SUPPORTING_TYPES


def _with_nested(answers: Iterable[Answer | SubAnswer]) -> Iterator[Answer | SubAnswer]:
    for answer in answers:
        if _is_supporting(answer):
            yield answer
            yield from _with_nested(answer.sub_answers or ())


def category_target(question_type: QuestionType, answers: Sequence[Answer], variables: object) -> BitTarget:
    """Gives the set of findings that a describe-question's answers state.

    Nothing positive is {No Finding}; devices are left out unless the question asks about them. The set
    is masked when a positive abnormality is stated but none of its entities is mapped.

    Args:
        question_type: a type of the category head.
        answers: the top-level answers.
        variables: the question's template variables; may name the asked finding.
    """
    entities = positive_entities(answers)
    joint = joint_polarity(supporting_answers(answers))
    if question_type.subject is Subject.DEVICE:
        return _device_target(entities, joint)
    asks_device = question_type.subject is Subject.FINDING and bool(
        _asked_bits(answers, variables) & _DEVICE_BIT
    )
    if not asks_device:
        entities = {name for name in entities if entity_bits(name) != _DEVICE_BIT}
    if not entities:
        return _nothing_positive(answers, joint)
    bits = all_bits(entities, entity_bits)
    if bits & ~_NO_FINDING_BIT:
        bits &= ~_NO_FINDING_BIT
    return BitTarget(bits, bits != 0)


def _nothing_positive(answers: Sequence[Answer], joint: int) -> BitTarget:
    # A positive answer that names no entity states an abnormality we cannot name; devices alone are none.
    nameless = any(
        polarity(answer.positiveness) == POSITIVE and not answer.obs_entities
        for answer in supporting_answers(answers)
    )
    if nameless or joint == UNKNOWN:
        return BitTarget(0, False)
    return BitTarget(_NO_FINDING_BIT, True)


def _device_target(entities: set[str], joint: int) -> BitTarget:
    if not entities:
        return BitTarget(_DEVICE_BIT if joint == POSITIVE else 0, joint != UNKNOWN)
    mapped = all_bits(entities, entity_bits)
    return BitTarget(mapped & _DEVICE_BIT, mapped != 0)


def _asked_bits(answers: Sequence[Answer], variables: object) -> int:
    named = (
        [value for value in variables.values() if isinstance(value, str)]
        if isinstance(variables, dict)
        else []
    )
    stated = all_bits(named, entity_bits)
    if stated or not answers:
        return stated
    return all_bits(answers[0].obs_entities or (), entity_bits)


def region_target(answers: Sequence[Answer]) -> BitTarget:
    """Gives the set of regions that positive main answers and details name; empty when all are negative.

    Masked when positive answers name no region that maps.
    """
    supporting = supporting_answers(answers)
    positive = [answer for answer in supporting if polarity(answer.positiveness) == POSITIVE]
    if not positive:
        return BitTarget(0, joint_polarity(supporting) == NEGATIVE)
    bits = all_bits((name for answer in positive for name in region_names(answer.regions)), region_bits)
    return BitTarget(bits, bits != 0)


def severity_target(answers: Sequence[Answer]) -> int:
    """Gives the worst stated severity of positive main answers and details; 0 when all are negative.

    -1 (masked) when a positive answer states no severity that maps.
    """
    supporting = supporting_answers(answers)
    positive = [answer for answer in supporting if polarity(answer.positiveness) == POSITIVE]
    if not positive:
        return 0 if joint_polarity(supporting) == NEGATIVE else MASKED
    return worst_severity(
        word for answer in positive for word in modifier_values(answer.modifiers, "severity")
    )


def worst_severity(words: Iterable[str]) -> int:
    """Gives the highest index in `SEVERITIES` of some words, -1 when none maps.

    >>> worst_severity(["mild", "large", "odd"])
    3
    """
    return max((_severity_index(word) for word in words), default=MASKED)
