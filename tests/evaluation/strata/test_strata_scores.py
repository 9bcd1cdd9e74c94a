"""Figures of groups against the same computed on the rows of the group alone, in plain Python."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from cxrkit.evaluation.classification_scores import score_classification
from cxrkit.evaluation.predictions import write_predictions
from cxrkit.evaluation.publish import publish_scores
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.vocabulary import GROUP_OF_REGION, QUESTION_TYPES


@pytest.fixture(scope="module")
def report(vqa_table):
    return score_vqa(vqa_table, n_resamples=100)


def _line(report, **wanted):
    found = [entry for entry in report["strata"] if all(entry[key] == value for key, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def _regions(row):
    named = set(row["nodes_reference"])
    if row["head"] == "region":
        named |= set(row["classes_reference"])
    return {GROUP_OF_REGION[region] for region in named} or {"no region"}


_STRATEGY = {entry.name: entry.strategy for entry in QUESTION_TYPES}
GRADES = ["unrated", "D", "C", "B", "A", "A+", "A++"]
GROUPS_OF_ROW = {
    "question_type": lambda row: {row["question_type"]},
    "strategy": lambda row: {_STRATEGY[row["question_type"]]},
    "region_group": _regions,
    "polarity": lambda row: {{1: "positive", 0: "negative", -1: "unknown"}[row["polarity"]]},
    "quality_grade": lambda row: {GRADES[row["rating"]]},
    "view": lambda row: {row["view"] or "not stated"},
}


@pytest.mark.parametrize("stratum", GROUPS_OF_ROW)
@pytest.mark.parametrize("condition", ["model", "majority"])
def test_each_group_holds_its_own_rows(vqa_table, report, stratum, condition):
    rows = [row for row in vqa_table.to_pylist() if row["condition"] == condition and row["head"] == "binary"]
    groups = set().union(*map(GROUPS_OF_ROW[stratum], rows))
    told = {
        entry["group"]
        for entry in report["strata"]
        if (entry["stratum"], entry["head"]) == (stratum, "binary")
    }
    assert told == groups
    for group in groups:
        inside = [row for row in rows if group in GROUPS_OF_ROW[stratum](row)]
        line = _line(
            report, stratum=stratum, group=group, head="binary", name="accuracy", condition=condition
        )
        right = np.mean([row["classes_reference"] == row["classes_predicted"] for row in inside])
        assert line["value"] == pytest.approx(right, abs=1e-9)
        patients = {row["subject_id"] for row in inside}
        assert (line["n"], line["n_patients"]) == (len(inside), len(patients))
        assert line["few_patients"] is True


def test_questions_about_two_groups_are_in_both(vqa_table, report):
    rows = [row for row in vqa_table.to_pylist() if row["condition"] == "model" and row["head"] == "region"]
    lines = [
        entry["n"]
        for entry in report["strata"]
        if (entry["stratum"], entry["head"], entry["name"], entry["condition"])
        == ("region_group", "region", "exact_set_match", "model")
    ]
    assert sum(lines) == sum(len(_regions(row)) for row in rows) > len(rows)


def test_boxes_are_measured_by_group(vqa_table, report):
    line = _line(report, stratum="view", group="PA", head="grounding", name="mean_iou", condition="model")
    inside = [
        row
        for row in vqa_table.to_pylist()
        if row["condition"] == "model" and row["view"] == "PA" and row["has_boxes_reference"]
    ]
    assert line["n"] == len(inside)
    # Each predicted box is the reference itself.
    assert line["value"] == pytest.approx(1.0)


def test_studies_are_grouped_by_their_views(classify_table):
    report = score_classification(classify_table, n_resamples=100)
    line = _line(report, group="LATERAL and PA", condition="model", name="mean_auroc_of_defined_findings")
    rows = [
        row for row in classify_table.to_pylist() if row["condition"] == "model" and len(row["views"]) == 2
    ]
    labels = np.array([row["labels"] for row in rows]) == 1
    scores = np.array([row["probabilities"] for row in rows])
    defined = [column for column in range(14) if 0 < labels[:, column].sum() < len(labels)]
    expected = np.mean([roc_auc_score(labels[:, column], scores[:, column]) for column in defined])
    assert line["value"] == pytest.approx(expected, abs=1e-9)
    assert (line["n"], line["n_classes"]) == (len(rows), len(defined))
    assert line["few_patients"] is False


def test_groups_of_patients_come_from_their_tables(vqa_table, tmp_path):
    write_predictions(vqa_table, tmp_path / "predictions.parquet")
    lines = ["subject_id,gender,anchor_age"] + [
        f"{10_000_000 + patient},{'FM'[patient % 2]},{30 + 5 * patient}" for patient in range(11)
    ]
    table = tmp_path / "patients.csv"
    table.write_text("\n".join(lines) + "\n")
    result = publish_scores(
        tmp_path / "predictions.parquet", tmp_path / "out", n_resamples=100, patient_tables=[table]
    )
    report = json.loads(result.report_path.read_text())
    line = _line(report, stratum="sex", group="female", head="binary", name="accuracy", condition="model")
    inside = [
        row
        for row in vqa_table.to_pylist()
        if row["condition"] == "model"
        and row["head"] == "binary"
        and (row["subject_id"] - 10_000_000) % 2 == 0
        and row["subject_id"] != 10_000_011
    ]
    right = np.mean([row["classes_reference"] == row["classes_predicted"] for row in inside])
    assert (line["value"], line["n"]) == (pytest.approx(right), len(inside))
    _line(report, stratum="sex", group="not stated", head="binary", name="accuracy", condition="model")
    page = result.html_path.read_text()
    assert "Age in years" in page
    assert "60-79" in page
    assert "fewer than 30 patients" in page
    assert pa.parquet.read_schema(tmp_path / "predictions.parquet").names.count("sex") == 0


def test_without_tables_the_page_says_how_to_get_them(vqa_table, tmp_path):
    write_predictions(vqa_table, tmp_path / "predictions.parquet")
    result = publish_scores(tmp_path / "predictions.parquet", tmp_path / "out", n_resamples=100)
    assert "--patients" in result.html_path.read_text()


def test_patients_told_twice_or_no_more_are_the_same_evaluation(vqa_table, tmp_path):
    write_predictions(vqa_table, tmp_path / "predictions.parquet")
    table = tmp_path / "patients.csv"
    table.write_text("subject_id,gender\n10000000,F\n")
    given = [
        json.loads(
            publish_scores(
                tmp_path / "predictions.parquet", tmp_path / "out", n_resamples=50, patient_tables=tables
            ).report_path.read_text()
        )
        for tables in ([table], [table], [])
    ]
    assert given[0] == given[1]
    assert len({report["predictions_sha256"] for report in given}) == 1
    assert list(given[0]["patient_tables"]) == [str(table)]
    assert given[2]["patient_tables"] is None


def test_values_that_no_stratum_knows_are_a_group_of_their_own(vqa_table):
    column = vqa_table.column_names.index("rating")
    strange = vqa_table.set_column(column, "rating", pa.array(np.full(vqa_table.num_rows, 77), pa.int8()))
    report = score_vqa(strange, n_resamples=50)
    groups = {entry["group"] for entry in report["strata"] if entry["stratum"] == "quality_grade"}
    assert groups == {"not stated"}


def test_patients_of_whom_nothing_is_known_are_counted(vqa_table, tmp_path):
    write_predictions(vqa_table, tmp_path / "predictions.parquet")
    (tmp_path / "p.csv").write_text("subject_id,gender\n10000000,F\n10000001,X\n")
    result = publish_scores(
        tmp_path / "predictions.parquet", tmp_path, n_resamples=50, patient_tables=[tmp_path / "p.csv"]
    )
    notes = json.loads(result.report_path.read_text())["notes"]
    assert any("sex of 11 patients" in note for note in notes)
