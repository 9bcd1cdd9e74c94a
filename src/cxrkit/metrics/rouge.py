"""ROUGE-L of answer sentences."""

import re
from collections.abc import Sequence

from cxrkit.metrics.counts import FloatArray, divide_or_nan
from cxrkit.metrics.token_pairs import TokenPairs

_OTHER = re.compile(r"[^a-z0-9]+")


def rouge_l_of_rows(references: Sequence[str], predictions: Sequence[str]) -> FloatArray:
    """Gives ROUGE-L F1 of each pair.

    Definition: with the longest common subsequence of words (lower case, letters and digits only, no
    stemming), F1 of its share of the reference's and of the prediction's words. Range 0..1; 0 where a
    text has no word. Source: Lin, ACL workshop 2004; equals `rouge_score` (`rougeL`, fmeasure).

    Args:
        references: N texts.
        predictions: N texts.

    Returns:
        `[N]`.

    >>> rouge_l_of_rows(["small left effusion"], ["left effusion"]).tolist()
    [0.8]
    """
    pairs = TokenPairs.of_texts(references, predictions, _words)
    reference, predicted = pairs.lengths()
    common = pairs.common_subsequences()
    recall, precision = divide_or_nan(common, reference), divide_or_nan(common, predicted)
    scores = divide_or_nan(2 * precision * recall, precision + recall)
    scores[common == 0] = 0.0
    return scores


def _words(text: str) -> list[str]:
    return _OTHER.sub(" ", text.lower()).split()
