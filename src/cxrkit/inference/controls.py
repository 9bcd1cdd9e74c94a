"""Controls that never see a film: the commonest answer per question type, and per question text."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cxrkit.data.batches.targets import question_targets
from cxrkit.data.index import Index
from cxrkit.vocabulary import ANSWER_HEADS, CLASSES_OF_HEAD, MULTI_LABEL_HEADS

FloatArray = npt.NDArray[np.float64]
# A text seen less often than this leans on its type: as if the type's shares had been seen so often with it.
PRIOR_WEIGHT = 2.0


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


def answer_shares(index: Index, rows: npt.NDArray[np.int64]) -> AnswerShares:
    """Counts the answers of the training questions.

    Args:
        index: the opened index.
        rows: `[Q]` answerable questions of the training split.
    """
    targets = question_targets(index, rows)
    text = index.column("questions", "question_text")[rows].astype(np.int64)
    by_type: dict[int, FloatArray] = {}
    by_text: dict[tuple[int, int], FloatArray] = {}
    for code, head in enumerate(ANSWER_HEADS):
        of_head = targets["head"] == code
        values = targets[f"{head}_target"][of_head]
        classes = len(CLASSES_OF_HEAD[head])
        shown = (
            values.astype(np.float64)
            if head in MULTI_LABEL_HEADS
            else np.eye(classes)[values.astype(np.int64)]
        )
        types, texts = targets["question_type"][of_head], text[of_head]
        for question_type in np.unique(types):
            of_type = types == question_type
            share = shown[of_type].mean(0)
            by_type[int(question_type)] = share
            ids, inverse, counts = np.unique(texts[of_type], return_inverse=True, return_counts=True)
            sums = np.zeros((len(ids), classes))
            np.add.at(sums, inverse, shown[of_type])
            smoothed = (sums + PRIOR_WEIGHT * share) / (counts[:, None] + PRIOR_WEIGHT)
            by_text |= {(int(question_type), int(i)): row for i, row in zip(ids, smoothed, strict=True)}
    return AnswerShares(by_type, by_text)
