"""Collects the questions of one study: JSON records and the rows of the metadata tables."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cxrkit.data.synthetic.answers import Answer, AnswerNumbering
from cxrkit.data.synthetic.phrases import PHRASES
from cxrkit.data.synthetic.quality import RATINGS, draw_rating, question_quality
from cxrkit.vocabulary import QuestionType, find_question_type

Row = tuple[Any, ...]


@dataclass
class TableRows:
    """Rows of the four question and answer tables, ID columns first."""

    questions: list[Row] = field(default_factory=list)
    question_images: list[Row] = field(default_factory=list)
    answers: list[Row] = field(default_factory=list)
    answer_images: list[Row] = field(default_factory=list)


class QuestionWriter:
    """Writes questions of one study, one by one, numbering each type from 001."""

    def __init__(self, rng: np.random.Generator, patient_id: str, study_id: str) -> None:
        self.rng = rng
        self.records: list[dict[str, Any]] = []
        self.rows = TableRows()
        self._ids = (patient_id, study_id)
        self._counts: Counter[str] = Counter()

    def ask(
        self, type_name: str, variables: dict[str, str], words: dict[str, str], answers: list[Answer]
    ) -> None:
        """Adds one question.

        Args:
            type_name: one of the 27 types.
            variables: the template's variables as stored.
            words: what fills the phrase's placeholders.
            answers: top-level answers, at least one of them a main answer.
        """
        kind = find_question_type(type_name)
        if kind is None:
            raise ValueError(f"{type_name} is no question type")
        self._counts[type_name] += 1
        question_id = f"{type_name}_{self._counts[type_name]:03d}"
        numbering = AnswerNumbering(self.rng)
        answer_records = [numbering.record(answer) for answer in answers]
        told = [answer for _, _, answer, _ in numbering.listed]
        from_report = any(answer.from_report for answer in told)
        from_template = not all(answer.from_report for answer in told)
        lead = answers[0]
        rating = draw_rating(self.rng, lead.levels)
        localization = {image.image_id: image.quality for image in lead.location.images}
        self.records.append(
            {
                "question_id": question_id,
                "question_type": type_name,
                "question_strategy": kind.strategy,
                "variables": variables,
                "obs_ids": list(dict.fromkeys(one.source.obs_id for one in told if one.source)),
                "contains_report_answers": from_report,
                "contains_template_answers": from_template,
                "extraction_quality": lead.levels,
                "question_img_localization_quality": localization,
                "question": self._phrase(type_name, words),
                "answers": answer_records,
                "question_quality": question_quality(rating),
            }
        )
        self._add_rows(
            question_id, kind, (from_report, from_template), len(answers), RATINGS[rating], numbering
        )
        self.rows.question_images.extend(
            (*self._ids, question_id, image_id, quality) for image_id, quality in localization.items()
        )

    def draw(self, options: tuple[str, ...]) -> str:
        """Draws one of several texts."""
        return options[int(self.rng.random() * len(options))]

    def _phrase(self, type_name: str, words: dict[str, str]) -> str:
        return self.draw(PHRASES[type_name]).format(**words)

    def _add_rows(
        self,
        question_id: str,
        kind: QuestionType,
        contains: tuple[bool, bool],
        num_answers: int,
        rating: str,
        numbering: AnswerNumbering,
    ) -> None:
        ids = (*self._ids, question_id)
        self.rows.questions.append((*ids, kind.name, kind.strategy, *contains, num_answers, rating))
        for answer_id, level, answer, answer_rating in numbering.listed:
            polarity = "pos" if answer.positive else "neg"
            self.rows.answers.append(
                (*ids, answer_id, answer.kind, level, polarity, answer.from_report, answer_rating)
            )
            self.rows.answer_images.extend(
                (
                    *ids, answer_id, image.image_id, image.is_missing, image.num_regions, image.has_boxes,
                    image.has_masks, image.quality,
                )
                for image in answer.location.images
            )  # fmt: skip
