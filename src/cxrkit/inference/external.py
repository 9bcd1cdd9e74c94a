"""A VQA model's answers to an external question set: what can be asked is asked, the rest is counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from cxrkit.data.external_sets import ExternalQuestion, QuestionSet
from cxrkit.data.external_sets.film import read_film
from cxrkit.errors import ArtifactError, DataLayoutError
from cxrkit.inference.composer import ComposedAnswer, compose
from cxrkit.inference.external_schema import EXTERNAL_SCHEMA, with_external_metadata
from cxrkit.inference.predictor import AnswerArrays, Predictor
from cxrkit.vocabulary import ANSWER_HEADS, FINDINGS, NO_FINDING, REGIONS, SEVERITIES, Head, QuestionType
from cxrkit.vocabulary.question_texts import type_of_text

Progress = Callable[[str, int, int], None]

FILMS_PER_BATCH = 8
CONDITIONS = ("model", "blank_image")
_NOT_YES_NO = "closed question whose answer is neither yes nor no"
_NO_TYPE = "asks what no question type asks"
_NOT_ALIKE = "its answer is not of the kind that its question type gives"
# Without a data set's graph only these two sources can be had for a film from elsewhere.
_SOURCES = ("predicted", "none")


@dataclass(frozen=True)
class AskedQuestion:
    """A question of the set with its question type."""

    asked: ExternalQuestion
    kind: QuestionType


def route(questions: QuestionSet) -> tuple[list[AskedQuestion], dict[str, int]]:
    """Gives each question its type, and counts those that get none by the reason.

    Args:
        questions: of the set.
    """
    routed, left_out = [], Counter(questions.left_out)
    for question in questions.questions:
        kind = type_of_text(question.question)
        reason = _why_not(question, kind)
        if kind is None or reason:
            left_out[reason or _NO_TYPE] += 1
        else:
            routed.append(AskedQuestion(question, kind))
    return routed, dict(left_out)


def predict_external(
    model_path: Path, questions: QuestionSet, *, progress: Progress | None = None
) -> pa.Table:
    """Answers the questions of an external set with film and with an empty film.

    Args:
        model_path: a `best_model` folder of a VQA run.
        questions: from `read_question_set`.
        progress: called with (stage, films done, films).

    Returns:
        A table of `EXTERNAL_SCHEMA`, one row per condition and question.

    Raises:
        ArtifactError: the model is missing, damaged, or needs a data set's scene graph.
        DataLayoutError: no question gets a type, or a film cannot be read.
    """
    routed, left_out = route(questions)
    if not routed:
        raise DataLayoutError(
            "no question of the set asks what the model can answer",
            expected="at least one about a finding, a region, a device or a normal film",
            found=", ".join(f"{count} {reason}" for reason, count in left_out.items()),
        )
    predictor = Predictor(model_path)
    source = _source(predictor, model_path)
    rows: list[dict[str, Any]] = []
    films = _by_film(routed)
    for start in range(0, len(films), FILMS_PER_BATCH):
        rows += _answer_batch(predictor, source, films[start : start + FILMS_PER_BATCH])
        if progress is not None:
            progress(f"answering {questions.name}", min(start + FILMS_PER_BATCH, len(films)), len(films))
    metadata = {
        "dataset": questions.name,
        "split": questions.split,
        "checkpoint": str(model_path),
        "graph_source": source,
        "n_total": questions.total,
        "left_out": dict(sorted(left_out.items())),
    }
    return with_external_metadata(pa.Table.from_pylist(rows, EXTERNAL_SCHEMA), metadata)


def _why_not(question: ExternalQuestion, kind: QuestionType | None) -> str | None:
    says_yes_no = question.answer.lower().rstrip(".") in ("yes", "no")
    if question.is_closed and not says_yes_no:
        return _NOT_YES_NO
    if kind is None:
        return _NO_TYPE
    return _NOT_ALIKE if says_yes_no != (kind.head is Head.BINARY) else None


def _source(predictor: Predictor, model_path: Path) -> str:
    config = predictor.model.config
    possible = [source for source in _SOURCES if source in config.trained_sources]
    if config.scene_graph_source in _SOURCES:
        return str(config.scene_graph_source)
    if possible:
        return possible[0]
    raise ArtifactError(
        "the model cannot answer about films without a data set's scene graph",
        expected=f"a model trained with one of the sources {', '.join(_SOURCES)}",
        found=f"{model_path} was trained with {', '.join(config.trained_sources)}",
        next_step="train with model.scene_graph_source predicted, or training.other_sources_share above 0",
    )


def _by_film(routed: list[AskedQuestion]) -> list[list[AskedQuestion]]:
    films: dict[str, list[AskedQuestion]] = {}
    for question in routed:
        films.setdefault(question.asked.image_name, []).append(question)
    return list(films.values())


def _answer_batch(
    predictor: Predictor, source: str, films: list[list[AskedQuestion]]
) -> Iterator[dict[str, Any]]:
    size = predictor.model.config.image_size
    shown = torch.from_numpy(np.stack([read_film(film[0].asked.film, size) for film in films]))
    questions = [question for film in films for question in film]
    film_of = torch.tensor([place for place, film in enumerate(films) for _ in film])
    texts = predictor.read([question.asked.question for question in questions])
    for condition in CONDITIONS:
        images = shown if condition == "model" else torch.zeros_like(shown)
        encoded = predictor.encode(predictor.features(images), source, None)
        answers = predictor.answer(encoded, film_of, texts)
        mask = encoded.node_mask.cpu().numpy()[film_of.numpy()]
        for place, question in enumerate(questions):
            yield _row(condition, question, answers, place, mask[place])


def _row(
    condition: str,
    question: AskedQuestion,
    answers: AnswerArrays,
    place: int,
    mask: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    head = question.kind.head
    probabilities = answers.probabilities[ANSWER_HEADS.index(head)][place]
    scores = np.where(mask, answers.node_scores[place], 0.0)
    answer = compose(question.kind, probabilities, scores, np.zeros((len(REGIONS), 4)))
    return {
        "condition": condition,
        "question_id": question.asked.question_id,
        "image_name": question.asked.image_name,
        "question": question.asked.question,
        "question_type": question.kind.name,
        "head": str(head),
        "answer_reference": question.asked.answer,
        "answer_predicted": _short(answer),
        "sentence_predicted": answer.text,
        "probability_yes": float(probabilities[1]) if head is Head.BINARY else None,
    }


def _short(answer: ComposedAnswer) -> str:
    """Gives the answer as such sets write it: the words alone, no sentence around them."""
    if answer.head is Head.BINARY:
        return ("no", "yes")[answer.classes[0]]
    if answer.head is Head.SEVERITY:
        return SEVERITIES[answer.classes[0]]
    if answer.head is Head.REGION:
        return ", ".join(REGIONS[index] for index in answer.classes) or "none"
    names = [FINDINGS[index].lower() for index in answer.classes if index != NO_FINDING]
    return ", ".join(names) or "normal"
