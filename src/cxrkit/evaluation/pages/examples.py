"""How the gallery shows the chosen questions and studies."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation.classification_scores import study_rows
from cxrkit.evaluation.confidence_metrics import saved_calibration
from cxrkit.evaluation.definitions import CLASSIFIER
from cxrkit.evaluation.films import Film, FilmLookup
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.chosen_questions import choose_questions
from cxrkit.evaluation.pages.chosen_studies import choose_studies
from cxrkit.evaluation.predictions import read_metadata
from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.explanations.attention import grid_side
from cxrkit.models.calibration import ModelCalibration
from cxrkit.reporting import GalleryItem, Heat, LabelledBox, format_number
from cxrkit.vocabulary import CLASSES_OF_HEAD, FINDINGS, Head

_MAX_BOXES = 5
_SHOWN_SCORES = 3


def question_examples(predictions: pa.Table, films: FilmLookup) -> list[GalleryItem]:
    """Gives right, wrong and uncertain answers of each head, with boxes and attention.

    Args:
        predictions: a table of VQA predictions.
        films: where the films come from; questions whose film it lacks are left out.
    """
    items = (
        _question_item(predictions.slice(place, 1).to_pylist()[0], verdict, films)
        for place, verdict in choose_questions(predictions)
    )
    return [item for item in items if item is not None]


def study_examples(predictions: pa.Table, films: FilmLookup) -> list[GalleryItem]:
    """Gives rightly and wrongly decided and uncertain studies, each with its likeliest findings.

    Args:
        predictions: a table of 14-label predictions.
        films: where the films come from; studies whose film it lacks are left out.
    """
    rows = predictions.filter(pc.field("condition") == MODEL).sort_by("study_id").combine_chunks()
    metadata = read_metadata(predictions)
    calibration = saved_calibration(metadata)
    items = (
        _study_item(rows.slice(place, 1).to_pylist()[0], verdict, calibration, films)
        for place, verdict in choose_studies(study_rows(rows, MODEL, metadata, CLASSIFIER))
    )
    return [item for item in items if item is not None]


def _question_item(row: dict[str, Any], verdict: str, films: FilmLookup) -> GalleryItem | None:
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
        title=f"{verdict}: {row['head']}, {row['question_type']}",
        lines=(
            ("question", row["question"]),
            ("model", row["answer_predicted"]),
            ("reference", row["answer_reference"]),
            ("probabilities", _likeliest(CLASSES_OF_HEAD[Head(row["head"])], row["probabilities"])),
        ),
        heat=_heat(row, film),
    )


def _heat(row: dict[str, Any], film: Film) -> Heat | None:
    """Gives the attention of an answer on its film; None where none was stored."""
    attention, square = row.get("attention"), row.get("square_px")
    if not attention or not square or max(attention) <= 0:
        return None
    side = grid_side(len(attention))
    x1, y1, x2, y2 = (float(value) for value in film.place(_boxes([square]))[0])
    return Heat(np.array(attention, dtype=float).reshape(side, side), (x1, y1, x2, y2))


def _study_item(
    row: dict[str, Any], verdict: str, calibration: ModelCalibration | None, films: FilmLookup
) -> GalleryItem | None:
    found = (films(dicom_id) for dicom_id in row["dicom_ids"])
    film: Film | None = next((film for film in found if film is not None), None)
    if film is None:
        return None
    positive = [name for name, label in zip(FINDINGS, row["labels"], strict=True) if label == 1]
    lines = [("labels", ", ".join(positive) or "none")]
    if calibration is None:
        lines.append(("likeliest", _likeliest(FINDINGS, row["probabilities"])))
    else:
        best = sorted(range(len(FINDINGS)), key=lambda place: -row["probabilities"][place])[:_SHOWN_SCORES]
        for name, score in ((FINDINGS[place], row["probabilities"][place]) for place in best):
            lines.append((name, calibration.describe(CLASSIFIER, name, score) or format_number(score, 2)))
    return GalleryItem(image=film.pixels, title=verdict, lines=lines)


def _likeliest(names: Sequence[str], probabilities: Sequence[float], count: int = _SHOWN_SCORES) -> str:
    order = sorted(range(len(names)), key=lambda index: -probabilities[index])[:count]
    return ", ".join(f"{names[index]} {format_number(probabilities[index], 2)}" for index in order)


def _boxes(values: list[list[float]]) -> FloatArray:
    return np.array(values, dtype=float).reshape(-1, 4)


def _labelled(box: FloatArray, score: float | None = None) -> LabelledBox:
    x1, y1, x2, y2 = (float(value) for value in box)
    return LabelledBox((x1, y1, x2, y2), "", "reference" if score is None else "predicted", score)
