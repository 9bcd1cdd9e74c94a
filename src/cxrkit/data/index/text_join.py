"""Finds equal texts of different chunks, in memory that does not grow with the length of the texts."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Texts looked at together: 16 bytes of digest each, some times over while sorting.
_TEXTS_AT_ONCE = 4_000_000


class TextNumbers:
    """The number of each chunk's texts in the joined table.

    Texts are numbered in the order in which they are first met, chunk by chunk: as one process that reads
    all studies in order would number them.

    Args:
        digests: of each chunk's texts, `[texts, 2]` uint64.
    """

    def __init__(self, digests: Sequence[npt.NDArray[np.uint64]]) -> None:
        lengths = np.array([len(part) for part in digests], dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        first = _first_occurrences(digests, self._starts, int(lengths.sum()))
        self._is_first = first == np.arange(len(first), dtype=np.int32)
        numbers = np.cumsum(self._is_first, dtype=np.int32) - 1
        self._numbers = numbers[first]
        self.total = int(self._is_first.sum())

    def of_chunk(self, chunk: int) -> npt.NDArray[np.int32]:
        """Gives the joined number of each text of a chunk."""
        return self._numbers[self._starts[chunk] : self._ends[chunk]]

    def new_in_chunk(self, chunk: int) -> npt.NDArray[np.bool_]:
        """Tells which texts of a chunk no earlier chunk has."""
        flags: npt.NDArray[np.bool_] = self._is_first[self._starts[chunk] : self._ends[chunk]]
        return flags


def _first_occurrences(
    digests: Sequence[npt.NDArray[np.uint64]], starts: npt.NDArray[np.int64], total: int
) -> npt.NDArray[np.int32]:
    """Gives the position at which each text is first met, part by part of the digests' range."""
    first = np.empty(total, dtype=np.int32)
    parts = max(1, -(-total // _TEXTS_AT_ONCE))
    for part in range(parts):
        wanted = [np.flatnonzero(chunk[:, 0] % np.uint64(parts) == part) for chunk in digests]
        keys = np.concatenate([chunk[rows] for chunk, rows in zip(digests, wanted, strict=True)] or [_EMPTY])
        position = np.concatenate(
            [rows + start for rows, start in zip(wanted, starts.tolist(), strict=True)] or [_EMPTY[:, 0]]
        ).astype(np.int32)
        # A stable sort: of equal digests the earliest text comes first.
        order = np.lexsort((keys[:, 1], keys[:, 0]))
        keys, position = keys[order], position[order]
        begins = np.ones(len(keys), dtype=np.bool_)
        begins[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        first[position] = position[begins][np.cumsum(begins) - 1]
    return first


_EMPTY = np.zeros((0, 2), dtype=np.uint64)
