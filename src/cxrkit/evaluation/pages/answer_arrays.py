"""What the page draws of a head: classes and probabilities of one condition, without texts and boxes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.evaluation import columns
from cxrkit.evaluation.confidence_metrics import answer_confidence
from cxrkit.metrics.counts import FloatArray
from cxrkit.vocabulary import CLASSES_OF_HEAD, Head

_COLUMNS = ["question_row", "classes_reference", "classes_predicted", "probabilities"]


@dataclass(frozen=True)
class AnswerArrays:
    """Questions of one head under one condition, in the order of the questions.

    Attributes:
        head: whose answers.
        places: `[N]` rows of the prediction table.
        reference: `[N, C]` sets of classes.
        predicted: `[N, C]` likewise.
        probabilities: `[N, C]`.
    """

    head: Head
    places: npt.NDArray[np.int64]
    reference: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]
    probabilities: FloatArray

    @classmethod
    def of_table(cls, predictions: pa.Table, head: Head, condition: str) -> "AnswerArrays":
        """Reads the rows of one head and condition; the other columns are never copied.

        Raises:
            ArtifactError: classes or probabilities do not fit the head.
        """
        wanted = _equals(predictions, "head", head.value) & _equals(predictions, "condition", condition)
        places = np.flatnonzero(wanted).astype(np.int64)
        rows = predictions.select(_COLUMNS).take(places).combine_chunks()
        order = np.argsort(columns.numbers(rows, "question_row"), kind="stable")
        classes = len(CLASSES_OF_HEAD[head])
        return cls(
            head=head,
            places=places[order],
            reference=columns.membership(rows, "classes_reference", classes)[order],
            predicted=columns.membership(rows, "classes_predicted", classes)[order],
            probabilities=columns.probability_matrix(rows, "probabilities", classes)[order],
        )

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Tells `[N]` whether an answer differs from its reference."""
        different: npt.NDArray[np.bool_] = (self.reference != self.predicted).any(1)
        return different

    @property
    def confidence(self) -> FloatArray:
        """Gives `[N]` how sure each answer is."""
        return answer_confidence(self.head, self.predicted, self.probabilities)


def _equals(table: pa.Table, name: str, value: str) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.equal(table.column(name), pa.scalar(value)), dtype=np.bool_)
