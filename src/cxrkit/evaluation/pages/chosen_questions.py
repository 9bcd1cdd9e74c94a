"""Which questions the gallery shows: right, wrong and uncertain answers of every head, always the same."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.evaluation import columns
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.answer_arrays import AnswerArrays
from cxrkit.vocabulary import ANSWER_HEADS

_PER_VERDICT = 1


class ChosenQuestion(NamedTuple):
    """A question of the gallery: its row in the prediction table, and why it was chosen."""

    place: int
    verdict: str


def choose_questions(predictions: pa.Table) -> Iterator[ChosenQuestion]:
    """Gives a right, a wrong and an uncertain answer of each head, on different films.

    Right and wrong ones are the first with reference boxes, else the first. Uncertain is the answer with the
    least confidence among the others; its verdict says whether it is right.

    Args:
        predictions: a table of VQA predictions.
    """
    shown: set[str] = set()
    for head in ANSWER_HEADS:
        rows = AnswerArrays.of_table(predictions, head, MODEL)
        grounded = columns.numbers(predictions, "has_boxes_reference").astype(np.bool_)[rows.places]
        boxes_first = np.argsort(~grounded, kind="stable")
        for verdict, fitting in (("right", ~rows.wrong), ("wrong", rows.wrong)):
            order = boxes_first[fitting[boxes_first]]
            for row in _on_new_films(predictions, rows, order, shown):
                yield ChosenQuestion(int(rows.places[row]), verdict)
        for row in _on_new_films(predictions, rows, np.argsort(rows.confidence, kind="stable"), shown):
            word = "wrong" if rows.wrong[row] else "right"
            yield ChosenQuestion(int(rows.places[row]), f"uncertain ({word})")


def _on_new_films(
    predictions: pa.Table, rows: AnswerArrays, order: npt.NDArray[np.int64], shown: set[str]
) -> list[int]:
    chosen: list[int] = []
    for row in order.tolist():
        if len(chosen) == _PER_VERDICT:
            break
        film = str(predictions.column("dicom_id")[int(rows.places[row])].as_py())
        if film not in shown:
            shown.add(film)
            chosen.append(row)
    return chosen
