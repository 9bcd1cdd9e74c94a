"""Calibration, temperature, abstention and decisions against scikit-learn, scipy and plain loops."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import minimize
from sklearn import metrics as sk

from cxrkit.metrics.abstention import error_at_coverage, risk_coverage_points, weighted_risk_area
from cxrkit.metrics.calibration import (
    adaptive_sums_of_rows,
    brier_of_rows,
    calibration_error_of_sums,
    calibration_sums_of_rows,
    mass_edges,
)
from cxrkit.metrics.ranking import rank_rows
from cxrkit.metrics.score_groups import score_groups
from cxrkit.metrics.temperature import (
    fit_distribution_temperature,
    fit_temperature,
    scale_distributions,
    scale_probabilities,
)
from cxrkit.metrics.thresholds import (
    decision_counts_of_rows,
    matthews_correlation_of_decisions,
    negative_predictive_value_of_decisions,
    positive_predictive_value_of_decisions,
)

SCORES = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.floats(0, 1))
ROWS = st.integers(1, 60).flatmap(
    lambda size: st.tuples(arrays.arrays(bool, size), arrays.arrays(float, size, elements=SCORES))
)


@given(ROWS)
def test_brier_equals_scikit_learn(rows):
    labels, scores = rows
    found = brier_of_rows(labels[:, None], scores[:, None]).mean()
    assert found == pytest.approx(sk.brier_score_loss(labels, scores, pos_label=True), abs=1e-9)


def plain_error(labels, scores, bins):
    """Expected calibration error, bin by bin."""
    total = 0.0
    for one in set(bins.tolist()):
        inside = bins == one
        total += inside.sum() * abs(scores[inside].mean() - labels[inside].mean())
    return total / len(labels)


@given(ROWS)
def test_calibration_errors_equal_plain_loops(rows):
    labels, scores = rows
    width = np.array([min(int(score * 10), 9) for score in scores])
    found = calibration_error_of_sums(calibration_sums_of_rows(labels[:, None], scores[:, None]).sum(0))
    assert found == pytest.approx(plain_error(labels, scores, width), abs=1e-9)
    edges = mass_edges(scores)
    mass = np.array([sum(score > edge for edge in edges) for score in scores])
    sums = adaptive_sums_of_rows(labels[:, None], scores[:, None], edges).sum(0)
    assert calibration_error_of_sums(sums) == pytest.approx(plain_error(labels, scores, mass), abs=1e-9)


def test_bins_of_equal_mass_hold_equally_many():
    scores = np.random.default_rng(0).random((100, 1))
    sums = adaptive_sums_of_rows(np.zeros((100, 1), bool), scores, mass_edges(scores)).sum(0)
    assert sums[:, 0].tolist() == [10.0] * 10


@given(ROWS, st.floats(0, 1))
def test_predictive_values_and_correlation_equal_scikit_learn(rows, threshold):
    labels, scores = rows
    flagged = scores >= threshold
    counts = decision_counts_of_rows(labels, flagged).sum(0)
    precision = positive_predictive_value_of_decisions(counts)
    if flagged.any():
        assert precision == pytest.approx(sk.precision_score(labels, flagged, zero_division=0), abs=1e-9)
    else:
        assert math.isnan(precision)
    negative = negative_predictive_value_of_decisions(counts)
    if not flagged.all():
        assert negative == pytest.approx(sk.precision_score(~labels, ~flagged, zero_division=0), abs=1e-9)
    else:
        assert math.isnan(negative)
    found = matthews_correlation_of_decisions(counts)
    if len(set(labels)) == len(set(flagged)) == 2:
        assert found == pytest.approx(sk.matthews_corrcoef(labels, flagged), abs=1e-9)
    else:
        assert math.isnan(found)


def plain_risk_area(wrong, confidence):
    return np.mean([wrong[confidence >= own].mean() for own in confidence])


@given(ROWS)
def test_risk_coverage_area_equals_a_plain_loop_and_weights_are_repetitions(rows):
    wrong, confidence = rows
    ranked = rank_rows(wrong, confidence)
    weights = np.stack([np.ones(len(wrong)), np.arange(len(wrong)) % 3])
    found = weighted_risk_area(ranked, ranked.order, weights)
    assert found[0] == pytest.approx(plain_risk_area(wrong, confidence), abs=1e-9)
    drawn = np.repeat(np.arange(len(wrong)), weights[1].astype(int))
    if len(drawn):
        assert found[1] == pytest.approx(plain_risk_area(wrong[drawn], confidence[drawn]), abs=1e-9)
    else:
        assert math.isnan(found[1])
    coverage, risk = risk_coverage_points(wrong, confidence)
    assert coverage[-1] == 1.0
    assert risk[-1] == pytest.approx(wrong.mean())


def test_abstaining_keeps_the_sure_ones():
    wrong, confidence = np.array([False, False, True, True]), np.array([0.9, 0.8, 0.7, 0.6])
    assert error_at_coverage(wrong, confidence, 0.5) == 0.0
    assert error_at_coverage(wrong, confidence, 1.0) == 0.5
    assert math.isnan(error_at_coverage(wrong[:0], confidence[:0], 0.5))


@given(ROWS)
def test_temperature_is_the_one_with_the_smallest_loss(rows):
    labels, scores = rows
    found = fit_temperature(labels, scores)
    if labels.all() or not labels.any():
        assert math.isnan(found)
        return
    assume(0.06 < found < 19)

    def loss(temperature):
        scaled = np.clip(scale_probabilities(scores, temperature), 1e-15, 1 - 1e-15)
        return sk.log_loss(labels, scaled)

    expected = minimize(lambda x: loss(float(np.exp(x[0]))), [0.0], method="Nelder-Mead", tol=1e-12).fun
    assert loss(found) <= expected + 1e-7


@pytest.mark.parametrize("truth", [0.5, 2.0, 4.0])
def test_a_planted_temperature_is_found_again(truth):
    generator = np.random.default_rng(1)
    honest = 1 / (1 + np.exp(-generator.normal(0, 1, 40_000)))
    labels = generator.random(40_000) < honest
    assert fit_temperature(labels, scale_probabilities(honest, 1 / truth)) == pytest.approx(truth, rel=0.05)
    logits = generator.normal(0, 0.7, (40_000, 4))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    classes = (shares.cumsum(1) < generator.random((40_000, 1))).sum(1).clip(0, 3)
    overdone = scale_distributions(shares, 1 / truth)
    assert fit_distribution_temperature(classes, overdone) == pytest.approx(truth, rel=0.05)
    np.testing.assert_allclose(scale_distributions(overdone, truth), shares, atol=1e-2)


def test_one_class_alone_has_no_temperature():
    assert math.isnan(fit_distribution_temperature(np.array([1, 1]), np.full((2, 3), 1 / 3)))


@given(ROWS)
def test_score_groups_are_a_partition(rows):
    labels, scores = rows
    groups = score_groups(labels, scores)
    assert sum(group.n for group in groups) == len(scores)
    assert sum(group.n_positive for group in groups) == labels.sum()
    assert groups[-1].up_to == 1.0
    assert all(first.up_to < second.up_to for first, second in pairwise(groups))
    assert score_groups(labels[:0], scores[:0]) == []
