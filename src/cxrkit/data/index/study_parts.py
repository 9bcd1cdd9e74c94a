"""Decodes the parts of a study's questions that the quick decoder left: equal bytes only once."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from cxrkit.data.index.answer_tags import AnswerForm, TagTable
from cxrkit.data.index.placed_boxes import NO_BOXES, PlacedBoxes, place_boxes
from cxrkit.data.index.ratings import parse_rating
from cxrkit.data.index.study_context import StudyContext
from cxrkit.data.qba.records import Localizations, Rated, RawQuestion

References = dict[tuple[str, ...], int]


class AskedQuestion(NamedTuple):
    """A question with its decoded parts.

    Attributes:
        question: its outer shape.
        form: what its answers say.
        placed: boxes of each main answer; none for the others, whose boxes nothing uses.
        rating: 0..6, or `BAD_RATING`.
    """

    question: RawQuestion
    form: AnswerForm
    placed: list[PlacedBoxes]
    rating: int


class PartDecoder:
    """Decodes the parts of questions, chunk after chunk of studies.

    Attributes:
        tags: what answers say.
    """

    def __init__(self) -> None:
        self.tags = TagTable()
        self._ratings: dict[bytes, int | None] = {}
        self._rated = msgspec.json.Decoder(Rated | None)
        self._localized = msgspec.json.Decoder(Localizations | None)
        self._referred = msgspec.json.Decoder(list[str] | None)

    def decode(
        self, study: StudyContext, questions: Sequence[RawQuestion]
    ) -> tuple[list[AskedQuestion], References]:
        """Gives the questions of a study, and how often they refer to which observations.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: a part is not as documented.
        """
        places: dict[bytes, PlacedBoxes] = {}
        referred: dict[bytes, int] = {}
        known, rows, add, form = self.tags.known, self.tags.rows, self.tags.add, self.tags.form
        asked = []
        for question in questions:
            numbers, placed = [], []
            for answer in question.answers or ():
                key = (
                    answer.answer_type,
                    answer.positiveness,
                    bytes(answer.regions),
                    bytes(answer.obs_entities),
                    bytes(answer.modifiers),
                    bytes(answer.sub_answers),
                )
                number = known.get(key)
                if number is None:
                    number = add(key)
                numbers.append(number)
                if not rows[number].is_main:
                    placed.append(NO_BOXES)
                    continue
                data = bytes(answer.localization)
                boxes = places.get(data)
                if boxes is None:
                    boxes = places[data] = place_boxes(self._localized.decode(data), study.films)
                placed.append(boxes)
            refers = bytes(question.obs_ids)
            referred[refers] = referred.get(refers, 0) + 1
            asked.append(AskedQuestion(question, form(tuple(numbers)), placed, self._rating(question)))
        decode = self._referred.decode
        references: References = {}
        for data, number in referred.items():
            names = tuple(decode(data) or ())
            references[names] = references.get(names, 0) + number
        return asked, references

    def _rating(self, question: RawQuestion) -> int:
        """Gives the question's rating, else the smallest rating of its top-level answers, else 0."""
        own = self._stated(bytes(question.question_quality))
        if own is not None:
            return own
        stated = [self._stated(bytes(answer.answer_quality)) for answer in question.answers or ()]
        return min((rating for rating in stated if rating is not None), default=0)

    def _stated(self, data: bytes) -> int | None:
        if data not in self._ratings:
            quality = self._rated.decode(data)
            self._ratings[data] = None if quality is None else parse_rating(quality.rating)
        return self._ratings[data]
