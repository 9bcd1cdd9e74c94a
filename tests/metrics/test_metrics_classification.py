"""Metrics of classes and sets against scikit-learn, and their written edge cases."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from cxrkit.metrics import classification as ours

CLASSES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[hnp.arrays(np.int64, n, elements=st.integers(0, 3)) for _ in range(2)])
)
SETS = st.tuples(st.integers(1, 20), st.integers(1, 5)).flatmap(
    lambda shape: st.tuples(*[hnp.arrays(np.bool_, shape) for _ in range(2)])
)
SCORED = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.bool_, n), hnp.arrays(np.float64, n, elements=st.integers(0, 6).map(lambda v: v / 6))
    )
)


@given(CLASSES)
@settings(max_examples=80, deadline=None)
def test_single_label_metrics_equal_scikit_learn(pair):
    reference, predicted = pair
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = sk.balanced_accuracy_score(reference, predicted)
        macro = sk.f1_score(
            reference, predicted, average="macro", labels=np.unique(reference), zero_division=0
        )
    assert float(ours.accuracy(reference, predicted)) == pytest.approx(
        sk.accuracy_score(reference, predicted), abs=1e-12
    )
    assert float(ours.balanced_accuracy(reference, predicted)) == pytest.approx(balanced, abs=1e-12)
    assert float(ours.macro_f1(reference, predicted)) == pytest.approx(macro, abs=1e-12)


@given(SETS)
@settings(max_examples=80, deadline=None)
def test_set_metrics_equal_scikit_learn(pair):
    reference, predicted = pair
    exact = np.mean([tuple(a) == tuple(b) for a, b in zip(reference, predicted, strict=True)])
    assert float(ours.exact_set_match(reference, predicted)) == pytest.approx(exact, abs=1e-12)
    sets = [({*np.flatnonzero(a)}, {*np.flatnonzero(b)}) for a, b in zip(reference, predicted, strict=True)]
    by_hand = np.mean([len(a & b) / len(a | b) if a | b else 1.0 for a, b in sets])
    assert float(ours.jaccard(reference, predicted)) == pytest.approx(by_hand, abs=1e-12)
    micro = ours.micro_f1_over_sets(reference, predicted)
    if not (reference | predicted).any():
        assert not micro.defined
        return
    if reference.shape[1] > 1:
        expected = sk.f1_score(reference, predicted, average="micro", zero_division=0)
        assert float(micro) == pytest.approx(expected, abs=1e-12)
        samples = sk.jaccard_score(reference, predicted, average="samples", zero_division=1)
        assert float(ours.jaccard(reference, predicted)) == pytest.approx(samples, abs=1e-12)
    present = np.flatnonzero(reference.any(0))
    macro = ours.macro_f1_over_sets(reference, predicted)
    assert macro.num_classes == len(present)
    if len(present):
        per_class = [sk.f1_score(reference[:, c], predicted[:, c], zero_division=0) for c in present]
        assert float(macro) == pytest.approx(np.mean(per_class), abs=1e-12)


@given(SCORED)
@settings(max_examples=120, deadline=None)
def test_ranking_metrics_equal_scikit_learn_with_ties(pair):
    labels, scores = pair
    area = ours.auroc(labels, scores)
    if labels.all() or not labels.any():
        assert np.isnan(area.value)
        assert "only" in area.undefined_reason
    else:
        assert area.value == pytest.approx(sk.roc_auc_score(labels, scores), abs=1e-12)
    precision = ours.average_precision(labels, scores)
    if labels.any():
        assert precision.value == pytest.approx(sk.average_precision_score(labels, scores), abs=1e-12)
    else:
        assert "no positive" in precision.undefined_reason


@given(CLASSES)
@settings(max_examples=40, deadline=None)
def test_sensitivity_and_specificity_equal_recall_of_each_side(pair):
    reference, predicted = pair[0] > 1, pair[1] > 1
    for metric, side in ((ours.sensitivity, reference), (ours.specificity, ~reference)):
        decided = predicted if metric is ours.sensitivity else ~predicted
        score = metric(reference, predicted)
        assert score.defined == bool(side.any())
        if side.any():
            assert score.value == pytest.approx(sk.recall_score(side, decided), abs=1e-12)


def test_macro_auroc_leaves_out_classes_with_one_value_and_says_how_many_remain():
    generator = np.random.default_rng(3)
    labels = generator.random((60, 4)) < 0.4
    labels[:, 1], labels[:, 3] = False, True
    scores = generator.random((60, 4))
    score = ours.macro_auroc(labels, scores)
    expected = np.mean([sk.roc_auc_score(labels[:, c], scores[:, c]) for c in (0, 2)])
    assert score.num_classes == 2
    assert score.value == pytest.approx(expected, abs=1e-12)
    precision = ours.mean_average_precision_over_classes(labels, scores)
    assert precision.num_classes == 3
    expected = np.mean([sk.average_precision_score(labels[:, c], scores[:, c]) for c in (0, 2, 3)])
    assert precision.value == pytest.approx(expected, abs=1e-12)


def test_nothing_to_score_is_undefined_with_a_reason():
    none, empty = np.empty(0, np.int64), np.empty((0, 3), bool)
    for score in (
        ours.accuracy(none, none),
        ours.balanced_accuracy(none, none),
        ours.auroc(none.astype(bool), none.astype(float)),
        ours.exact_set_match(empty, empty),
        ours.jaccard(empty, empty),
        ours.macro_auroc(empty, empty.astype(float)),
    ):
        assert np.isnan(score.value)
        assert score.undefined_reason


def test_auroc_uses_scores_not_decided_classes():
    labels = np.array([False, False, True, True])
    scores = np.array([0.1, 0.2, 0.3, 0.4])
    assert float(ours.auroc(labels, scores)) == 1.0
    assert float(ours.auroc(labels, (scores > 0.5).astype(float))) == 0.5
