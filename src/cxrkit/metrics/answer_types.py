"""What kind of answer a sentence gives: yes or no, findings, places, a severity, nothing abnormal."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cxrkit.metrics.clinical_terms import clinical_terms
from cxrkit.metrics.counts import FloatArray
from cxrkit.vocabulary import REGIONS, SEVERITIES

ANSWER_TYPES = ("yes", "no", "finding", "nothing", "severity", "region", "other")
_YES_NO = re.compile(r"^\W*(yes|no)\b(?!\s+\w)")
_NOTHING = re.compile(
    r"\b(?:normal|unremarkable|clear|nothing|none|nowhere|not seen"
    r"|no (?:acute|abnormal\w*|finding\w*|device\w*))\b"
)


@lru_cache(maxsize=1 << 16)
def answer_type(text: str) -> str:
    """Gives the kind of an answer, one of `ANSWER_TYPES`.

    In this order: it begins with yes or no followed by a punctuation mark or nothing; it names a finding
    that is present; it says that nothing is there, or names only absent findings; it names a severity; it
    names a region; other.

    >>> [answer_type(text) for text in ("Yes, an effusion.", "Edema.", "No edema.", "It is mild.", "Maybe.")]
    ['yes', 'finding', 'nothing', 'severity', 'other']
    """
    begins = _YES_NO.match(text.lower())
    if begins:
        return begins.group(1)
    terms = clinical_terms(text)
    if any(term.startswith("present ") for term in terms):
        return "finding"
    if _NOTHING.search(text.lower()) or any(term.startswith("absent ") for term in terms):
        return "nothing"
    if terms & set(SEVERITIES):
        return "severity"
    return "region" if terms & set(REGIONS) else "other"


def same_answer_type_of_rows(references: Sequence[str], predictions: Sequence[str]) -> FloatArray:
    """Gives 1 where both texts are of one kind of answer, else 0; see `answer_type`.

    The mean over questions is the semantic answer-type accuracy, 0..1.

    Args:
        references: N texts.
        predictions: N texts.

    Returns:
        `[N]`.

    >>> same_answer_type_of_rows(["Yes, there is.", "In the left lung."], ["No.", "Left lung."]).tolist()
    [0.0, 1.0]
    """
    pairs = zip(references, predictions, strict=True)
    return np.array(
        [answer_type(reference) == answer_type(predicted) for reference, predicted in pairs], float
    )
