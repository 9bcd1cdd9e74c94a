"""Paired tests against scipy, statsmodels and a DeLong test written from the definition."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from cxrkit.metrics.multiple_testing import bonferroni, holm
from cxrkit.metrics.paired import cohens_d, delong, mcnemar, paired_t

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
PAIRS = st.integers(0, 60).flatmap(
    lambda size: st.tuples(*(arrays.arrays(bool, size, elements=st.booleans()) for _ in range(2)))
)
VALUES = st.integers(2, 30).flatmap(
    lambda size: st.tuples(*(arrays.arrays(float, size, elements=st.integers(-5, 5)) for _ in range(2)))
)


@given(PAIRS, st.booleans())
def test_mcnemar_equals_statsmodels(pair, exact):
    first, second = pair
    found = mcnemar(first, second, exact=exact)
    if len(first) == 0:
        assert found.undefined_reason == "no rows"
        return
    table = [
        [(first & second).sum(), (first & ~second).sum()],
        [(~first & second).sum(), (~first & ~second).sum()],
    ]
    if (first == second).all():
        assert found.p_value == 1.0
        return
    expected = statsmodels_mcnemar(table, exact=exact, correction=True)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)


def test_mcnemar_is_exact_where_few_rows_differ():
    first = np.r_[np.ones(24, bool), np.zeros(10, bool)]
    second = np.zeros(34, bool)
    assert mcnemar(first, second) == mcnemar(first, second, exact=True)
    first[24] = True
    assert mcnemar(first, second) == mcnemar(first, second, exact=False)


def plain_delong(labels, first, second):
    """By pairs, as in the paper."""

    def components(scores):
        win = [[1.0 if p > n else 0.5 if p == n else 0.0 for n in scores[~labels]] for p in scores[labels]]
        win = np.array(win)
        return win.mean(1), win.mean(0), win.mean()

    v10, v01, areas = zip(*(components(scores) for scores in (first, second)), strict=True)
    covariance = np.cov(v10) / labels.sum() + np.cov(v01) / (~labels).sum()
    contrast = np.array([1, -1])
    z = (areas[0] - areas[1]) / math.sqrt(contrast @ covariance @ contrast)
    return z, 2 * stats.norm.sf(abs(z))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("ties", [False, True])
def test_delong_equals_the_definition(seed, ties):
    generator = np.random.default_rng(seed)
    labels = generator.random(70) < 0.3
    first, second = labels + generator.normal(size=70), 0.5 * labels + generator.normal(size=70)
    if ties:
        first, second = np.round(first), np.round(second)
    found = delong(labels, first, second)
    z, p_value = plain_delong(labels, first, second)
    assert found.statistic == pytest.approx(z, abs=1e-9)
    assert found.p_value == pytest.approx(p_value, abs=1e-9)
    assert np.sign(z) == np.sign(roc_auc_score(labels, first) - roc_auc_score(labels, second))
    assert delong(labels, second, first).p_value == pytest.approx(found.p_value, abs=1e-12)


def test_delong_where_it_has_no_value():
    labels = np.array([True, True, False, False])
    scores = np.array([0.9, 0.8, 0.2, 0.1])
    assert delong(labels, scores, scores) == delong(labels, scores, scores * 2)
    assert delong(labels, scores, scores).p_value == 1.0
    assert "no variance" in delong(labels, scores, -scores).undefined_reason
    assert "1 positive" in delong(np.array([True, False, False]), scores[:3], scores[:3]).undefined_reason


@given(VALUES)
def test_t_and_d_equal_scipy_and_the_formula(pair):
    first, second = pair
    found = paired_t(first, second)
    differences = first - second
    if differences.std(ddof=1) == 0:
        assert found.p_value == 1.0 or found.undefined_reason == "all patients have the same difference"
        return
    expected = stats.ttest_rel(first, second)
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert cohens_d(first, second) == pytest.approx(expected.statistic / math.sqrt(len(first)), abs=1e-9)


def test_t_and_d_of_no_spread():
    same = np.array([1.0, 2.0, 3.0])
    assert paired_t(same, same).p_value == 1.0
    assert cohens_d(same, same) == 0.0
    assert paired_t(same + 1, same).undefined_reason == "all patients have the same difference"
    assert math.isnan(cohens_d(same + 1, same))
    assert "two are needed" in paired_t(same[:1], same[:1]).undefined_reason
    assert math.isnan(cohens_d(same[:1], same[:1]))


@given(P_VALUES)
def test_adjusted_p_values_equal_statsmodels(values):
    p_values = np.array(values)
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], atol=1e-9)
    np.testing.assert_allclose(
        bonferroni(p_values), multipletests(p_values, method="bonferroni")[1], atol=1e-9
    )


def test_what_was_no_test_does_not_count():
    p_values = np.array([0.01, math.nan, 0.04])
    assert holm(p_values)[[0, 2]].tolist() == [0.02, 0.04]
    assert bonferroni(p_values)[[0, 2]].tolist() == [0.02, 0.08]
    assert math.isnan(holm(p_values)[1])
    assert math.isnan(bonferroni(p_values)[1])
    assert holm(np.array([])).tolist() == []
