"""Controls that never see a film: the commonest answer per question type, and per question text."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.batches.targets import question_targets
from cxrkit.data.index import Index
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, MULTI_LABEL_HEADS

FloatArray = npt.NDArray[np.float64]
# A text seen less often than this leans on its type: as if the type's shares had been seen so often with it.
PRIOR_WEIGHT = 2.0
# Type and text of a question in one number.
_TYPE = 2**32


@dataclass(frozen=True)
class AnswerShares:
    """Shares of the answers in the training split.

    Attributes:
        by_type: question type -> `[C]` share of each class of the type's head.
        by_text: (question type, text id) -> `[C]`, smoothed towards the type's.
    """

    by_type: dict[int, FloatArray]
    by_text: dict[tuple[int, int], FloatArray]

    def of_type(self, question_type: int, classes: int) -> FloatArray:
        """Gives the shares for a type; even shares for a type that training never saw."""
        return self.by_type.get(question_type, np.full(classes, 1.0 / classes))

    def of_text(self, question_type: int, text: int, classes: int) -> FloatArray:
        """Gives the shares for a question text; those of its type for a text that training never saw."""
        return self.by_text.get((question_type, text), self.of_type(question_type, classes))


def answer_shares(index: Index, parts: Iterable[npt.NDArray[np.int64]]) -> AnswerShares:
    """Counts the answers of the training questions; memory grows with the different texts only.

    Args:
        index: the opened index.
        parts: rows of answerable questions of the training split, in arrays of any length.
    """
    counts: dict[tuple[int, int], tuple[int, FloatArray]] = {}
    for rows in parts:
        for key, number, sums in _count_answers(index, rows):
            before, total = counts.get(key, (0, np.zeros(len(sums))))
            counts[key] = (before + number, total + sums)
    by_type: dict[int, FloatArray] = {}
    for question_type in sorted({question_type for question_type, _ in counts}):
        of_type = [entry for (kind, _), entry in counts.items() if kind == question_type]
        by_type[question_type] = np.sum([sums for _, sums in of_type], axis=0) / sum(n for n, _ in of_type)
    by_text = {
        key: (sums + PRIOR_WEIGHT * by_type[key[0]]) / (number + PRIOR_WEIGHT)
        for key, (number, sums) in sorted(counts.items())
    }
    return AnswerShares(by_type, by_text)


def _count_answers(
    index: Index, rows: npt.NDArray[np.int64]
) -> Iterator[tuple[tuple[int, int], int, FloatArray]]:
    """Gives (type, text), number of questions and summed answers `[C]` of some questions."""
    targets = question_targets(index, rows)
    text = index.column("questions", "question_text")[rows].astype(np.int64)
    for code, head in enumerate(ANSWER_HEADS):
        of_head = targets["head"] == code
        values = targets[f"{head}_target"][of_head]
        if head not in MULTI_LABEL_HEADS:
            values = np.eye(len(CLASSES_OF_HEAD[head]))[values.astype(np.int64)]
        keys = targets["question_type"][of_head] * _TYPE + text[of_head]
        different, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        sums = np.zeros((len(different), values.shape[1]))
        np.add.at(sums, inverse, values)
        for key, number, total in zip(different.tolist(), counts.tolist(), sums, strict=True):
            yield divmod(key, _TYPE), number, total
