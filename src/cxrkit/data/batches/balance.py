"""Question weights under which a question's text alone no longer tells its answer."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.index import Index

IntArray = npt.NDArray[np.int64]
# Answer codes are smaller; with it, a text and an answer make one number.
_ANSWERS = 1000


@dataclass(frozen=True)
class AnswerBalance:
    """The inverse share of each answer among the questions with the same text.

    Most questions of the data set are answered "no" or "nothing", each text with a rate of its own that a
    model can learn without the film. Drawn with these weights, the answers that a text has in the training
    split come equally often; every text keeps its own total weight.

    Attributes:
        keys: `[G]` text and answer as one number, ascending; one for each that occurs.
        values: `[G]` their weights; the mean over the counted questions is 1.
    """

    keys: IntArray
    values: npt.NDArray[np.float64]

    @classmethod
    def count(cls, index: Index, parts: Iterable[IntArray]) -> "AnswerBalance":
        """Counts the answers of each text.

        Args:
            index: the opened index.
            parts: question rows of the training split, in arrays of any length.
        """
        keys, counts = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        for rows in parts:
            new, number = np.unique(_keys(index, rows), return_counts=True)
            merged, place = np.unique(np.concatenate([keys, new]), return_inverse=True)
            sums = np.bincount(place, weights=np.concatenate([counts, number]), minlength=len(merged))
            keys, counts = merged, sums.astype(np.int64)
        texts, position = np.unique(keys // _ANSWERS, return_inverse=True)
        questions_of_text = np.bincount(position, weights=counts, minlength=len(texts))
        answers_of_text = np.bincount(position, minlength=len(texts))
        return cls(keys, (questions_of_text / answers_of_text)[position] / counts)

    def weights(self, index: Index, rows: IntArray) -> npt.NDArray[np.float64]:
        """Gives the weights `[Q]` of counted questions.

        Args:
            index: the opened index.
            rows: `[Q]` question rows, each among those that were counted.
        """
        return self.values[np.searchsorted(self.keys, _keys(index, rows))]


def balanced_question_weights(index: Index, rows: IntArray) -> npt.NDArray[np.float64]:
    """Gives each question the inverse share of its answer among the questions with the same text.

    Args:
        index: the opened index.
        rows: `[Q]` question rows of the training split.

    Returns:
        `[Q]` weights, mean 1.
    """
    return AnswerBalance.count(index, [rows]).weights(index, rows)


def _keys(index: Index, rows: IntArray) -> IntArray:
    """Gives one number per text and answer: yes or no, the severity, or whether anything was found."""

    def column(name: str) -> IntArray:
        return index.column("questions", name)[rows].astype(np.int64)

    answer = (
        (column("binary_target") + 1) * 100 + (column("severity_target") + 1) * 10 + column("polarity") + 1
    )
    return column("question_text") * _ANSWERS + answer
