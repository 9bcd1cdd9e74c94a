"""Rows of many spans at once: columns instead of a loop over films."""

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


def rows_of_spans(
    first: npt.NDArray[np.integer], count: npt.NDArray[np.integer]
) -> tuple[IntArray, IntArray]:
    """Gives the rows of spans one after another, and which span each row belongs to.

    Args:
        first: `[B]` first row of each span.
        count: `[B]` number of rows of each.

    Returns:
        Rows `[N]` and spans `[N]`, N the sum of the counts.

    >>> rows, spans = rows_of_spans(np.array([5, 9, 2]), np.array([2, 0, 1]))
    >>> rows.tolist(), spans.tolist()
    ([5, 6, 2], [0, 0, 2])
    """
    count = count.astype(np.int64)
    ends = np.cumsum(count)
    spans = np.repeat(np.arange(len(count)), count)
    rows = np.arange(ends[-1] if len(ends) else 0) + (first.astype(np.int64) - (ends - count))[spans]
    return rows, spans
