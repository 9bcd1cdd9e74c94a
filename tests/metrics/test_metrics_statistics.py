"""The patient bootstrap against plain loops over drawn patients, and its coverage."""

import numpy as np
import pytest
from sklearn import metrics as sk

from cxrkit.metrics import counts
from cxrkit.metrics.ranking import weighted_auroc, weighted_average_precision
from cxrkit.metrics.statistics import (
    MeanStatistic,
    PatientResamples,
    RankStatistic,
    SumStatistic,
    patient_bootstrap,
    percentile_interval,
)


@pytest.fixture
def rows():
    generator = np.random.default_rng(5)
    patients = np.sort(generator.integers(100, 130, 200))
    generator.shuffle(patients)
    reference, predicted = generator.integers(0, 3, (2, 200))
    return patients, reference, predicted, np.round(generator.random(200), 1)


def _drawn_rows(resamples, number, patients):
    """The rows of one resample, written out patient by patient."""
    drawn = np.repeat(resamples.patients, resamples.weights[number])
    return np.concatenate([np.flatnonzero(patients == patient) for patient in drawn])


def test_every_resample_draws_as_many_patients_as_there_are(rows):
    resamples = PatientResamples.draw(rows[0], 50, np.random.default_rng(0))
    assert (resamples.weights.sum(1) == len(np.unique(rows[0]))).all()
    again = PatientResamples.draw(rows[0][::-1], 50, np.random.default_rng(0))
    assert (again.weights == resamples.weights).all()


def test_replicates_equal_metrics_of_the_drawn_rows(rows):
    patients, reference, predicted, scores = rows
    resamples = PatientResamples.draw(patients, 12, np.random.default_rng(1))
    confusion = counts.confusion_of_rows(reference, predicted, 3)
    labels = reference == 1
    built = {
        "accuracy": SumStatistic.of_rows(confusion, patients, resamples, counts.accuracy_of_confusion),
        "balanced": SumStatistic.of_rows(
            confusion, patients, resamples, counts.balanced_accuracy_of_confusion
        ),
        "f1": SumStatistic.of_rows(confusion, patients, resamples, counts.macro_f1_of_confusion),
        "auroc": RankStatistic.of_rows(labels, scores, patients, resamples, weighted_auroc),
        "ap": RankStatistic.of_rows(labels, scores, patients, resamples, weighted_average_precision),
    }
    results = {name: patient_bootstrap(statistic, resamples) for name, statistic in built.items()}
    cases = [np.arange(len(patients)), *(_drawn_rows(resamples, number, patients) for number in range(12))]
    for number, chosen in enumerate(cases):
        truth, guess = reference[chosen], predicted[chosen]
        expected = {
            "accuracy": sk.accuracy_score(truth, guess),
            "balanced": sk.balanced_accuracy_score(truth, guess),
            "f1": sk.f1_score(truth, guess, average="macro"),
            "auroc": sk.roc_auc_score(labels[chosen], scores[chosen]),
            "ap": sk.average_precision_score(labels[chosen], scores[chosen]),
        }
        for name, value in expected.items():
            got = results[name].value if number == 0 else results[name].replicates[number - 1]
            assert got == pytest.approx(value, abs=1e-12), name


def test_mean_statistic_averages_what_is_defined(rows):
    patients, reference, _, scores = rows
    resamples = PatientResamples.draw(patients, 20, np.random.default_rng(1))
    parts = tuple(
        RankStatistic.of_rows(reference == value, scores, patients, resamples, weighted_auroc)
        for value in (0, 1, 9)
    )
    singles = [patient_bootstrap(part, resamples) for part in parts]
    mean = patient_bootstrap(MeanStatistic(parts), resamples)
    assert np.isnan(singles[2].value)
    assert mean.value == pytest.approx((singles[0].value + singles[1].value) / 2)
    np.testing.assert_allclose(mean.replicates, (singles[0].replicates + singles[1].replicates) / 2)
    assert np.isnan(patient_bootstrap(MeanStatistic(()), resamples).value)


def test_paired_difference_is_narrower_than_the_intervals_of_its_parts():
    generator = np.random.default_rng(2)
    patients = np.repeat(np.arange(80), 10)
    skill = np.repeat(generator.random(80), 10)
    good = generator.random(800) < 0.2 + 0.6 * skill
    better = good | (generator.random(800) < 0.1)
    resamples = PatientResamples.draw(patients, 500, generator)

    def boot(right):
        values = np.stack([right, np.ones(800)], axis=1).astype(float)
        return patient_bootstrap(
            SumStatistic.of_rows(values, patients, resamples, counts.ratio_of_sums), resamples
        )

    difference = boot(better).minus(boot(good))
    low, high = difference.interval()
    assert difference.value == pytest.approx(better.mean() - good.mean())
    assert 0 < low < difference.value < high
    single = boot(good).interval()
    assert high - low < 0.5 * (single[1] - single[0])


