"""Which studies a classifier's gallery shows: rightly, wrongly and barely decided ones, always the same."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cxrkit.evaluation.finding_metrics import StudyRows

_PER_VERDICT = 3


class ChosenStudy(NamedTuple):
    """A study of the gallery: its place among the studies, and why it was chosen."""

    place: int
    verdict: str


def choose_studies(rows: StudyRows) -> list[ChosenStudy]:
    """Gives studies decided right in every finding, most wrongly decided ones, and uncertain ones.

    Right ones are those with the most positive labels. Uncertain is a study whose probabilities lie nearest
    to the thresholds on average; its verdict says how many findings are wrong. Findings without a threshold
    do not count; without any threshold the studies with the most positive labels are given.

    Args:
        rows: the model's studies.
    """
    decided = ~np.isnan(rows.thresholds)
    most_positive = -rows.labels.sum(1)
    if not decided.any():
        order = np.argsort(most_positive, kind="stable")[: 3 * _PER_VERDICT]
        return [ChosenStudy(place, "no decision") for place in order.tolist()]
    mistakes = (rows.flagged != rows.labels)[:, decided].sum(1)
    distance = np.abs(rows.probabilities - rows.thresholds)[:, decided].mean(1).round(9)
    orders = {
        "right": np.lexsort((most_positive, mistakes > 0)),
        "wrong": np.argsort(-mistakes, kind="stable"),
        "uncertain": np.argsort(distance, kind="stable"),
    }
    fitting = {"right": mistakes == 0, "wrong": mistakes > 0, "uncertain": mistakes >= 0}
    chosen: dict[int, str] = {}
    for verdict, order in orders.items():
        for place in _first(order, fitting[verdict], set(chosen)):
            chosen[place] = _words(verdict, int(mistakes[place]), int(decided.sum()))
    return [ChosenStudy(place, words) for place, words in chosen.items()]


def _first(order: npt.NDArray[np.int64], fitting: npt.NDArray[np.bool_], taken: set[int]) -> list[int]:
    return [place for place in order.tolist() if fitting[place] and place not in taken][:_PER_VERDICT]


def _words(verdict: str, mistakes: int, decided: int) -> str:
    return "right" if verdict == "right" else f"{verdict}: {mistakes} of {decided} findings wrong"
