"""Scores of VQA tables against scikit-learn on the same rows, and what the report says of edge cases."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn import metrics as sk

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.headline import HEADLINE_COLUMNS, headline_table, headline_warning
from cxrkit.evaluation.report import find_entry
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.vocabulary import CLASSES_OF_HEAD, NO_FINDING


@pytest.fixture(scope="module")
def report(vqa_table):
    return score_vqa(vqa_table, n_resamples=100)


def _rows(table, condition, head):
    rows = table.filter((pc.field("condition") == condition) & (pc.field("head") == head)).to_pylist()
    classes = len(CLASSES_OF_HEAD[head])
    sets = [np.zeros((len(rows), classes), int) for _ in range(2)]
    for index, row in enumerate(rows):
        sets[0][index, row["classes_reference"]] = 1
        sets[1][index, row["classes_predicted"]] = 1
    return rows, *sets, np.array([row["probabilities"] for row in rows])


def _value(report, name, head, condition="model"):
    return find_entry(report, name, head, condition)["value"]


@pytest.mark.parametrize("condition", ["model", "oracle", "shuffled_image", "majority", "question_only"])
def test_single_label_heads_equal_scikit_learn(vqa_table, report, condition):
    _, reference, predicted, scores = _rows(vqa_table, condition, "binary")
    truth, guess = reference.argmax(1), predicted.argmax(1)
    assert _value(report, "accuracy", "binary", condition) == pytest.approx(sk.accuracy_score(truth, guess))
    expected = sk.balanced_accuracy_score(truth, guess)
    assert _value(report, "balanced_accuracy", "binary", condition) == pytest.approx(expected)
    assert _value(report, "auroc", "binary", condition) == pytest.approx(
        sk.roc_auc_score(truth, scores[:, 1])
    )
    _, reference, predicted, _ = _rows(vqa_table, condition, "severity")
    truth, guess = reference.argmax(1), predicted.argmax(1)
    expected = sk.f1_score(truth, guess, average="macro", labels=np.unique(truth))
    assert _value(report, "macro_f1", "severity", condition) == pytest.approx(expected)


@pytest.mark.parametrize("head", ["category", "region"])
def test_set_heads_equal_scikit_learn(vqa_table, report, head):
    _, reference, predicted, scores = _rows(vqa_table, "model", head)
    assert _value(report, "exact_set_match", head) == pytest.approx(sk.accuracy_score(reference, predicted))
    expected = sk.jaccard_score(reference, predicted, average="samples", zero_division=1)
    assert _value(report, "jaccard", head) == pytest.approx(expected)
    expected = sk.f1_score(reference, predicted, average="micro")
    assert _value(report, "micro_f1_over_sets", head) == pytest.approx(expected)
    if head == "category":
        findings = [index for index in range(reference.shape[1]) if index != NO_FINDING]
        expected = sk.f1_score(reference[:, findings], predicted[:, findings], average="micro")
        assert _value(report, "micro_f1_over_findings", head) == pytest.approx(expected)
    present = np.flatnonzero(reference.any(0))
    expected = sk.f1_score(reference, predicted, average="macro", labels=present)
    assert _value(report, "macro_f1_over_sets", head) == pytest.approx(expected)
    areas = [sk.roc_auc_score(reference[:, c], scores[:, c]) for c in present]
    entry = find_entry(report, "macro_auroc", head, "model")
    assert entry["value"] == pytest.approx(np.mean(areas))
    assert entry["n_classes"] == len(present)
    precisions = [sk.average_precision_score(reference[:, c], scores[:, c]) for c in present]
    assert _value(report, "mean_average_precision_over_classes", head) == pytest.approx(np.mean(precisions))


def test_report_holds_what_the_artifact_promises(report):
    assert report["schema_version"] == 5
    assert (report["task"], report["split"], report["graph_source"]) == ("vqa", "test", "predicted")
    assert (report["n_questions"], report["n_studies"], report["n_patients"]) == (120, 24, 12)
    assert (report["n_free_text_not_scored"], report["n_masked"]) == (7, 2)
    assert report["conditions"][0] == "model"
    heads = {entry["head"] for entry in report["metrics"]}
    assert heads == {"binary", "category", "region", "severity", "grounding"}
    for entry in report["metrics"] + report["strata"]:
        assert (entry["value"] is None) == (entry["undefined_reason"] is not None)
        assert report["definitions"][entry["definition_id"]]["text"]
        if entry["interval"] is not None:
            assert entry["interval"][0] <= entry["interval"][1]
    json.dumps(report, allow_nan=False)


def test_grounding_scores_only_what_can_give_boxes(report):
    assert _value(report, "mean_iou", "grounding") == pytest.approx(1.0)
    assert _value(report, "pointing_accuracy", "grounding", "blank_image") == pytest.approx(0.5)
    control = find_entry(report, "mean_iou", "grounding", "majority")
    assert control["value"] is None
    assert "never predicts boxes" in control["undefined_reason"]
    assert find_entry(report, "mean_iou", "grounding", "model")["n"] == 40
    assert find_entry(report, "no_box_correctness", "grounding", "model")["n"] == 80
    assert _value(report, "no_box_correctness", "grounding") == 0.0


def test_a_model_that_gives_no_boxes_scores_zero_unless_it_cannot_give_any(make_vqa_table):
    def without_boxes(**metadata):
        table = make_vqa_table(conditions=("model",), patients=3, **metadata)
        empty = [[] for _ in range(table.num_rows)]
        for name in ("boxes_predicted", "box_scores"):
            place = table.column_names.index(name)
            table = table.set_column(place, name, pa.array(empty, table.schema.field(name).type))
        return find_entry(score_vqa(table, n_resamples=10), "mean_iou", "grounding", "model")

    assert without_boxes()["value"] == 0.0
    assert without_boxes(graph_source="none")["value"] is None


def test_differences_are_model_minus_control_for_each_headline_figure(report):
    found = {(entry["head"], entry["metric"], entry["control"]): entry for entry in report["differences"]}
    entry = found["binary", "balanced_accuracy", "blank_image"]
    expected = _value(report, "balanced_accuracy", "binary") - _value(
        report, "balanced_accuracy", "binary", "blank_image"
    )
    assert entry["value"] == pytest.approx(expected)
    assert entry["interval"][0] <= entry["value"] <= entry["interval"][1]
    assert found["grounding", "mean_iou", "majority"]["value"] is None
    for head in ("binary", "category", "region", "severity"):
        for control in ("blank_image", "shuffled_image", "majority", "question_only", "oracle", "none"):
            assert any(key[0] == head and key[2] == control for key in found)


def test_types_are_scored_apart(vqa_table, report):
    lines = [
        entry
        for entry in report["strata"]
        if (entry["group"], entry["head"]) == ("D02_has_finding", "binary")
    ]
    assert {entry["name"] for entry in lines} == {"accuracy", "balanced_accuracy"}
    rows = vqa_table.filter(
        (pc.field("condition") == "model") & (pc.field("question_type") == "D02_has_finding")
    ).to_pylist()
    right = np.mean([row["classes_reference"] == row["classes_predicted"] for row in rows])
    line = next(entry for entry in lines if entry["name"] == "accuracy" and entry["condition"] == "model")
    assert (line["value"], line["n"]) == (pytest.approx(right), len(rows))


def test_the_order_of_rows_and_columns_does_not_matter(vqa_table, report):
    order = np.random.default_rng(1).permutation(vqa_table.num_rows)
    shuffled = vqa_table.take(order).select(vqa_table.column_names[::-1])
    assert json.dumps(score_vqa(shuffled, n_resamples=100)) == json.dumps(report)


def test_headline_table_names_each_figure_and_shows_its_controls(report):
    rows = {row[0]: row for row in headline_table(report)}
    assert all(len(row) == len(HEADLINE_COLUMNS) for row in rows.values())
    row = rows["Binary: balanced accuracy"]
    assert row[1].startswith(f"{_value(report, 'balanced_accuracy', 'binary'):.3f} [")
    assert row[4] == f"{_value(report, 'balanced_accuracy', 'binary', 'majority'):.3f}"
    assert {
        "Region: micro F1 over sets",
        "Category: micro F1 over sets",
        "Severity: balanced accuracy",
    } <= set(rows)
    assert "Grounding: mean IoU (questions with reference boxes)" in rows
    assert rows["Grounding: mean IoU (questions with reference boxes)"][4] == "not defined"


def test_an_oracle_graph_is_called_a_leak_wherever_it_is_shown(make_vqa_table):
    report = score_vqa(make_vqa_table(patients=3, graph_source="oracle"), n_resamples=10)
    assert "leaks the answer" in headline_warning(report)
    assert not any("leaks" in row[0] for row in headline_table(report))
    assert any("leaks" in note for note in report["notes"])


def test_heads_without_questions_are_undefined_by_name(vqa_table):
    only = vqa_table.filter(pc.field("head") == "binary")
    report = score_vqa(only, n_resamples=20)
    entry = find_entry(report, "micro_f1_over_sets", "region", "model")
    assert entry["value"] is None
    assert entry["n"] == 0
    assert "nothing to score" in entry["undefined_reason"]
    assert "No question of head region in this split." in report["notes"]
    rows = {row[0]: row for row in headline_table(report)}
    assert rows["Region: micro F1 over sets"][1] == "not defined"


def test_one_class_leaves_auroc_undefined_and_is_noted(vqa_table):
    keep = [
        row["head"] != "binary" or row["classes_reference"] == [0]
        for row in vqa_table.select(["head", "classes_reference"]).to_pylist()
    ]
    report = score_vqa(vqa_table.filter(pa.array(keep)), n_resamples=20)
    entry = find_entry(report, "auroc", "binary", "model")
    assert entry["value"] is None
    assert entry["n_positive"] == 0
    assert any("recall of that class" in note for note in report["notes"])


def test_tables_that_are_not_whole_are_refused(vqa_table):
    cases = {
        "different rows": vqa_table.slice(1),
        "twice": pa.concat_tables([vqa_table, vqa_table.slice(0, 1)]),
        "no rows of the model": vqa_table.filter(pc.field("condition") != "model"),
        "does not have the columns": vqa_table.drop_columns(["probabilities"]),
        "does not say": vqa_table.replace_schema_metadata(None),
    }
    for message, table in cases.items():
        with pytest.raises(ArtifactError, match=message):
            score_vqa(table, n_resamples=5)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("head", "free_text", "no head answers"),
        ("condition", "shuffled", "does not know"),
        ("classes_reference", [99], "damaged"),
        ("probabilities", [0.5], "damaged"),
        ("probabilities", [2.0, -1.0], "damaged"),
        ("classes_predicted", [], "exactly one class"),
        ("box_scores", [0.1, 0.2, 0.3], "differ in number"),
    ],
)
def test_damaged_values_are_refused_by_column(vqa_table, column, value, message):
    values = vqa_table.column(column).to_pylist()
    values[0] = value
    place = vqa_table.column_names.index(column)
    table = vqa_table.set_column(place, column, pa.array(values, vqa_table.schema.field(column).type))
    with pytest.raises(ArtifactError, match=message):
        score_vqa(table, n_resamples=5)


def test_other_data_than_those_of_the_training_are_told(make_vqa_table):
    for trained, is_told in (("ab12", False), ("ff00", True)):
        table = make_vqa_table(("model", "majority"), manifest={"trained_index_fingerprint": trained})
        notes = score_vqa(table, n_resamples=20)["notes"]
        assert any("scored on other data" in note for note in notes) == is_told
