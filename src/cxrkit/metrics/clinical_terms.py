"""Clinical terms in answer sentences: findings with their negation, regions and severities."""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cxrkit.metrics.counts import FloatArray
from cxrkit.vocabulary import FINDINGS, NO_FINDING, REGIONS, severity_class
from cxrkit.vocabulary.text_mentions import findings_in_text, regions_in_text

_CLAUSES = re.compile(r"[.;:!?]|,|\bbut\b|\bhowever\b|\balthough\b")
# "No significant change in the effusion" denies the change, not the effusion.
_NO_CHANGE = "(?: (?:significant|interval|appreciable|definite|major|relevant|new))* change"
_NEGATIONS = re.compile(
    rf"\b(?:no(?!{_NO_CHANGE})|not|without|nor|neither|absent|absence of|free of|negative for|rather than"
    r"|resolved)\b"
)
_NEGATED_AFTER = re.compile(r"\b(?:is|are|was|were)\s+(?:not|absent)\b|\bruled out\b|\bexcluded\b")


@lru_cache(maxsize=1 << 16)
def clinical_terms(text: str) -> frozenset[str]:
    """Gives the clinical terms of a text.

    Terms: each of the 14 findings that is named, present or absent; each of the 26 regions; the severity
    classes. Names and synonyms are those of `cxrkit.vocabulary`. A finding is absent where its clause
    (up to a full stop, comma, colon or "but") has a negation; "or" and "and" go on with it, so that "no
    effusion or edema" makes both absent; "no (significant) change" denies nothing. Not read: uncertainty
    ("may be"), history ("previously"), and negation over a clause's end.

    >>> sorted(clinical_terms("No effusion, but mild edema in the left lung."))
    ['absent Pleural Effusion', 'left lung', 'mild', 'present Edema']
    """
    terms: set[str] = set()
    for clause in _CLAUSES.split(text.lower()):
        absent = _NEGATIONS.search(clause) is not None or _NEGATED_AFTER.search(clause) is not None
        state = "absent" if absent else "present"
        terms |= {f"{state} {FINDINGS[index]}" for index in findings_in_text(clause) if index != NO_FINDING}
        terms |= {REGIONS[index] for index in regions_in_text(clause)}
        severities = (severity_class(word) for word in re.findall(r"[a-z]+", clause))
        terms |= {name for name in severities if name not in (None, "none")}
    return frozenset(terms)


def clinical_term_f1_of_rows(references: Sequence[str], predictions: Sequence[str]) -> FloatArray:
    """Gives the F1 of the clinical terms of each pair.

    Definition: 2 |shared terms| / (terms of the reference + terms of the prediction). Range 0..1; undefined
    (`nan`) where neither text has a term.

    Args:
        references: N texts.
        predictions: N texts.

    Returns:
        `[N]`.

    >>> clinical_term_f1_of_rows(["Mild edema.", "Yes."], ["Severe edema.", "No."]).tolist()
    [0.5, nan]
    """
    scores = np.full(len(references), np.nan)
    for row, texts in enumerate(zip(references, predictions, strict=True)):
        reference, predicted = (clinical_terms(text) for text in texts)
        if reference or predicted:
            scores[row] = 2 * len(reference & predicted) / (len(reference) + len(predicted))
    return scores
