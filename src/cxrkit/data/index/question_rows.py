"""From a study's decoded questions to rows of `questions` and `answer_boxes`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.data.index.study_context import Corners, PlacedBox, StudyContext
from cxrkit.data.index.table_writer import TableWriter, TextTable
from cxrkit.data.index.targets import (
    MASKED,
    BitTarget,
    all_bits,
    binary_target,
    category_target,
    entity_bits,
    joint_polarity,
    main_answers,
    region_bits,
    region_target,
    severity_target,
)
from cxrkit.data.qba.members import member_place
from cxrkit.data.qba.records import Answer, Question, Rated, region_names
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.rejects import Reject
from cxrkit.vocabulary import ANSWER_HEADS, QUESTION_TYPES, Head, QuestionType, find_question_type

_NOTHING = BitTarget(0, False)
_LEADING_NUMBER = re.compile(r"\s*([0-6])(?:_|\s*$)")
_TYPE_INDEX = {entry.name: index for index, entry in enumerate(QUESTION_TYPES)}
_HEAD_INDEX = {head: index for index, head in enumerate(ANSWER_HEADS)}


class QuestionError(Exception):
    """A question cannot be indexed; becomes a reject with this code."""


def parse_rating(rating: str | int | None) -> int | None:
    """Gives 0 (unrated) .. 6 (A++) from the leading number of a rating; None when there is none.

    Raises:
        QuestionError: the rating is something else.

    >>> parse_rating("6_A++"), parse_rating("0_"), parse_rating(None)
    (6, 0, None)
    """
    if rating is None or rating == "":
        return None
    match = _LEADING_NUMBER.match(str(rating))
    if match is None:
        raise QuestionError("unknown_rating")
    return int(match[1])


def question_rating(quality: Rated | None, answers: Sequence[Answer]) -> int:
    """Gives the question's rating, else the smallest rating of its top-level answers, else 0."""
    own = parse_rating(quality.rating) if quality else None
    if own is not None:
        return own
    ratings = [parse_rating(answer.answer_quality.rating) for answer in answers if answer.answer_quality]
    return min((rating for rating in ratings if rating is not None), default=0)


@dataclass
class QuestionRows:
    """Turns questions into rows.

    Attributes:
        questions: writer of `questions`.
        boxes: writer of `answer_boxes`.
        texts: all texts.
        names: the open vocabularies.
        counts: of the index.
    """

    questions: TableWriter
    boxes: TableWriter
    texts: TextTable
    names: dict[str, NameTable]
    counts: IndexCounts

    def add_study(self, study: StudyContext, split: int, questions: Sequence[Question]) -> int:
        """Adds the questions of a study in the order of the file; unusable ones become rejects.

        Args:
            study: where they belong.
            split: index in `SPLITS`.
            questions: decoded questions.

        Returns:
            The number of questions added.
        """
        place = member_place((study.subject_id, study.study_id), "qa")
        seen: set[str] = set()
        for position, question in enumerate(questions):
            try:
                kind = self._check(question, seen)
                self._add(study, split, question, kind, place)
            except QuestionError as error:
                self._reject(study, str(error), question.question_id or "", f"{place}:question {position}")
        return len(seen)

    def _check(self, question: Question, seen: set[str]) -> QuestionType:
        name = question.question_id
        if not name:
            raise QuestionError("missing_question_id")
        if name in seen:
            raise QuestionError("duplicate_question")
        kind = find_question_type(question.question_type or "", question.question_strategy or "", name)
        if kind is None:
            raise QuestionError("unknown_question_type")
        if not (question.question or "").strip():
            raise QuestionError("empty_question")
        if not main_answers(question.answers or ()):
            raise QuestionError("no_answers")
        question_rating(question.question_quality, question.answers or ())
        seen.add(name)
        return kind

    def _add(
        self, study: StudyContext, split: int, question: Question, kind: QuestionType, place: str
    ) -> None:
        answers = question.answers or []
        main = main_answers(answers)
        joint = joint_polarity(main)
        rating = question_rating(question.question_quality, answers)
        node_bits, first_box, boxes = self._add_boxes(study, main, question.question_id or "", place)
        targets = self._targets(kind, question, main, joint)
        type_index = _TYPE_INDEX[kind.name]
        self.questions.add(
            (
                study.study_row,
                self.texts.row(question.question_id or ""),
                type_index,
                rating,
                self.texts.row((question.question or "").strip()),
                self.texts.row(" ".join(answer.text.strip() for answer in main if answer.text)),
                _HEAD_INDEX.get(kind.head, -1),
                joint,
                *targets,
                node_bits,
                node_bits != 0,
                first_box,
                boxes,
            )
        )
        self.counts.questions[split] += 1
        self.counts.question_types[type_index, split] += 1
        self.counts.ratings[rating] += 1
        self._note_names(answers)

    def _targets(
        self, kind: QuestionType, question: Question, main: Sequence[Answer], joint: int
    ) -> tuple[int, int, int, bool, int, bool]:
        answers = question.answers or []
        binary, severity, category, region = MASKED, MASKED, _NOTHING, _NOTHING
        if kind.head is Head.BINARY:
            binary, disagrees = binary_target(kind, main, joint)
            self.counts.yes_no_disagreements += disagrees
        elif kind.head is Head.CATEGORY:
            category = category_target(kind, answers, question.variables)
        elif kind.head is Head.REGION:
            region = region_target(answers)
        elif kind.head is Head.SEVERITY:
            severity = severity_target(answers)
        if kind.head is not Head.FREE_TEXT and (binary, severity) == (MASKED, MASKED):
            self.counts.masked[kind.head.value] += not (category.valid or region.valid)
        return binary, severity, category.bits, category.valid, region.bits, region.valid

    def _add_boxes(
        self, study: StudyContext, main: Sequence[Answer], question_id: str, place: str
    ) -> tuple[int, int, int]:
        """Adds the distinct boxes of the main answers; gives the node bits, the first row and the number."""
        best: dict[tuple[int, Corners], PlacedBox] = {}
        node_bits = 0
        for answer in main:
            placed = list(study.place_boxes(answer.localization, place, question_id))
            if any(is_trustworthy(box) for box in placed):
                node_bits |= all_bits(region_names(answer.regions), region_bits)
            for box in placed:
                key = (box.image_row, box.corners)
                if key not in best or _worth(box) > _worth(best[key]):
                    best[key] = box
        first = len(self.boxes)
        row = len(self.questions)
        for key in sorted(best):
            box = best[key]
            self.boxes.add((row, box.image_row, *box.corners, box.is_fallback, box.localization_quality))
        return node_bits, first, len(best)

    def _note_names(self, answers: Sequence[Answer]) -> None:
        """Appends new names to the vocabularies and counts those that no table maps."""
        for answer in answers:
            for entity in answer.obs_entities or ():
                self.names["entities"].find(entity)
                if not entity_bits(entity):
                    self.counts.unmapped_entities[entity] += 1
            for region in region_names(answer.regions):
                self.names["regions"].find(region)
                if not region_bits(region):
                    self.counts.unmapped_regions[region] += 1

    def _reject(self, study: StudyContext, code: str, question_id: str, where: str) -> None:
        study.rejects.add(
            Reject(code, "question", study.subject_id, study.study_id, question_id=question_id, where=where)
        )


def is_trustworthy(box: PlacedBox) -> bool:
    """Tells whether a box may serve as a grounding target: no fallback, localization quality 3 or better."""
    return not box.is_fallback and box.localization_quality >= MINIMUM_BOX_QUALITY


def _worth(box: PlacedBox) -> tuple[bool, int]:
    return not box.is_fallback, box.localization_quality
