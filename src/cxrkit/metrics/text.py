"""Metrics of answer sentences: exact match and token F1.

Words are compared after the normalisation of SQuAD (Rajpurkar et al., EMNLP 2016): lower case, no
punctuation, no articles, single blanks.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

import numpy as np

from cxrkit.metrics.counts import FloatArray
from cxrkit.metrics.token_pairs import TokenPairs

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise_answer(text: str) -> str:
    """Gives the text in lower case without punctuation and articles, words parted by one blank.

    >>> normalise_answer("Yes, there is a  small effusion.")
    'yes there is small effusion'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(reference: str, predicted: str) -> float:
    """Gives 1 when both texts are equal after normalisation, else 0.

    >>> exact_match("No effusion.", "no effusion"), exact_match("No.", "Yes.")
    (1.0, 0.0)
    """
    return float(normalise_answer(reference) == normalise_answer(predicted))


def token_f1(reference: str, predicted: str) -> float:
    """Gives the F1 of the words both texts share, each word counted as often as it occurs; 0..1.

    Two texts without words count 1, one beside a text with words counts 0.

    >>> token_f1("small left effusion", "left effusion")
    0.8
    """
    reference_words, predicted_words = (
        normalise_answer(reference).split(),
        normalise_answer(predicted).split(),
    )
    if not reference_words and not predicted_words:
        return 1.0
    shared = (Counter(reference_words) & Counter(predicted_words)).total()
    return 2 * shared / (len(reference_words) + len(predicted_words))


def text_scores_of_rows(references: Sequence[str], predictions: Sequence[str]) -> FloatArray:
    """Gives exact match and token F1 of each pair; each different text is read once.

    Args:
        references: N answers.
        predictions: N answers.

    Returns:
        `[N, 2]`: exact match, token F1.

    Raises:
        ValueError: when the lengths differ.

    >>> text_scores_of_rows(["yes"], ["Yes."]).tolist()
    [[1.0, 1.0]]
    """
    normalised: dict[str, str] = {text: normalise_answer(text) for text in {*references, *predictions}}
    first = [normalised[text] for text in references]
    second = [normalised[text] for text in predictions]
    pairs = TokenPairs.of_texts(first, second, str.split)
    reference, predicted = pairs.lengths()
    shared, total = pairs.shared_ngrams(1)[:, 0], reference + predicted
    equal = np.array([one == other for one, other in zip(first, second, strict=True)], float)
    f1 = np.divide(2.0 * shared, total, out=np.ones(len(first)), where=total > 0)
    return np.stack([equal, f1], axis=1)
