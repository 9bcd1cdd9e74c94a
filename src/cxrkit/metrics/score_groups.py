"""Rows with similar scores: how many of them were positive."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cxrkit.metrics.counts import FloatArray

MOST_GROUPS, SMALLEST_GROUP = 10, 20


class Group(NamedTuple):
    """Rows with scores up to `up_to`, above the group before."""

    up_to: float
    n: int
    n_positive: int


def score_groups(labels: npt.NDArray[np.bool_], scores: FloatArray) -> list[Group]:
    """Gives up to ten groups of about equally many rows, of at least twenty where there are as many.

    Equal scores are never parted. The last group reaches to 1.

    Args:
        labels: `[N]` truth.
        scores: `[N]` in 0..1.

    >>> score_groups(np.array([False, True]), np.array([0.2, 0.9]))
    [Group(up_to=1.0, n=2, n_positive=1)]
    """
    if not len(scores):
        return []
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order], labels[order]
    count = int(np.clip(len(ranked) // SMALLEST_GROUP, 1, MOST_GROUPS))
    ends = [len(ranked) * (place + 1) // count for place in range(count)]
    # A group ends after the last of the equal scores at its end.
    reached = sorted({int(np.searchsorted(ranked, ranked[end - 1], side="right")) for end in ends})
    groups = []
    for begin, end in zip([0, *reached[:-1]], reached, strict=True):
        up_to = 1.0 if end == len(ranked) else float(ranked[end - 1])
        groups.append(Group(round(up_to, 6), end - begin, int(positive[begin:end].sum())))
    return groups
