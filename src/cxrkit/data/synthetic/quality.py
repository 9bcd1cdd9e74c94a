"""Quality levels and ratings, as in MIMIC-Ext-CXR-QBA: larger is better, the worst criterion decides.

The names and the best rating that each level allows follow the data set's page; the integers of the
criteria of the language-model judge are not public and are invented here.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

RATINGS: tuple[str, ...] = ("0_", "1_D", "2_C", "3_B", "4_A", "5_A+", "6_A++")
UNRATED, RATING_D, RATING_C, RATING_B, RATING_A, RATING_A_PLUS, RATING_A_PLUS_PLUS = range(7)
_GRADES = {rating.partition("_")[2]: number for number, rating in enumerate(RATINGS)}

Levels = tuple[tuple[str, str], ...]
EXTRACTION_LEVELS: Mapping[str, Levels] = MappingProxyType(
    {
        "region_extract_quality": (
            ("NO_REGIONS", "B"),
            ("DEFAULT_REGIONS_ONLY", "B"),
            ("CONTAINS_DEFAULT_REGIONS", "A"),
            ("CONTAINS_NON_RESOLVED_REGIONS", "A"),
            ("RESOLVED_REGIONS_ONLY", "A++"),
        ),
        "entity_extract_quality": (
            ("NO_ENTITIES", "B"),
            ("CONTAINS_NON_RESOLVED_ENTITIES", "A"),
            ("RESOLVED_ENTITIES_ONLY", "A++"),
        ),
        "sentence_name_quality": (
            ("CHANGE_IN_SENTENCE_OR_NAME", "B"),
            ("UNDERSCORES_IN_SENTENCE_OR_NAME", "A"),
            ("NO_ISSUES", "A++"),
        ),
        "change_quality": (
            ("CHANGE_SENTENCE_REMOVED", "B"),
            ("UNDERSCORES_IN_CHANGE_SENTENCE", "A"),
            ("CONTAINS_NON_RESOLVED_CHANGES", "A"),
            ("NO_ISSUES", "A++"),
        ),
        "general_issue_level": (
            ("DISCARDED", "D"),
            ("NON_INTERPRETABLE", "C"),
            ("MOSTLY_INTERPRETABLE", "B"),
            ("IGNORABLE", "A"),
            ("FIXABLE", "A+"),
            ("NO_ISSUES", "A++"),
        ),
        "localization_quality": (
            ("NO_LOCALIZATION", "B"),
            ("FALLBACK_LOCALIZATION", "B"),
            ("INCOMPLETE_LOCALIZATION", "A"),
            ("BBOX_LOCALIZATION", "A++"),
            ("BBOX_AND_MASK_LOCALIZATION", "A++"),
        ),
    }
)
JUDGE_LEVELS: Mapping[str, Levels] = MappingProxyType(
    {
        "entailment": (
            ("NON_ALIGNED_CONTRADICTING", "D"),
            ("NON_ALIGNED_MISLEADING", "C"),
            ("NON_ALIGNED_NON_INFERABLE", "B"),
            ("ALIGNED_GENERAL_STATEMENT", "A"),
            ("ALIGNED_NEGATIVE_NOT_MENTIONED", "A"),
            ("ALIGNED_INFERABLE", "A++"),
            ("ALIGNED_MENTIONED", "A++"),
        ),
        "relevance": (
            ("IRRELEVANT_INFO", "A"),
            ("REDUNDANT_INFO", "A"),
            ("RELATED_INFO", "A+"),
            ("RELEVANT_MAIN_ANSWER", "A++"),
        ),
        "completeness": (
            ("INCOMPLETE_MISLEADING", "C"),
            ("INCOMPLETE_NON_MISLEADING", "B"),
            ("NOT_ANSWERED", "B"),
            ("DETAILS_MISSING", "A+"),
            ("FULLY_COMPLETE", "A++"),
        ),
        "question_clarity": (
            ("UNANSWERABLE", "C"),
            ("UNRELATED_TO_CHEST_XRAY", "B"),
            ("UNCLEAR_QUESTION", "B"),
            ("GRAMMATICAL_ERRORS", "A"),
            ("UNUSUAL_SENTENCE_STRUCTURE", "A"),
            ("OPTIMAL", "A++"),
        ),
        "answer_clarity": (
            ("NOT_UNDERSTANDABLE", "C"),
            ("UNCLEAR_ANSWER", "B"),
            ("GRAMMATICAL_ERRORS", "A"),
            ("UNUSUAL_SENTENCE_STRUCTURE", "A"),
            ("OPTIMAL", "A++"),
        ),
    }
)
_CAPS = {
    criterion: tuple(_GRADES[grade] for _, grade in levels)
    for criterion, levels in (*EXTRACTION_LEVELS.items(), *JUDGE_LEVELS.items())
}
_STUDY_SHARES = (0.0, 0.066, 0.028, 0.894, 0.010, 0.0004, 0.0016)
# Chances of the judge's rating; those of question ratings come near to the published ones.
_JUDGE_CUMULATED = np.cumsum((0.196, 0.013, 0.017, 0.56, 0.140, 0.032, 0.042))
_STUDY_CUMULATED = np.cumsum(_STUDY_SHARES)
_WORST_ENTAILMENT = {RATING_D: 0, RATING_C: 1, RATING_B: 2}


def rating_cap(levels: Mapping[str, int]) -> int:
    """Gives the best rating, 1 to 6, that a set of criterion levels allows.

    >>> rating_cap({"region_extract_quality": 1, "localization_quality": 4})
    3
    """
    return min(_CAPS[criterion][level] for criterion, level in levels.items())


def draw_rating(rng: np.random.Generator, levels: Mapping[str, int]) -> int:
    """Draws the judge's rating, 0 for none, and gives it or the levels' cap, whichever is worse."""
    judged = int(np.searchsorted(_JUDGE_CUMULATED, rng.random()))
    return min(judged, rating_cap(levels), RATING_A_PLUS_PLUS)


def draw_study_rating(rng: np.random.Generator) -> str:
    """Draws a study's extraction rating with the published shares (most are `3_B`)."""
    return RATINGS[min(int(np.searchsorted(_STUDY_CUMULATED, rng.random())), RATING_A_PLUS_PLUS)]


def question_quality(rating: int) -> dict[str, int | str]:
    """Gives a question's quality record; the criteria agree with the rating, unrated ones have none."""
    if rating == UNRATED:
        return {"rating": RATINGS[rating]}
    completeness = {RATING_D: 0, RATING_C: 0, RATING_B: 1, RATING_A_PLUS: 3}.get(rating, 4)
    clarity = 4 if rating == RATING_A else 5
    return {"completeness": completeness, "question_clarity": clarity, "rating": RATINGS[rating]}


def answer_quality(rating: int, from_report: bool, is_related: bool) -> dict[str, int | str]:
    """Gives an answer's quality record; the criteria agree with the rating, unrated ones have none."""
    if rating == UNRATED:
        return {"rating": RATINGS[rating]}
    entailment = _WORST_ENTAILMENT.get(rating, 6 if from_report else 5)
    clarity = 3 if rating == RATING_A else 4
    relevance = 2 if is_related or rating == RATING_A_PLUS else 3
    return {
        "entailment": entailment,
        "relevance": relevance,
        "answer_clarity": clarity,
        "rating": RATINGS[rating],
    }
