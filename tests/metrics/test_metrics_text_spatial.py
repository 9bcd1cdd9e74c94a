"""Text and box metrics against independent computations, and their written edge cases."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from cxrkit.metrics.spatial import iou_matrices, iou_matrix, matched_mean_iou, points_at_reference
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
    with pytest.raises(ValueError, match="argument"):
        text_scores_of_rows(["yes"], [])


def _boxes(generator, count):
    corner = generator.random((count, 2)) * 50
    return np.concatenate([corner, corner + 5 + generator.random((count, 2)) * 40], axis=1)


def test_iou_equals_torchvision():
    generator = np.random.default_rng(0)
    first, second = _boxes(generator, 7), _boxes(generator, 5)
    expected = box_iou(torch.from_numpy(first), torch.from_numpy(second)).numpy()
    np.testing.assert_allclose(iou_matrix(first, second), expected, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_matching_is_the_best_of_all_permutations(seed):
    generator = np.random.default_rng(seed)
    reference, predicted = _boxes(generator, 1 + seed % 4), _boxes(generator, 1 + seed % 3)
    few, many = sorted((reference, predicted), key=len)
    overlaps = iou_matrix(few, many)
    best = max(
        overlaps[range(len(few)), list(chosen)].sum()
        for chosen in itertools.permutations(range(len(many)), len(few))
    )
    assert matched_mean_iou(iou_matrix(reference, predicted)) == pytest.approx(best / len(many), abs=1e-12)


def test_matching_does_not_depend_on_order_where_greedy_would():
    reference = np.array([[0.0, 0, 10, 10], [0, 0, 10, 6]])
    predicted = np.array([[0.0, 0, 10, 8], [0, 0, 10, 10]])
    first = matched_mean_iou(iou_matrix(reference, predicted))
    assert first == pytest.approx(matched_mean_iou(iou_matrix(reference[::-1], predicted)))
    assert first == pytest.approx((1.0 + 6 / 8) / 2)


def test_empty_box_sets_have_written_values():
    none, one = np.empty((0, 4)), np.array([[0.0, 0, 2, 2]])
    assert matched_mean_iou(iou_matrix(none, none)) == 1.0
    assert matched_mean_iou(iou_matrix(one, none)) == matched_mean_iou(iou_matrix(none, one)) == 0.0
    assert not points_at_reference(iou_matrix(one, none), np.empty(0))
    assert iou_matrices(none, np.zeros(1, np.int64), none, np.zeros(1, np.int64)) == []


def test_pointing_takes_the_box_with_the_highest_score():
    reference = np.array([[0.0, 0, 10, 10]])
    overlaps = iou_matrix(reference, np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]]))
    assert points_at_reference(overlaps, np.array([0.9, 0.2]))
    assert not points_at_reference(overlaps, np.array([0.2, 0.9]))
    half = iou_matrix(reference, np.array([[0.0, 0, 10, 5]]))
    assert not points_at_reference(half, np.array([1.0])), "IoU of exactly 0.5 is not above 0.5"


def test_matrices_of_many_questions_are_those_of_each():
    generator = np.random.default_rng(2)
    references = [_boxes(generator, count) for count in (2, 0, 3, 0, 1)]
    predictions = [_boxes(generator, count) for count in (1, 2, 0, 0, 4)]
    starts = [np.cumsum([0, *map(len, boxes)]) for boxes in (references, predictions)]
    together = iou_matrices(np.concatenate(references), starts[0], np.concatenate(predictions), starts[1])
    for matrix, reference, predicted in zip(together, references, predictions, strict=True):
        np.testing.assert_array_equal(matrix, iou_matrix(reference, predicted))
