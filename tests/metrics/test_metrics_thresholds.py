"""Thresholds and decisions against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from cxrkit.metrics.thresholds import best_f1_threshold, log_loss_of_rows

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=40)


@given(ROWS)
def test_no_other_threshold_has_a_higher_f1(rows):
    labels, scores = np.array([label for label, _ in rows]), np.array([score / 20 for _, score in rows])
    threshold = best_f1_threshold(labels, scores)
    if not labels.any():
        assert np.isnan(threshold)
        return
    best = sk.f1_score(labels, scores >= threshold)
    assert best == pytest.approx(max(sk.f1_score(labels, scores >= level) for level in np.unique(scores)))


def test_equal_scores_stay_together_although_their_last_digits_differ():
    labels, scores = np.array([True, False, True]), np.array([0.23, 0.23 + 1e-9, 0.23 - 1e-9])
    assert best_f1_threshold(labels, scores) == 0.0


def test_of_equally_good_thresholds_the_highest_is_taken():
    labels, scores = np.array([True, False, False, True]), np.array([0.9, 0.5, 0.4, 0.3])
    assert sk.f1_score(labels, scores >= 0.3) == sk.f1_score(labels, scores >= 0.9)
    assert best_f1_threshold(labels, scores) == pytest.approx(0.7)


def test_log_loss_equals_scikit_learn_and_is_finite_at_certainty():
    generator = np.random.default_rng(0)
    labels, scores = generator.random((50, 3)) < 0.3, generator.random((50, 3))
    expected = np.mean([sk.log_loss(labels[:, c], scores[:, c]) for c in range(3)])
    assert log_loss_of_rows(labels, scores).mean() == pytest.approx(expected)
    assert np.isfinite(log_loss_of_rows(np.array([[True]]), np.array([[0.0]]))).all()
