"""Pairs of texts as numbers: what the loops of BLEU and ROUGE-L count in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
_compiled = numba.njit(nogil=True)


@dataclass(frozen=True)
class TokenPairs:
    """The tokens of N pairs of texts as numbers, equal tokens having equal ones.

    Attributes:
        reference: tokens of all references, one after the other.
        reference_starts: `[N + 1]` where each begins and ends.
        predicted: likewise.
        predicted_starts: `[N + 1]`.
    """

    reference: IntArray
    reference_starts: IntArray
    predicted: IntArray
    predicted_starts: IntArray

    @classmethod
    def of_texts(
        cls,
        references: Sequence[str],
        predictions: Sequence[str],
        tokenize: Callable[[str], Sequence[str]],
    ) -> "TokenPairs":
        """Tokenizes each different text once.

        Args:
            references: N texts.
            predictions: N texts.
            tokenize: from a text to its tokens.

        Raises:
            ValueError: when the lengths differ.
        """
        if len(references) != len(predictions):
            raise ValueError(f"{len(references)} references and {len(predictions)} predictions")
        numbers: dict[str, int] = {}
        known: dict[str, IntArray] = {}

        def tokens(text: str) -> IntArray:
            if text not in known:
                found = [numbers.setdefault(token, len(numbers)) for token in tokenize(text)]
                known[text] = np.array(found, np.int64)
            return known[text]

        first, second = ([tokens(text) for text in texts] for texts in (references, predictions))
        return cls(*_joined(first), *_joined(second))

    def lengths(self) -> tuple[IntArray, IntArray]:
        """Gives the number of tokens of each reference and prediction, `[N]` each."""
        return np.diff(self.reference_starts), np.diff(self.predicted_starts)

    def common_subsequences(self) -> IntArray:
        """Gives the length of the longest common subsequence of each pair, `[N]`."""
        found = np.zeros(len(self.reference_starts) - 1, np.int64)
        _common_subsequences(
            self.reference, self.reference_starts, self.predicted, self.predicted_starts, found
        )
        return found

    def shared_ngrams(self, most: int) -> IntArray:
        """Gives how many n-grams of each prediction its reference has too, each used once: `[N, most]`."""
        found = np.zeros((len(self.reference_starts) - 1, most), np.int64)
        _shared_ngrams(self.reference, self.reference_starts, self.predicted, self.predicted_starts, found)
        return found


def _joined(texts: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=starts[1:])
    return np.concatenate([np.zeros(0, np.int64), *texts]), starts


@_compiled
def _common_subsequences(
    reference: IntArray,
    reference_starts: IntArray,
    predicted: IntArray,
    predicted_starts: IntArray,
    found: IntArray,
) -> None:  # pragma: no cover - compiled
    for pair in range(len(found)):
        first = reference[reference_starts[pair] : reference_starts[pair + 1]]
        second = predicted[predicted_starts[pair] : predicted_starts[pair + 1]]
        line = np.zeros(len(second) + 1, np.int64)
        for token in first:
            diagonal = 0
            for place in range(len(second)):
                above = line[place + 1]
                if token == second[place]:
                    line[place + 1] = diagonal + 1
                elif line[place] > above:
                    line[place + 1] = line[place]
                diagonal = above
        found[pair] = line[len(second)]


@_compiled
def _shared_ngrams(
    reference: IntArray,
    reference_starts: IntArray,
    predicted: IntArray,
    predicted_starts: IntArray,
    found: IntArray,
) -> None:  # pragma: no cover - compiled
    for pair in range(len(found)):
        first = reference[reference_starts[pair] : reference_starts[pair + 1]]
        second = predicted[predicted_starts[pair] : predicted_starts[pair + 1]]
        for order in range(1, found.shape[1] + 1):
            used = np.zeros(max(len(first) - order + 1, 0), np.bool_)
            for begin in range(len(second) - order + 1):
                for place in range(len(used)):
                    if used[place]:
                        continue
                    same = True
                    for step in range(order):
                        same = same and second[begin + step] == first[place + step]
                    if same:
                        used[place] = True
                        found[pair, order - 1] += 1
                        break
