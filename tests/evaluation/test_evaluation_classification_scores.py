"""Scores of 14-label tables against scikit-learn."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn import metrics as sk

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.headline import headline_table
from cxrkit.evaluation.predictions import read_metadata
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
    other = with_metadata(
        classify_table, {"task": "classify", "split": "test", "label_policy": "twos", "thresholds": {}}
    )
    with pytest.raises(ArtifactError, match="label policy"):
        score_classification(other, n_resamples=5)


def test_decisions_equal_scikit_learn_at_the_thresholds_of_the_metadata(report, truth):
    labels, scores = truth
    for index, finding in enumerate(FINDINGS):
        f1, found, spared = (
            find_entry(report, name, "classifier", "model", finding)
            for name in ("f1_at_validation_threshold", "sensitivity", "specificity")
        )
        if finding == "Fracture":
            reason = "no threshold: no positive study in the validation split"
            assert (f1["value"], f1["undefined_reason"]) == (None, reason)
            continue
        flagged = scores[:, index] >= 0.5
        assert f1["value"] == pytest.approx(sk.f1_score(labels[:, index], flagged))
        assert found["value"] == pytest.approx(sk.recall_score(labels[:, index], flagged))
        assert spared["value"] == pytest.approx(sk.recall_score(~labels[:, index], ~flagged))
    assert report["thresholds"]["values"]["Fracture"] is None


def test_means_of_precision_f1_and_loss_equal_scikit_learn(report, truth):
    labels, scores = truth
    there = [index for index in range(14) if labels[:, index].any()]
    expected = {
        "mean_average_precision_of_defined_findings": np.mean(
            [sk.average_precision_score(labels[:, c], scores[:, c]) for c in there]
        ),
        "mean_f1_at_validation_thresholds": np.mean(
            [sk.f1_score(labels[:, c], scores[:, c] >= 0.5) for c in there]
        ),
        "log_loss": np.mean([sk.log_loss(labels[:, c], scores[:, c], labels=[0, 1]) for c in range(14)]),
    }
    for name, value in expected.items():
        assert find_entry(report, name, "classifier", "model")["value"] == pytest.approx(value, rel=1e-5)


def test_calibration_error_is_that_of_ten_bins(report, truth):
    labels, scores = (values[:, FINDINGS.index("Edema")] for values in truth)
    bins = np.minimum((scores * 10).astype(int), 9)
    parts = [abs(scores[bins == b].sum() - labels[bins == b].sum()) for b in range(10)]
    entry = find_entry(report, "calibration_error", "classifier", "model", "Edema")
    assert entry["value"] == pytest.approx(sum(parts) / len(scores))


def test_studies_that_radiologists_labelled_are_scored_against_their_labels(report, classify_table):
    rows = [row for row in classify_table.to_pylist() if row["condition"] == "model"]
    read = [row for row in rows if row["has_radiologist_labels"]]
    place = FINDINGS.index("Edema")
    entry = find_entry(report, "auroc", "radiologist", "model", "Edema")
    labels = [row["radiologist_labels"][place] == 1 for row in read]
    expected = sk.roc_auc_score(labels, [row["probabilities"][place] for row in read])
    assert (entry["value"], entry["n"]) == (pytest.approx(expected), 50)
    assert report["n_radiologist_studies"] == 50
    assert any(row[0].startswith("Against radiologists, 50 studies") for row in headline_table(report))


def test_without_radiologists_or_thresholds_nothing_is_made_up(classify_table):
    columns = {name: classify_table.column(name) for name in classify_table.column_names}
    columns["has_radiologist_labels"] = pa.array([False] * classify_table.num_rows)
    nothing = {"split": "validate", "n_studies": 0, "missing": "no labelled film", "values": {}}
    table = with_metadata(pa.table(columns), read_metadata(classify_table) | {"thresholds": nothing})
    report = score_classification(table, n_resamples=5)
    assert {entry["head"] for entry in report["metrics"]} == {"classifier"}
    assert find_entry(report, "sensitivity", "classifier", "model", "Edema")["value"] is None
    assert find_entry(report, "mean_f1_at_validation_thresholds", "classifier", "model")["value"] is None
    assert "No thresholds: no labelled film." in report["notes"]


def test_thresholds_of_the_split_they_were_chosen_on_are_said_to_flatter(classify_table):
    table = with_metadata(classify_table, read_metadata(classify_table) | {"split": "validate"})
    assert any("too good" in note for note in score_classification(table, n_resamples=5)["notes"])
