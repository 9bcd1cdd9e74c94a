"""BLEU-4, ROUGE-L, clinical terms and answer types against other implementations and by hand."""

import math
from collections import Counter

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import modified_precision
from rouge_score import rouge_scorer

from cxrkit.metrics.answer_types import answer_type, same_answer_type_of_rows
from cxrkit.metrics.bleu import bleu_counts_of_rows, bleu_of_counts, corpus_bleu
from cxrkit.metrics.clinical_terms import clinical_term_f1_of_rows, clinical_terms
from cxrkit.metrics.rouge import rouge_l_of_rows
from cxrkit.metrics.text import token_f1

WORDS = [
    "yes",
    "No",
    "effusion",
    "left",
    "lung",
    ".",
    ",",
    "a",
    "the",
    "x-ray",
    "5.5",
    "<b>",
    "é",
    "&amp;",
    "\n",
]
TEXT = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
    st.text(max_size=20),
    st.sampled_from(["", " ", "...", "No.", "There is a small left pleural effusion."]),
)
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=8)


@given(PAIRS)
def test_bleu_equals_sacrebleu(pairs):
    references, predictions = zip(*pairs, strict=True)
    found = corpus_bleu(references, predictions)
    if math.isnan(found):
        assert not any(bleu_counts_of_rows(references, predictions)[:, :2].sum(0))
        return
    expected = sacrebleu.corpus_bleu(list(predictions), [list(references)], force=True).score / 100
    assert found == pytest.approx(expected, abs=1e-9)


def test_bleu_of_any_choice_of_rows_needs_no_texts():
    references = ["There is a small left effusion.", "No acute disease is seen.", "It is mild."]
    predictions = ["There is a left effusion.", "No acute abnormality is seen.", "It is severe."]
    sums = bleu_counts_of_rows(references, predictions)
    weights = np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]])
    found = bleu_of_counts(weights @ sums.astype(float))
    for line, value in zip(weights, found, strict=True):
        drawn = [row for row, times in enumerate(line) for _ in range(times)]
        expected = sacrebleu.corpus_bleu([predictions[i] for i in drawn], [[references[i] for i in drawn]])
        assert value == pytest.approx(expected.score / 100, abs=1e-9)


@given(PAIRS)
def test_shared_ngrams_equal_nltk(pairs):
    references, predictions = zip(*pairs, strict=True)
    from cxrkit.metrics.token_pairs import TokenPairs

    found = TokenPairs.of_texts(references, predictions, str.split).shared_ngrams(3)
    for row, (reference, predicted) in enumerate(pairs):
        for order in range(1, 4):
            share = modified_precision([reference.split()], predicted.split(), order)
            count = max(len(predicted.split()) - order + 1, 0)
            assert found[row, order - 1] == round(float(share) * max(count, 1)) if count else 0 == 0


@given(PAIRS)
def test_rouge_equals_rouge_score(pairs):
    references, predictions = zip(*pairs, strict=True)
    found = rouge_l_of_rows(references, predictions)
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    expected = [scorer.score(*pair)["rougeL"].fmeasure for pair in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(TEXT, TEXT)
def test_token_f1_equals_plain_counting(reference, predicted):
    """By the formula of SQuAD's evaluation script, from its own normalisation written out."""
    import re
    import string

    def tokens(text):
        text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    gold, guess = tokens(reference), tokens(predicted)
    same = sum((Counter(gold) & Counter(guess)).values())
    if not gold or not guess:
        expected = float(gold == guess)
    else:
        precision, recall = same / len(guess), same / len(gold)
        expected = 2 * precision * recall / (precision + recall) if same else 0.0
    assert token_f1(reference, predicted) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("No effusion or edema.", {"absent Pleural Effusion", "absent Edema"}),
        ("No effusion, but edema.", {"absent Pleural Effusion", "present Edema"}),
        ("The heart is enlarged; enlarged heart.", {"cardiac silhouette", "present Cardiomegaly"}),
        ("Moderate left pleural effusion", {"moderate", "present Pleural Effusion"}),
        ("Yes.", set()),
        ("", set()),
        ("Pneumothorax was ruled out.", {"absent Pneumothorax"}),
        ("Knot in the left lung", {"left lung"}),
    ],
)
def test_clinical_terms(text, terms):
    assert set(clinical_terms(text)) >= terms
    assert not terms or len(clinical_terms(text)) <= len(terms) + 1
    assert terms or not clinical_terms(text)


def test_clinical_term_f1():
    found = clinical_term_f1_of_rows(
        ["Edema.", "No edema.", "Yes.", "Edema."], ["Edema.", "Edema.", "No.", "Yes."]
    )
    np.testing.assert_array_equal(found, [1.0, 0.0, math.nan, 0.0])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Yes, there is.", "yes"),
        ("No", "no"),
        ("No, it is not seen.", "no"),
        ("No effusion.", "nothing"),
        ("Nothing abnormal is seen.", "nothing"),
        ("In the left lung.", "region"),
        ("It is moderate.", "severity"),
        ("There is edema in the left lung.", "finding"),
        ("", "other"),
        ("1234", "other"),
    ],
)
def test_answer_types(text, kind):
    assert answer_type(text) == kind


def test_answer_type_accuracy_of_rows():
    found = same_answer_type_of_rows(["Yes.", "Edema.", ""], ["Yes, there is.", "Left lung.", "???"])
    assert found.tolist() == [1.0, 0.0, 1.0]
