"""Texts of one chunk, each once, and the digests by which equal texts of different chunks are found."""

import hashlib

import numpy as np
import numpy.typing as npt

from cxrkit.data.index.chunk_columns import Ragged, ragged_bytes

_DIGEST_BYTES = 16


class TextTable:
    """Every text of a chunk once; its number counts up in the order in which texts are met."""

    def __init__(self) -> None:
        self._row: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._row)

    def row(self, text: str) -> int:
        """Gives the number of a text, adding it when it is new."""
        return self._row.setdefault(text, len(self._row))

    def columns(self) -> tuple[Ragged, npt.NDArray[np.uint64]]:
        """Gives all texts, and 128 bits of BLAKE2b of each: `[texts, 2]`, equal only for equal texts."""
        encoded = [text.encode() for text in self._row]
        digests = b"".join(hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest() for text in encoded)
        return ragged_bytes(encoded), np.frombuffer(digests, dtype="<u8").reshape(-1, 2).astype(np.uint64)
