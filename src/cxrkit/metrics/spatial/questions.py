"""Boxes of many questions, in groups that can be computed at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray

IntArray: TypeAlias = npt.NDArray[np.int64]
_CELLS_AT_ONCE = 2_000_000


def without_degenerate(boxes: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Turns boxes that cover nothing into empty boxes at the origin.

    Args:
        boxes: `[..., 4]`.

    Returns:
        The boxes, zeros where a corner is not finite or width or height is not above 0, and which were so
        `[...]`.

    >>> boxes, degenerate = without_degenerate(np.array([[0.0, 0, 2, 2], [3, 0, 1, 2], [0, 0, np.nan, 1]]))
    >>> boxes.tolist()[1:], degenerate.tolist()
    ([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], [False, True, True])
    """
    values = np.asarray(boxes, dtype=float)
    sound = np.isfinite(values).all(-1) & (values[..., 2:] > values[..., :2]).all(-1)
    return np.where(sound[..., None], values, 0.0), ~sound


@dataclass(frozen=True)
class BoxGroup:
    """Q questions with n reference and m predicted boxes each.

    Attributes:
        rows: `[Q]` which questions they are.
        reference: `[Q, n, 4]`, empty boxes for degenerate ones.
        predicted: `[Q, m, 4]` likewise.
        predicted_places: `[Q, m]` which predicted boxes they are.
        scores: `[Q, m]`.
    """

    rows: IntArray
    reference: FloatArray
    predicted: FloatArray
    predicted_places: IntArray
    scores: FloatArray


@dataclass(frozen=True)
class QuestionBoxes:
    """Reference and predicted boxes of N questions.

    Attributes:
        reference: `[A, 4]` boxes, question after question.
        reference_starts: `[N + 1]` where each question's boxes begin and end.
        predicted: `[B, 4]` likewise.
        predicted_starts: `[N + 1]` likewise.
        scores: `[B]` finite; of the predicted boxes.
    """

    reference: FloatArray
    reference_starts: IntArray
    predicted: FloatArray
    predicted_starts: IntArray
    scores: FloatArray

    def __len__(self) -> int:
        """Number of questions."""
        return len(self.reference_starts) - 1

    def of_rows(self, rows: IntArray) -> "QuestionBoxes":
        """Gives some of the questions, in this order."""
        places, starts = _places(self.reference_starts, rows)
        predicted, predicted_starts = _places(self.predicted_starts, rows)
        return QuestionBoxes(
            self.reference[places], starts, self.predicted[predicted], predicted_starts,
            self.scores[predicted],
        )  # fmt: skip

    def groups(self) -> Iterator[BoxGroup]:
        """Gives the questions with equal numbers of boxes together, in parts that fit into memory."""
        counts = np.stack([np.diff(self.reference_starts), np.diff(self.predicted_starts)], axis=1)
        reference, _ = without_degenerate(self.reference)
        predicted, _ = without_degenerate(self.predicted)
        kinds, kind = np.unique(counts, axis=0, return_inverse=True)
        order = np.argsort(kind.ravel(), kind="stable")
        sizes = np.bincount(kind.ravel(), minlength=len(kinds))
        ends = np.cumsum(sizes)
        for (n, m), start, end in zip(kinds.tolist(), ends - sizes, ends, strict=True):
            step = max(1, _CELLS_AT_ONCE // (4 * (n + m + 1) ** 2))
            for first in range(start, end, step):
                rows = order[first : min(first + step, end)]
                places = self.predicted_starts[rows][:, None] + np.arange(m)
                of_reference = self.reference_starts[rows][:, None] + np.arange(n)
                yield BoxGroup(
                    rows, reference[of_reference], predicted[places], places, self.scores[places]
                )  # fmt: skip


def _places(starts: IntArray, rows: IntArray) -> tuple[IntArray, IntArray]:
    """Gives the places of the boxes of some questions, and where each question's begin and end."""
    counts = np.diff(starts)[rows]
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return np.repeat(starts[rows] - ends[:-1], counts) + np.arange(ends[-1]), ends
