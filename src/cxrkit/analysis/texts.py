"""The texts of questions and answers: lengths, vocabulary, repetition."""

import re
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.analysis.counting import share, slices
from cxrkit.analysis.exposure import percentiles
from cxrkit.data.index import Index

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_FREQUENT = 30
_LONGEST = 60


def measure_texts(index: Index) -> dict[str, Any]:
    """Gives how long questions and answers are and which words they use.

    Every different text is read once and counts as often as it occurs.

    Returns:
        for `questions` and `answers`: `texts`, `different`, `different_share`, `words` (percentiles of the
        length in words), `vocabulary` (different words), `frequent_words`, `histogram` of lengths.
    """
    return {
        "questions": _measure(index, "question_text"),
        "answers": _measure(index, "answer_text"),
    }


def _measure(index: Index, column: str) -> dict[str, Any]:
    times = _occurrences(index, column)
    used = np.flatnonzero(times)
    texts = index.texts.column("text")
    lengths = np.zeros(len(used), np.int64)
    words: Counter[str] = Counter()
    for place, row in enumerate(used.tolist()):
        found = _WORD.findall(texts[row].as_py().lower())
        lengths[place] = len(found)
        for word in found:
            words[word] += int(times[row])
    weights = times[used]
    histogram = np.bincount(np.minimum(lengths, _LONGEST), weights, minlength=_LONGEST + 1)
    return {
        "texts": int(weights.sum()),
        "different": len(used),
        "different_share": share(len(used), int(weights.sum())),
        "words": percentiles(_repeated(lengths, weights)),
        "vocabulary": len(words),
        "frequent_words": dict(sorted(words.items(), key=lambda entry: (-entry[1], entry[0]))[:_FREQUENT]),
        "histogram": [int(count) for count in histogram],
    }


def _occurrences(index: Index, column: str) -> npt.NDArray[np.int64]:
    ids = index.column("questions", column)
    times = np.zeros(len(index.texts.column("text")), np.int64)
    for piece in slices(len(ids)):
        part = np.asarray(ids[piece])
        times += np.bincount(part[part >= 0], minlength=len(times))
    return times


def _repeated(lengths: npt.NDArray[np.int64], weights: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Gives at most a million lengths with the same distribution, in order."""
    order = np.argsort(lengths, kind="stable")
    total = int(weights.sum())
    reached = np.cumsum(weights[order])
    places = (
        np.linspace(0, total - 1, min(total, 1_000_000)).astype(np.int64) if total else np.zeros(0, np.int64)
    )
    repeated: npt.NDArray[np.float64] = lengths[order][np.searchsorted(reached, places, side="right")].astype(
        float
    )
    return repeated
