"""Metrics of explanations against scipy, scikit-learn and painted pixels, by hand, and their edge cases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import auc

from cxrkit.metrics.explanations.attention import (
    attention_entropy,
    attention_iou,
    attention_mass,
    attention_points,
    grid_side,
    token_coverage,
)
from cxrkit.metrics.explanations.perturbation import curve_area

FINE = 60  # pixels of a painted square; divided by every grid side that is drawn below
EDGE = st.integers(-10, FINE + 10)
BOX = st.tuples(EDGE, EDGE, st.integers(1, 50), st.integers(1, 50))


@given(st.lists(BOX, max_size=5), st.sampled_from([1, 2, 3, 4, 5, 6]))
@settings(max_examples=80, deadline=None)
def test_coverage_is_that_of_painted_pixels(boxes, side):
    corners = np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], float).reshape(1, -1, 4)
    painted = np.zeros((FINE, FINE))
    for x1, y1, x2, y2 in np.clip(corners[0], 0, FINE).astype(int):
        painted[y1:y2, x1:x2] = 1
    cell = FINE // side
    expected = painted.reshape(side, cell, side, cell).mean((1, 3)).ravel()
    np.testing.assert_allclose(token_coverage(corners / FINE, side)[0], expected, atol=1e-9)


@given(st.integers(2, 50), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_entropy_is_scipys(tokens, seed):
    attention = np.random.default_rng(seed).random((3, tokens)) * [[1.0], [0.01], [1e6]]
    attention[0, tokens // 2 :] = 0
    expected = [entropy(row) / np.log(tokens) if row.sum() else np.nan for row in attention]
    np.testing.assert_allclose(attention_entropy(attention), expected, atol=1e-9)


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_area_is_scikit_learns(points, seed):
    generator = np.random.default_rng(seed)
    shares = np.r_[0.0, np.sort(generator.random(points - 2)), 1.0]
    values = generator.random((4, points))
    np.testing.assert_allclose(curve_area(shares, values), [auc(shares, row) for row in values], atol=1e-12)


def test_plausibility_by_hand():
    # The boxes cover the first token wholly and half of the second, of 5 x 5 tokens.
    coverage = token_coverage(np.array([[[0.0, 0.0, 0.3, 0.2]]]), 5)
    assert coverage[0, :3].tolist() == pytest.approx([1.0, 0.5, 0.0])
    attention = np.full((1, 25), 0.01)
    attention[0, [0, 1, 7, 8, 9]] = 0.4, 0.2, 0.1, 0.05, 0.05
    # Five tokens are a fifth: they cover 5 cells, the boxes 1.5, both 1.5.
    assert attention_iou(attention, coverage)[0] == pytest.approx(1.5 / 5)
    assert attention_mass(attention, coverage)[0] == pytest.approx((0.4 + 0.1) / 1.0)
    assert attention_points(attention, np.array([[[0.0, 0.0, 0.3, 0.2]]])).tolist() == [1.0]
    elsewhere = attention[:, ::-1].copy()
    assert attention_iou(elsewhere, coverage)[0] == 0.0
    assert attention_points(elsewhere, np.array([[[0.0, 0.0, 0.3, 0.2]]])).tolist() == [0.0]


def test_a_map_without_differences_says_nothing():
    boxes = np.array([[[0.0, 0.0, 0.5, 0.5]]])
    coverage, uniform = token_coverage(boxes, 4), np.full((1, 16), 0.02)
    assert attention_iou(uniform, coverage)[0] == pytest.approx(0.25), "the whole square is chosen"
    assert attention_mass(uniform, coverage)[0] == pytest.approx(0.25)
    assert attention_points(uniform, boxes)[0] == pytest.approx(0.25), "the chance of a random token"
    assert attention_entropy(uniform)[0] == pytest.approx(1.0)


def test_undefined_cases_are_nan():
    nowhere, box = np.zeros((1, 4)), np.array([[[0.0, 0.0, 0.5, 0.5]]])
    coverage = token_coverage(box, 2)
    for value in (
        attention_iou(nowhere, coverage),
        attention_mass(nowhere, coverage),
        attention_points(nowhere, box),
        attention_entropy(nowhere),
        attention_entropy(np.ones((1, 1))),
    ):
        assert np.isnan(value).all()
    some = np.full((1, 4), 0.25)
    outside = token_coverage(np.array([[[1.5, 1.5, 2.0, 2.0]]]), 2)
    assert np.isnan(attention_iou(some, outside)).all()
    assert np.isnan(attention_mass(some, outside)).all()
    with pytest.raises(ValueError, match="no square"):
        grid_side(50)
