"""Collects predictions into the columns of `predictions.parquet`."""

from collections.abc import Mapping, Sequence
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
from cxrkit.inference.composer import compose_answer
from cxrkit.inference.predictor import AnswerArrays
from cxrkit.inference.schema import VQA_SCHEMA, with_metadata
from cxrkit.models.decisions import SET_THRESHOLD, choose_classes
from cxrkit.vocabulary import ANSWER_HEADS, MULTI_LABEL_HEADS, QUESTION_TYPES

_TEXT_COLUMNS = {
    "question_id": "question_id_text",
    "question": "question_text",
    "answer_reference": "answer_text",
}


class PredictionRows:
    """Rows of the VQA prediction table.

    Args:
        index: the opened index.
        store: the opened image store, for the way back to original pixels.
        with_attention: rows carry the attention over the visual tokens.
    """

    def __init__(self, index: Index, store: FilmSource, *, with_attention: bool = False) -> None:
        self.index = index
        self.store = store
        self.schema = VQA_SCHEMA
        if with_attention:
            self.schema = VQA_SCHEMA.append(pa.field("attention", pa.list_(pa.float32())))
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
        image_rows = batch["image_row"].numpy()
        for position, row in enumerate(batch["question_row"].tolist()):
            film = int(batch["image_of_question"][position])
            image_row = int(image_rows[film])
            scores = np.where(node_mask[film], answers.node_scores[position], 0.0)
            chosen = np.flatnonzero(scores >= SET_THRESHOLD)
            likeliest = [int(node) for node in chosen[np.argsort(-scores[chosen], kind="stable")]]
            attention = None if answers.attention is None else answers.attention[position].tolist()
            self.rows.add(
                {
                    **self._identity(condition, row, image_row),
                    **_answer(batch, answers, position, likeliest),
                    "boxes_predicted": to_pixels(node_boxes[film][chosen], self.store, image_row).tolist(),
                    "box_scores": scores[chosen].tolist(),
                    "node_scores": scores.tolist(),
                    # Without a trustworthy box there is none, and nothing is known about the others.
                    "nodes_reference": batch["node_target"][position].nonzero().flatten().tolist(),
                    "attention": attention,
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


def _answer(
    batch: Mapping[str, Tensor], answers: AnswerArrays, position: int, regions: Sequence[int]
) -> dict[str, Any]:
    code = int(batch["head"][position])
    head, kind = ANSWER_HEADS[code], QUESTION_TYPES[int(batch["question_type"][position])]
    target = batch[f"{head}_target"][position]
    reference = target.nonzero().flatten().tolist() if head in MULTI_LABEL_HEADS else [int(target)]
    probabilities = answers.probabilities[code][position]
    predicted = choose_classes(head, probabilities)
    return {
        "question_type": kind.name,
        "head": str(head),
        "answer_predicted": compose_answer(kind, predicted, regions),
        "classes_reference": reference,
        "classes_predicted": predicted,
        "probabilities": probabilities.tolist(),
    }
