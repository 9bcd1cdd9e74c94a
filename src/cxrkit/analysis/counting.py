"""Counting rows of very long columns in bounded memory."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Counts: TypeAlias = npt.NDArray[np.int64]
Column: TypeAlias = npt.NDArray[Any]

ROWS_AT_ONCE = 4_000_000


def slices(rows: int, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[slice]:
    """Gives the consecutive pieces in which a column of `rows` rows is read."""
    for start in range(0, rows, rows_at_once):
        yield slice(start, min(start + rows_at_once, rows))


def joint_counts(columns: Sequence[Column], sizes: Sequence[int], where: Column | None = None) -> Counts:
    """Counts how often each combination of codes occurs.

    Args:
        columns: arrays `[rows]` of codes; column i holds values 0 .. `sizes[i]` - 1.
        sizes: the number of codes of each column.
        where: bool `[rows]`; rows that count. All when None.

    Returns:
        int64 counts of shape `sizes`.

    >>> joint_counts([np.array([0, 1, 1]), np.array([2, 0, 2])], [2, 3]).tolist()
    [[0, 0, 1], [1, 0, 1]]
    """
    total = np.zeros(int(np.prod(sizes)), dtype=np.int64)
    for piece in slices(len(columns[0])):
        codes = np.zeros(piece.stop - piece.start, dtype=np.int64)
        for column, size in zip(columns, sizes, strict=True):
            codes *= size
            codes += column[piece]
        if where is not None:
            codes = codes[where[piece]]
        total += np.bincount(codes, minlength=len(total))
    return total.reshape(tuple(sizes))


def bit_counts(bits: Column, masks: Sequence[int], groups: Column, num_groups: int) -> Counts:
    """Counts, per group of rows, the rows that have at least one bit of each mask.

    Args:
        bits: `[rows]` bit sets.
        masks: the bits to look for, one mask per answer.
        groups: `[rows]` group of each row, 0 .. `num_groups` - 1.
        num_groups: the number of groups.

    Returns:
        int64 `[num_groups, masks]`.

    >>> bit_counts(np.array([1, 3, 2]), [1, 2, 3], np.array([0, 0, 1]), 2).tolist()
    [[2, 1, 2], [0, 1, 1]]
    """
    total = np.zeros((num_groups, len(masks)), dtype=np.int64)
    for piece in slices(len(bits)):
        part, group = np.asarray(bits[piece]), np.asarray(groups[piece])
        for place, mask in enumerate(masks):
            total[:, place] += np.bincount(group[(part & mask) != 0], minlength=num_groups)
    return total


def named(names: Sequence[str], counts: Sequence[int] | Counts) -> dict[str, int]:
    """Gives counts by name.

    >>> named(("a", "b"), np.array([1, 2]))
    {'a': 1, 'b': 2}
    """
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def share(part: int, whole: int) -> float | None:
    """Gives a share rounded to six decimals; None of nothing.

    >>> share(1, 3), share(0, 0)
    (0.333333, None)
    """
    return round(int(part) / int(whole), 6) if whole else None
