"""From a study's decoded questions to rows of `questions` and `answer_boxes`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cxrkit.data.index.chunk_columns import Array, Columns
from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.placed_boxes import BOX_FIELDS, PlacedBox, PlacedBoxes, distinct_boxes
from cxrkit.data.index.ratings import BAD_RATING
from cxrkit.data.index.study_context import StudyContext
from cxrkit.data.index.study_parts import AskedQuestion, PartDecoder, References
from cxrkit.data.index.target_table import QuestionTargets, TargetTable
from cxrkit.data.index.texts import TextTable
from cxrkit.data.qba.members import member_place
from cxrkit.data.qba.records import RawQuestion
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.rejects import Reject
from cxrkit.vocabulary import ANSWER_HEADS, QUESTION_TYPES, find_question_type

_TYPE_INDEX = {entry.name: index for index, entry in enumerate(QUESTION_TYPES)}
_HEAD_INDEX = {head: index for index, head in enumerate(ANSWER_HEADS)}
_HEAD_OF_TYPE = np.array([_HEAD_INDEX.get(entry.head, -1) for entry in QUESTION_TYPES], dtype=np.int8)
# What a row holds before the chunk is finished; the last three are numbers in the chunk's own tables.
_ROW = ("study_row", "type", "rating", "id", "question", "answer", "form", "targets", "nodes", "boxes")


class QuestionError(Exception):
    """A question cannot be indexed; becomes a reject with this code."""


@dataclass
class QuestionRows:
    """Turns the questions of a chunk's studies into rows.

    Attributes:
        texts: all texts of the chunk.
        names: the open vocabularies.
        counts: of the chunk.
    """

    texts: TextTable
    names: dict[str, NameTable]
    counts: IndexCounts
    _parts: PartDecoder = field(default_factory=PartDecoder)
    _targets: TargetTable = field(default_factory=TargetTable)
    _rows: list[tuple[int, ...]] = field(default_factory=list)
    _splits: list[int] = field(default_factory=list)
    _forms_noted: set[int] = field(default_factory=set)
    _box_sets: list[tuple[PlacedBox, ...]] = field(default_factory=lambda: [()])

    def add_study(
        self, study: StudyContext, split: int, questions: Sequence[RawQuestion]
    ) -> tuple[int, References]:
        """Adds the questions of a study in the order of the file; unusable ones become rejects.

        Args:
            study: where they belong.
            split: index in `SPLITS`.
            questions: their outer shape.

        Returns:
            The number of questions added, and how often all questions refer to which observations.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: a part of a question is not as
                documented; nothing was added.
        """
        decoded, references = self._parts.decode(study, questions)
        place = member_place(study.key, "qa")
        seen: set[str] = set()
        box_sets: dict[tuple[int, ...], int] = {}
        for position, asked in enumerate(decoded):
            try:
                kind = _check(asked, seen)
            except QuestionError as error:
                name = asked.question.question_id or ""
                where = f"{place}:question {position}"
                study.rejects.add(Reject(str(error), "question", *study.key, question_id=name, where=where))
            else:
                self._add(study, asked, kind, box_sets)
        self._splits += [split] * len(seen)
        return len(seen), references

    def _add(
        self,
        study: StudyContext,
        asked: AskedQuestion,
        kind: int,
        box_sets: dict[tuple[int, ...], int],
    ) -> None:
        question, form, placed, rating = asked
        answers, main = question.answers or (), form.main
        first_text = answers[main[0]].text
        if len(main) == 1:
            answer = (first_text or "").strip()
        else:
            texts = (answers[number].text for number in main)
            answer = " ".join(text.strip() for text in texts if text)
        nodes, used = 0, []
        for number in main:
            boxes = placed[number]
            if boxes.faults or boxes.elsewhere:
                study.note_unusable(boxes, "qa")
            if boxes.boxes:
                used.append(boxes)
                if boxes.is_trustworthy:
                    nodes |= form.tags[number].node_bits
        targets = self._targets.find(kind, form, first_text, question.variables)
        if form.number not in self._forms_noted:
            self._forms_noted.add(form.number)
            for entry in form.tags:
                if not entry.noted:
                    entry.note_names(self.names)
        row = self.texts.row
        texts_of_row = row(question.question_id or ""), row((question.question or "").strip()), row(answer)
        box_set = self._box_set(used, box_sets) if used else 0
        self._rows.append(
            (study.study_row, kind, rating, *texts_of_row, form.number, targets, nodes, box_set)
        )

    def _box_set(self, used: list[PlacedBoxes], box_sets: dict[tuple[int, ...], int]) -> int:
        # Localizations of a study are decoded once each, so their identity tells them apart.
        key = tuple(map(id, used))
        number = box_sets.get(key)
        if number is None:
            number = box_sets[key] = len(self._box_sets)
            self._box_sets.append(distinct_boxes(used))
        return number

    def finish(self) -> dict[str, Columns]:
        """Gives the tables `questions` and `answer_boxes` of the chunk, counting what went in.

        `first_box` and `question_row` count from the start of the chunk.
        """
        rows = np.array(self._rows, dtype=np.int64).reshape(-1, len(_ROW))
        row = dict(zip(_ROW, rows.T, strict=True))
        targets = np.array(self._targets.rows, dtype=np.int32).reshape(-1, len(QuestionTargets._fields))
        target = dict(zip(QuestionTargets._fields, targets[row["targets"]].T, strict=True))
        set_sizes = np.fromiter(map(len, self._box_sets), dtype=np.int64, count=len(self._box_sets))
        number = set_sizes[row["boxes"]]
        questions: Columns = {
            "study_row": row["study_row"].astype(np.int32),
            "question_id_text": row["id"].astype(np.int32),
            "question_type": row["type"].astype(np.int8),
            "rating": row["rating"].astype(np.int8),
            "question_text": row["question"].astype(np.int32),
            "answer_text": row["answer"].astype(np.int32),
            "head": _HEAD_OF_TYPE[row["type"]],
            **{name: target[name] for name in QuestionTargets._fields[:-2]},
            "node_target": row["nodes"].astype(np.int32),
            "node_valid": row["nodes"] != 0,
            "first_box": np.cumsum(number) - number,
            "num_boxes": number,
        }
        self._count(row, target)
        return {"questions": questions, "answer_boxes": self._answer_boxes(row["boxes"], set_sizes)}

    def _answer_boxes(self, sets: Array, set_sizes: Array) -> Columns:
        """Writes out the set of boxes of each question."""
        boxes = np.array([box for boxes in self._box_sets for box in boxes], dtype=np.float64)
        number = set_sizes[sets]
        starts = (np.cumsum(set_sizes) - set_sizes)[sets]
        place = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
        source = np.repeat(starts, number) + place
        taken = boxes.reshape(-1, len(BOX_FIELDS))[source]
        columns: Columns = {name: taken[:, place] for place, name in enumerate(BOX_FIELDS)}
        return columns | {"question_row": np.repeat(np.arange(len(sets)), number)}

    def _count(self, row: dict[str, Array], target: dict[str, Array]) -> None:
        splits, counts = np.array(self._splits, dtype=np.int64), self.counts
        for split, number in _tally(splits):
            counts.questions[split] += number
        for code, number in _tally(row["type"] * 8 + splits):
            counts.question_types[code // 8, code % 8] += number
        for rating, number in _tally(row["rating"]):
            counts.ratings[rating] += number
        for kind, number in _tally(row["type"][target["masked"] != 0]):
            counts.masked[QUESTION_TYPES[kind].head.value] += number
        counts.yes_no_disagreements += int(target["disagrees"].sum())
        forms = list(self._parts.tags.forms.values())
        for form, number in _tally(row["form"]):
            for tags in forms[form].tags:
                for entity in tags.unmapped_entities:
                    counts.unmapped_entities[entity] += number
                for region in tags.unmapped_regions:
                    counts.unmapped_regions[region] += number


def _check(asked: AskedQuestion, seen: set[str]) -> int:
    """Gives the index of a usable question's type, and notes its id."""
    question = asked.question
    name = question.question_id
    if not name:
        raise QuestionError("missing_question_id")
    if name in seen:
        raise QuestionError("duplicate_question")
    kind = _TYPE_INDEX.get(question.question_type or "")
    if kind is None:
        found = find_question_type(question.question_type or "", question.question_strategy or "", name)
        if found is None:
            raise QuestionError("unknown_question_type")
        kind = _TYPE_INDEX[found.name]
    if not question.question or question.question.isspace():
        raise QuestionError("empty_question")
    if not asked.form.main:
        raise QuestionError("no_answers")
    if asked.rating == BAD_RATING:
        raise QuestionError("unknown_rating")
    seen.add(name)
    return kind


def _tally(codes: Array) -> Iterator[tuple[int, int]]:
    values, numbers = np.unique(codes, return_counts=True)
    return zip(values.tolist(), numbers.tolist(), strict=True)
