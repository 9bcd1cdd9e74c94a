"""Question weights that draw rare answers as often as common ones."""

import numpy as np
import numpy.typing as npt

from cxrkit.data.index import Index


def balanced_question_weights(index: Index, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Gives each question the inverse frequency of its answer among questions of its type.

    Most questions of the data set are answered "no" or "none"; drawn evenly, a small budget of questions
    shows few findings. An answer is what the head's target says; sets count as empty or not.

    Args:
        index: the opened index.
        rows: `[Q]` question rows of the training split.

    Returns:
        `[Q]` weights, mean 1.
    """

    def column(name: str) -> npt.NDArray[np.int64]:
        return index.column("questions", name)[rows].astype(np.int64)

    answer = column("binary_target") + 1
    answer = answer * 6 + column("severity_target") + 1
    answer = answer * 2 + (index.column("questions", "polarity")[rows] == 1)
    _, group, counts = np.unique(
        np.stack([column("question_type"), answer]), axis=1, return_inverse=True, return_counts=True
    )
    type_counts = np.bincount(column("question_type"))
    weights = type_counts[column("question_type")] / counts[group]
    return np.asarray(weights / weights.mean(), dtype=np.float64)
