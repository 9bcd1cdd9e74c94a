"""Question weights under which a question's text alone no longer tells its answer."""

import numpy as np
import numpy.typing as npt

from cxrkit.data.index import Index


def balanced_question_weights(index: Index, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Gives each question the inverse share of its answer among the questions with the same text.

    Most questions of the data set are answered "no" or "nothing", each text with a rate of its own that a
    model can learn without the film. Drawn with these weights, the answers that a text has in the training
    split come equally often; every text keeps its own total weight.

    Args:
        index: the opened index.
        rows: `[Q]` question rows of the training split.

    Returns:
        `[Q]` weights, mean 1.
    """
    text = index.column("questions", "question_text")[rows].astype(np.int64)
    answer = _answer_codes(index, rows)
    answered, group, counts = np.unique(
        np.stack([text, answer]), axis=1, return_inverse=True, return_counts=True
    )
    texts, position = np.unique(answered[0], return_inverse=True)
    questions_of_text = np.bincount(position, weights=counts, minlength=len(texts))
    answers_of_text = np.bincount(position, minlength=len(texts))
    weights = (questions_of_text / answers_of_text)[position] / counts
    return np.asarray(weights[group], dtype=np.float64)


def _answer_codes(index: Index, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Gives one number per answer: yes or no, the severity, or whether anything was found."""

    def column(name: str) -> npt.NDArray[np.int64]:
        return index.column("questions", name)[rows].astype(np.int64)

    return (column("binary_target") + 1) * 100 + (column("severity_target") + 1) * 10 + column("polarity") + 1
