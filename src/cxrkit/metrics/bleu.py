"""BLEU-4 of a corpus, from counts that can be added, so that it can be computed for any choice of rows."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.token_pairs import IntArray, TokenPairs

ORDERS = 4


def bleu_counts_of_rows(references: Sequence[str], predictions: Sequence[str]) -> IntArray:
    """Gives what the BLEU of any set of rows is computed from.

    Tokens are those of sacrebleu's tokenizer 13a; case counts.

    Args:
        references: N texts, one reference per prediction.
        predictions: N texts.

    Returns:
        `[N, 10]`: tokens of the prediction, tokens of the reference, shared n-grams for n = 1..4, n-grams
        of the prediction for n = 1..4.
    """
    pairs = TokenPairs.of_texts(references, predictions, _tokens)
    reference, predicted = pairs.lengths()
    orders = np.arange(ORDERS)
    possible = np.maximum(predicted[:, None] - orders, 0)
    return np.concatenate(
        [predicted[:, None], reference[:, None], pairs.shared_ngrams(ORDERS), possible], axis=1
    )


def bleu_of_counts(counts: FloatArray) -> FloatArray:
    """Gives BLEU-4 from summed counts.

    Definition: brevity penalty times the geometric mean of the four n-gram precisions; a precision of 0 is
    smoothed exponentially (1 / 2, 1 / 4, ... of one n-gram). Range 0..1. 0 without any shared word, or
    when no prediction has four tokens; undefined (`nan`) without rows that have a token.
    Source: Papineni et al., ACL 2002; equals `sacrebleu.corpus_bleu(...).score / 100` (Post, WMT 2018).

    Args:
        counts: `[..., 10]` sums of `bleu_counts_of_rows`.
    """
    predicted, reference = counts[..., 0], counts[..., 1]
    shared, possible = counts[..., 2 : 2 + ORDERS], counts[..., 2 + ORDERS :]
    # The k-th order without a shared n-gram counts 1 / 2^k of one.
    misses = np.cumsum(shared == 0, axis=-1)
    smoothed = np.where(shared == 0, 0.5**misses, shared)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(smoothed / possible)
        penalty = np.where(predicted < reference, np.exp(1 - reference / predicted), 1.0)
        score = penalty * np.exp(logarithms.mean(-1))
    score = np.where((possible > 0).all(-1) & shared.any(-1), score, 0.0)
    found: FloatArray = np.where(predicted + reference > 0, score, np.nan)
    return found


def corpus_bleu(references: Sequence[str], predictions: Sequence[str]) -> float:
    """Gives BLEU-4 of all rows together; see `bleu_of_counts`.

    >>> round(corpus_bleu(["There is a small left effusion."], ["There is a left effusion."]), 4)
    0.4301
    """
    return float(bleu_of_counts(bleu_counts_of_rows(references, predictions).sum(0).astype(float)))


@cache
def _tokenizer() -> Any:
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    make: Any = Tokenizer13a
    return make()


def _tokens(text: str) -> list[str]:
    words: str = _tokenizer()(text.rstrip())
    return words.split()
