"""The page's section on which classes are taken for which, and how often each is found."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.pages.answer_arrays import AnswerArrays
from cxrkit.metrics.counts import FloatArray, confusion_of_rows, divide_or_nan
from cxrkit.metrics.ranking import BoolArray
from cxrkit.reporting import Page, format_number
from cxrkit.reporting.figures import confusion_matrix
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, MULTI_LABEL_HEADS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNT_COLUMNS = ("class", "reference", "predicted", "TP", "FP", "FN", "TN", "sensitivity", "precision")
COUNT_WORDS = "TP: in both, FP: predicted only, FN: in the reference only, TN: in neither"


def add_confusions(page: Page, predictions: pa.Table) -> None:
    """Adds the model's confusion matrices; for heads whose answers are sets, the counts of each class.

    Args:
        page: takes them.
        predictions: a table of VQA predictions.
    """
    page.section(
        "Confusion",
        "Heads with one class per answer have a matrix. In the others an answer is a set, so that each class "
        f"has its own counts over the head's questions. {COUNT_WORDS}.",
    )
    rows_of = {head: AnswerArrays.of_table(predictions, head, MODEL) for head in ANSWER_HEADS}
    for head in (head for head, rows in rows_of.items() if not len(rows.places)):
        page.remark(f"{head.value.capitalize()}: no question of this head in the split.")
    asked = [rows for rows in rows_of.values() if len(rows.places)]
    page.figures([_matrix(rows) for rows in asked if rows.head not in MULTI_LABEL_HEADS])
    for rows in (rows for rows in asked if rows.head in MULTI_LABEL_HEADS):
        counts = count_rows(CLASSES_OF_HEAD[rows.head], class_counts(rows.reference, rows.predicted))
        title = f"{rows.head.value.capitalize()}: counts of each class in {len(rows.places):,} questions"
        page.table(COUNT_COLUMNS, counts, title)


def _matrix(rows: AnswerArrays) -> tuple["Figure", str]:
    figure = confusion_matrix(confusion_of(rows), CLASSES_OF_HEAD[rows.head])
    return (
        figure,
        f"{rows.head.value.capitalize()} head: reference (rows), model (columns), share of each row",
    )


def confusion_of(rows: AnswerArrays) -> FloatArray:
    """Gives the confusion counts `[C, C]` of a head with one class per answer; rows are the reference."""
    confusion = confusion_of_rows(
        rows.reference.argmax(1), rows.predicted.argmax(1), rows.reference.shape[1]
    ).sum(0, dtype=np.int64)
    return np.asarray(confusion, dtype=float)


def class_counts(reference: BoolArray, predicted: BoolArray) -> FloatArray:
    """Counts each class over rows.

    Args:
        reference: `[N, C]`.
        predicted: `[N, C]`.

    Returns:
        `[C, 4]`: true positives, false positives, false negatives, true negatives.
    """
    cells = (reference & predicted, ~reference & predicted, reference & ~predicted, ~reference & ~predicted)
    counts: FloatArray = np.stack([cell.sum(0) for cell in cells], axis=1).astype(float)
    return counts


def count_rows(names: Sequence[str], counts: FloatArray) -> list[tuple[object, ...]]:
    """Gives the lines of a table with the columns `COUNT_COLUMNS` from counts `[C, 4]`."""
    found, extra, missed, absent = counts.T
    sensitivity, precision = divide_or_nan(found, found + missed), divide_or_nan(found, found + extra)
    return [
        (
            name,
            int(found[place] + missed[place]),
            int(found[place] + extra[place]),
            *(int(kind[place]) for kind in (found, extra, missed, absent)),
            format_number(float(sensitivity[place])),
            format_number(float(precision[place])),
        )
        for place, name in enumerate(names)
    ]
