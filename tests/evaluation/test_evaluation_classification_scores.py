"""Scores of 14-label tables against scikit-learn."""

import numpy as np
import pyarrow.compute as pc
import pytest
from sklearn import metrics as sk

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.headline import headline_table
from cxrkit.evaluation.report import find_entry
from cxrkit.inference.schema import with_metadata
from cxrkit.vocabulary import FINDINGS


@pytest.fixture(scope="module")
def report(classify_table):
    return score_classification(classify_table, n_resamples=100)


@pytest.fixture(scope="module")
def truth(classify_table):
    rows = classify_table.filter(pc.field("condition") == "model").to_pylist()
    labels = np.array([row["labels"] for row in rows]) == 1
    return labels, np.array([row["probabilities"] for row in rows])


def test_findings_equal_scikit_learn_and_the_undefined_one_is_named(report, truth):
    labels, scores = truth
    for index, finding in enumerate(FINDINGS):
        area = find_entry(report, "auroc", "classifier", "model", finding)
        precision = find_entry(report, "average_precision", "classifier", "model", finding)
        assert area["n_positive"] == labels[:, index].sum()
        if finding == "Fracture":
            assert area["value"] is precision["value"] is None
            assert area["undefined_reason"] == "0 of 120 studies are positive"
        else:
            assert area["value"] == pytest.approx(sk.roc_auc_score(labels[:, index], scores[:, index]))
            expected = sk.average_precision_score(labels[:, index], scores[:, index])
            assert precision["value"] == pytest.approx(expected)
    assert any("Fracture" in note for note in report["notes"])


def test_means_say_how_many_findings_entered(report, truth):
    labels, scores = truth
    positives = labels.sum(0)
    areas = {c: sk.roc_auc_score(labels[:, c], scores[:, c]) for c in range(14) if positives[c]}
    frequent = [areas[c] for c in areas if positives[c] >= 20]
    entry = find_entry(report, "mean_auroc_of_frequent_findings", "classifier", "model")
    assert (entry["value"], entry["n_classes"]) == (pytest.approx(np.mean(frequent)), len(frequent))
    entry = find_entry(report, "mean_auroc_of_defined_findings", "classifier", "model")
    assert (entry["value"], entry["n_classes"]) == (pytest.approx(np.mean(list(areas.values()))), 13)


def test_controls_and_differences_stand_beside_the_model(report):
    assert find_entry(report, "auroc", "classifier", "majority", "Edema")["value"] == 0.5
    found = {(entry["metric"], entry["control"]): entry for entry in report["differences"]}
    entry = found["mean_auroc_of_frequent_findings", "majority"]
    assert entry["interval"][0] > 0
    rows = {row[0]: row for row in headline_table(report)}
    name = "Classifier: mean AUROC (findings with >= 20 positive test studies, 7 findings)"
    assert rows[name][3] == "-"
    assert rows[name][4] == "0.500"
    assert "Classifier: mean AUROC (all defined, 13 findings)" in rows


def test_blank_and_uncertain_labels_are_counted_in_words(report, classify_table):
    model = classify_table.filter(pc.field("condition") == "model").column("labels").to_pylist()
    labels = np.array(model)
    note = next(note for note in report["notes"] if "Scored under label policy zeros" in note)
    assert f"{int(np.isnan(labels).sum())} blank" in note
    assert f"{int((labels == -1).sum())} uncertain" in note


def test_too_few_positives_leave_the_frequent_mean_undefined(classify_table):
    few = classify_table.filter(pc.field("study_id") < 50_000_010)
    report = score_classification(few, n_resamples=20)
    entry = find_entry(report, "mean_auroc_of_frequent_findings", "classifier", "model")
    assert entry["value"] is None
    assert entry["n_classes"] == 0
    assert "at least 20 positive" in entry["undefined_reason"]


def test_another_label_policy_is_refused(classify_table):
    other = with_metadata(classify_table, {"task": "classify", "split": "test", "label_policy": "twos"})
    with pytest.raises(ArtifactError, match="label policy"):
        score_classification(other, n_resamples=5)
