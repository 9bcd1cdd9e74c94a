"""Collects predictions into the columns of `predictions.parquet`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from torch import Tensor

from cxrkit.data.batches.targets import to_pixels
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.data.index.schemas import MINIMUM_BOX_QUALITY
from cxrkit.inference.collecting import CollectedRows
from cxrkit.inference.composer import ComposedAnswer, compose
from cxrkit.inference.explanation_columns import ATTENTION_COLUMNS
from cxrkit.inference.predictor import AnswerArrays
from cxrkit.inference.schema import VQA_SCHEMA, with_metadata
from cxrkit.vocabulary import ANSWER_HEADS, MULTI_LABEL_HEADS, QUESTION_TYPES

_TEXT_COLUMNS = {
    "question_id": "question_id_text",
    "question": "question_text",
    "answer_reference": "answer_text",
}
_WHOLE_SQUARE = np.array([0.0, 0.0, 1.0, 1.0])


class PredictionRows:
    """Rows of the VQA prediction table.

    Args:
        index: the opened index.
        store: the opened image store, for the way back to original pixels.
        with_attention: rows carry the attention over the visual tokens and over the nodes, and the corners of
            the square that the tokens divide, in pixels of the original film.
    """

    def __init__(self, index: Index, store: FilmSource, *, with_attention: bool = False) -> None:
        self.index = index
        self.store = store
        self.schema = VQA_SCHEMA
        if with_attention:
            for name in ATTENTION_COLUMNS:
                self.schema = self.schema.append(pa.field(name, pa.list_(pa.float32())))
        self.rows = CollectedRows()

    def add(
        self,
        condition: str,
        batch: Mapping[str, Tensor],
        answers: AnswerArrays,
        node_boxes: npt.NDArray[np.floating],
        node_mask: npt.NDArray[np.bool_],
    ) -> None:
        """Adds the answers of one batch.

        Args:
            condition: name of the condition.
            batch: from `Collate`.
            answers: for its N questions.
            node_boxes: `[B, R, 4]` corners as fractions of the stored square.
            node_mask: `[B, R]` which nodes exist.
        """
        image_rows = batch["image_row"].tolist()
        squares = [to_pixels(_WHOLE_SQUARE, self.store, row).tolist() for row in image_rows]
        pixels = [to_pixels(node_boxes[film], self.store, row) for film, row in enumerate(image_rows)]
        for position, row in enumerate(batch["question_row"].tolist()):
            film = int(batch["image_of_question"][position])
            scores = np.where(node_mask[film], answers.node_scores[position], 0.0)
            answer = _compose(batch, answers, position, scores, pixels[film])
            self.rows.add(
                {
                    **self._identity(condition, row, image_rows[film]),
                    **_reference(batch, position),
                    "answer_predicted": answer.text,
                    "classes_predicted": list(answer.classes),
                    "probabilities": list(answer.probabilities.values()),
                    "boxes_predicted": [box.corners_xyxy_px for box in answer.boxes],
                    "box_scores": [box.score for box in answer.boxes],
                    "node_scores": scores.tolist(),
                    "attention": _row(answers.attention, position),
                    "node_attention": list(answer.attended.values()),
                    "square_px": squares[film],
                },
                self.schema,
            )

    def _identity(self, condition: str, row: int, image_row: int) -> dict[str, Any]:
        index, texts = self.index, self.index.texts.column("text")
        boxes, known = self._reference_boxes(row, image_row)
        return {
            "condition": condition,
            "question_row": row,
            "subject_id": int(index.column("images", "subject_id")[image_row]),
            "study_id": int(index.column("images", "study_id")[image_row]),
            "dicom_id": index.images.column("dicom_id")[image_row].as_py(),
            "rating": int(index.column("questions", "rating")[row]),
            "polarity": int(index.column("questions", "polarity")[row]),
            "view": index.images.column("view_position")[image_row].as_py() or "",
            "boxes_reference": boxes,
            "has_boxes_reference": known,
            **{
                name: texts[int(index.column("questions", column)[row])].as_py()
                for name, column in _TEXT_COLUMNS.items()
            },
        }

    def _reference_boxes(self, row: int, image_row: int) -> tuple[list[list[float]], bool]:
        first = int(self.index.column("questions", "first_box")[row])
        span = slice(first, first + int(self.index.column("questions", "num_boxes")[row]))
        trusted = self.index.column("answer_boxes", "image_row")[span] == image_row
        trusted &= ~self.index.column("answer_boxes", "is_fallback")[span]
        trusted &= self.index.column("answer_boxes", "localization_quality")[span] >= MINIMUM_BOX_QUALITY
        corners = np.stack(
            [self.index.column("answer_boxes", name)[span] for name in ("x1", "y1", "x2", "y2")], -1
        )
        return corners[trusted].tolist(), bool(trusted.any())

    def table(self, metadata: Mapping[str, Any]) -> pa.Table:
        """Gives all rows as a table with metadata."""
        return with_metadata(self.rows.table(self.schema), metadata)


def _compose(
    batch: Mapping[str, Tensor],
    answers: AnswerArrays,
    position: int,
    scores: npt.NDArray[np.floating],
    boxes_px: npt.NDArray[np.floating],
) -> ComposedAnswer:
    kind = QUESTION_TYPES[int(batch["question_type"][position])]
    probabilities = answers.probabilities[int(batch["head"][position])][position]
    attended = None if answers.node_attention is None else answers.node_attention[position]
    return compose(kind, probabilities, scores, boxes_px, attended)


def _reference(batch: Mapping[str, Tensor], position: int) -> dict[str, Any]:
    head = ANSWER_HEADS[int(batch["head"][position])]
    target = batch[f"{head}_target"][position]
    return {
        "question_type": QUESTION_TYPES[int(batch["question_type"][position])].name,
        "head": str(head),
        "classes_reference": target.nonzero().flatten().tolist()
        if head in MULTI_LABEL_HEADS
        else [int(target)],
        # Without a trustworthy box there is none, and nothing is known about the others.
        "nodes_reference": batch["node_target"][position].nonzero().flatten().tolist(),
    }


def _row(values: npt.NDArray[np.floating] | None, position: int) -> list[float] | None:
    return None if values is None else [float(value) for value in values[position]]
