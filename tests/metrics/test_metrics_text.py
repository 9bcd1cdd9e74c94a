"""Text metrics against independent computations, and their written edge cases."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrkit.metrics.text import exact_match, normalise_answer, text_scores_of_rows, token_f1

WORDS = st.lists(st.sampled_from(["yes", "no", "small", "left", "effusion", "the"]), max_size=6).map(" ".join)


@given(WORDS, WORDS)
@settings(max_examples=80, deadline=None)
def test_token_f1_is_the_harmonic_mean_of_precision_and_recall(reference, predicted):
    left, right = normalise_answer(reference).split(), normalise_answer(predicted).split()
    remaining, hits = list(left), 0
    for word in right:
        if word in remaining:
            remaining.remove(word)
            hits += 1
    if not left and not right:
        expected = 1.0
    elif hits == 0:
        expected = 0.0
    else:
        precision, recall = hits / len(right), hits / len(left)
        expected = 2 * precision * recall / (precision + recall)
    assert token_f1(reference, predicted) == pytest.approx(expected, abs=1e-12)
    assert token_f1(reference, predicted) == token_f1(predicted, reference)


def test_punctuation_case_and_articles_do_not_count():
    assert exact_match("The heart is enlarged.", "heart is  ENLARGED") == 1.0
    assert exact_match("", "") == token_f1("", "") == 1.0
    assert token_f1("", "yes") == token_f1("yes", "") == 0.0


def test_scores_of_rows_are_those_of_the_pairs():
    references, predictions = ["yes", "no effusion", "yes"], ["yes", "effusion", "yes"]
    expected = [[exact_match(a, b), token_f1(a, b)] for a, b in zip(references, predictions, strict=True)]
    assert text_scores_of_rows(references, predictions).tolist() == expected
    with pytest.raises(ValueError, match="1 references and 0 predictions"):
        text_scores_of_rows(["yes"], [])