def test_a_metric_that_hangs_on_one_patient_has_no_interval():
    patients = np.arange(30)
    labels = patients == 7
    resamples = PatientResamples.draw(patients, 300, np.random.default_rng(0))
    statistic = RankStatistic.of_rows(labels, np.linspace(0, 1, 30), patients, resamples, weighted_auroc)
    result = patient_bootstrap(statistic, resamples)
    assert not np.isnan(result.value)
    assert 0.2 < np.isnan(result.replicates).mean() < 0.5
    assert result.interval() is None


def test_intervals_without_data_are_none():
    resamples = PatientResamples.draw(np.empty(0, np.int64), 10, np.random.default_rng(0))
    statistic = SumStatistic.of_rows(np.empty((0, 2)), np.empty(0, np.int64), resamples, counts.ratio_of_sums)
    result = patient_bootstrap(statistic, resamples)
    assert np.isnan(result.value)
    assert result.interval() is None
    assert percentile_interval(np.empty(0)) is None
    with pytest.raises(ValueError, match="not among"):
        resamples.positions(np.array([3]))


def _mean(values, patients, resamples):
    pairs = np.stack([values, np.ones(len(values))], axis=1)
    return SumStatistic.of_rows(pairs, patients, resamples, counts.ratio_of_sums)


def _covered(statistic, patients, truth, generator):
    resamples = PatientResamples.draw(patients, 400, generator)
    low, high = patient_bootstrap(statistic(resamples), resamples).interval()
    return low <= truth <= high


def test_interval_of_a_mean_covers_the_truth_and_that_of_rows_does_not():
    """Patients of unequal skill and unequal numbers of questions; true accuracy 0.5."""
    generator = np.random.default_rng(11)
    by_patients, by_rows = 0, 0
    for _ in range(300):
        skill, sizes = generator.beta(1, 1, 80), generator.integers(5, 30, 80)
        patients = np.repeat(np.arange(80), sizes)
        right = (generator.random(len(patients)) < skill[patients]).astype(float)
        by_patients += _covered(lambda of, v=right, p=patients: _mean(v, p, of), patients, 0.5, generator)
        rows = np.arange(len(right))
        by_rows += _covered(lambda of, v=right, p=rows: _mean(v, p, of), rows, 0.5, generator)
    assert 0.92 <= by_patients / 300 <= 0.98
    # The control: rows drawn alone give intervals that are far too narrow.
    assert by_rows / 300 < 0.75


def test_interval_of_an_auroc_covers_the_truth_and_that_of_rows_does_not():
    """Scores and labels share each patient's level; the truth is measured on 20,000 patients."""

    def sample(count, generator):
        patients = np.repeat(np.arange(count), 10)
        level = generator.normal(size=count)[patients]
        labels = generator.random(len(patients)) < 1 / (1 + np.exp(1 - 2 * level))
        scores = level * generator.choice([0.5, 1.5], count)[patients] + generator.normal(size=len(patients))
        return patients, labels, scores

    generator = np.random.default_rng(4)
    _, labels, scores = sample(20_000, generator)
    truth = sk.roc_auc_score(labels, scores)
    by_patients, by_rows = 0, 0
    for _ in range(300):
        patients, labels, scores = sample(100, generator)
        for units in (patients, np.arange(len(labels))):
            covered = _covered(
                lambda of, one=labels, two=scores, who=units: RankStatistic.of_rows(
                    one, two, who, of, weighted_auroc
                ),
                units,
                truth,
                generator,
            )
            if units is patients:
                by_patients += covered
            else:
                by_rows += covered
    assert 0.92 <= by_patients / 300 <= 0.98
    assert by_rows / 300 < 0.85


def test_one_patient_has_a_value_and_no_interval():
    patients = np.array([5, 5, 5])
    resamples = PatientResamples.draw(patients, 100, np.random.default_rng(0))
    rows = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]])
    statistic = SumStatistic.of_rows(rows, patients, resamples, lambda sums: sums[:, 0] / sums[:, 1])
    found = patient_bootstrap(statistic, resamples)
    assert found.value == pytest.approx(2 / 3)
    assert found.interval() is None
