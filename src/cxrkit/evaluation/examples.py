"""Which questions and studies the gallery shows, and how."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation.films import Film, FilmLookup
from cxrkit.evaluation.measured import MODEL
from cxrkit.metrics.counts import FloatArray
from cxrkit.reporting import GalleryItem, LabelledBox, format_number
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, FINDINGS, Head

_WANTED = (("right", 2), ("wrong", 1))
_MAX_BOXES = 5
_MAX_STUDIES = 9


def question_examples(predictions: pa.Table, films: FilmLookup) -> list[GalleryItem]:
    """Gives right and wrong answers of each head, those with reference boxes first, on different films.

    Args:
        predictions: a table of VQA predictions.
        films: where the films come from; questions whose film it lacks are left out.
    """
    rows = predictions.filter(pc.field("condition") == MODEL).sort_by("question_row")
    return [item for row in _choose_questions(rows) if (item := _question_item(row, films)) is not None]


def study_examples(predictions: pa.Table, films: FilmLookup) -> list[GalleryItem]:
    """Gives the studies with the most positive labels, each with its likeliest findings.

    Args:
        predictions: a table of 14-label predictions.
        films: where the films come from; studies whose film it lacks are left out.
    """
    rows = predictions.filter(pc.field("condition") == MODEL).sort_by("study_id").to_pylist()
    # Python's sort keeps the order of equals, so the choice is the same each time.
    richest = sorted(rows, key=lambda row: -sum(label == 1 for label in row["labels"]))[:_MAX_STUDIES]
    return [item for row in richest if (item := _study_item(row, films)) is not None]


def _choose_questions(rows: pa.Table) -> Iterator[dict[str, Any]]:
    shown: set[str] = set()
    for head in ANSWER_HEADS:
        of_head = rows.filter(pc.field("head") == head.value)
        narrow = of_head.select(["dicom_id", "has_boxes_reference", "classes_reference", "classes_predicted"])
        candidates = narrow.to_pylist()
        order = sorted(range(len(candidates)), key=lambda row: not candidates[row]["has_boxes_reference"])
        for verdict, count in _WANTED:
            fitting = [row for row in order if _verdict(candidates[row]) == verdict]
            for row in _on_new_films(fitting, candidates, shown, count):
                yield of_head.slice(row, 1).to_pylist()[0]


def _on_new_films(
    rows: Sequence[int], candidates: Sequence[dict[str, Any]], shown: set[str], count: int
) -> list[int]:
    chosen: list[int] = []
    for row in rows:
        if len(chosen) < count and candidates[row]["dicom_id"] not in shown:
            shown.add(candidates[row]["dicom_id"])
            chosen.append(row)
    return chosen


def _verdict(row: dict[str, Any]) -> str:
    return "right" if set(row["classes_reference"]) == set(row["classes_predicted"]) else "wrong"


def _question_item(row: dict[str, Any], films: FilmLookup) -> GalleryItem | None:
    film = films(row["dicom_id"])
    if film is None:
        return None
    scores = np.array(row["box_scores"], dtype=float)
    best = np.argsort(-scores, kind="stable")[:_MAX_BOXES]
    predicted = _boxes(row["boxes_predicted"])[best]
    boxes = [
        *(_labelled(box) for box in film.place(_boxes(row["boxes_reference"])[:_MAX_BOXES])),
        *(
            _labelled(box, float(score))
            for box, score in zip(film.place(predicted), scores[best], strict=True)
        ),
    ]
    return GalleryItem(
        image=film.pixels,
        boxes=boxes,
        title=f"{_verdict(row)}: {row['head']}, {row['question_type']}",
        lines=(
            ("question", row["question"]),
            ("model", row["answer_predicted"]),
            ("reference", row["answer_reference"]),
            ("probabilities", _likeliest(CLASSES_OF_HEAD[Head(row["head"])], row["probabilities"])),
        ),
    )


def _study_item(row: dict[str, Any], films: FilmLookup) -> GalleryItem | None:
    found = (films(dicom_id) for dicom_id in row["dicom_ids"])
    film: Film | None = next((film for film in found if film is not None), None)
    if film is None:
        return None
    positive = [name for name, label in zip(FINDINGS, row["labels"], strict=True) if label == 1]
    lines = (
        ("labels", ", ".join(positive) or "none"),
        ("likeliest", _likeliest(FINDINGS, row["probabilities"])),
    )
    return GalleryItem(image=film.pixels, title="study", lines=lines)


def _likeliest(names: Sequence[str], probabilities: Sequence[float], count: int = 3) -> str:
    order = sorted(range(len(names)), key=lambda index: -probabilities[index])[:count]
    return ", ".join(f"{names[index]} {format_number(probabilities[index], 2)}" for index in order)


def _boxes(values: list[list[float]]) -> FloatArray:
    return np.array(values, dtype=float).reshape(-1, 4)


def _labelled(box: FloatArray, score: float | None = None) -> LabelledBox:
    x1, y1, x2, y2 = (float(value) for value in box)
    return LabelledBox((x1, y1, x2, y2), "", "reference" if score is None else "predicted", score)
