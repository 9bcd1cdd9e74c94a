"""Answer sentences in pairs: equal pairs are kept, and scored, once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.evaluation import columns

BERTSCORE = "bertscore_f1"


@dataclass(frozen=True)
class TextPairs:
    """The sentences of N questions.

    Attributes:
        references: of the U different pairs.
        predictions: likewise.
        pair_of_row: `[N]` the pair of each question.
        bertscore: `[N]` stored with the predictions; None where none was computed.
    """

    references: tuple[str, ...]
    predictions: tuple[str, ...]
    pair_of_row: npt.NDArray[np.int64]
    bertscore: npt.NDArray[np.float64] | None = None

    @classmethod
    def of_table(cls, table: pa.Table) -> "TextPairs":
        """Reads the sentences of a prediction table."""
        known: dict[tuple[str, str], int] = {}
        texts = zip(
            columns.texts(table, "answer_reference"), columns.texts(table, "answer_predicted"), strict=True
        )
        rows = np.array([known.setdefault(pair, len(known)) for pair in texts], np.int64)
        stored = columns.numbers(table, BERTSCORE).astype(float) if BERTSCORE in table.column_names else None
        references = tuple(reference for reference, _ in known)
        return cls(references, tuple(predicted for _, predicted in known), rows, stored)

    def chosen(self, rows: npt.NDArray[np.bool_]) -> "TextPairs":
        """Gives the sentences of some questions."""
        stored = None if self.bertscore is None else self.bertscore[rows]
        return replace(self, pair_of_row=self.pair_of_row[rows], bertscore=stored)

    def per_row(
        self, score: Callable[[Sequence[str], Sequence[str]], npt.NDArray[np.generic]]
    ) -> npt.NDArray[np.generic]:
        """Scores each different pair once and gives the scores of the questions, `[N, ...]`."""
        scored: npt.NDArray[np.generic] = score(self.references, self.predictions)[self.pair_of_row]
        return scored
