"""The evidence table, the scene graph's own scores and the node scores, against independent computations."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from cxrkit.cli.tables import evidence_table
from cxrkit.errors import ArtifactError
from cxrkit.evaluation.evidence import EVIDENCE_METRICS, evidence_columns, evidence_rows
from cxrkit.evaluation.predictions import read_predictions, write_predictions
from cxrkit.evaluation.publish import publish_evaluation
from cxrkit.evaluation.report import find_entry
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.metrics.calibration import calibration_error_of_sums, calibration_sums_of_rows
from cxrkit.metrics.ranking import average_precision_of_rows


@pytest.fixture(scope="module")
def report(vqa_table, graph_table):
    return score_vqa(vqa_table, graph_table, n_resamples=50)


def test_one_row_per_protocol_with_the_figures_of_its_condition(report):
    rows = report["evidence"]
    assert [row["protocol"] for row in rows] == [
        "oracle", "predicted", "none", "shuffled_image", "blank_image", "question_only", "majority",
    ]  # fmt: skip
    assert [row["condition"] for row in rows][:3] == ["oracle", "model", "none"]
    for row in rows:
        assert row["leaks_answer"] is (row["protocol"] == "oracle")
        for metric in row["metrics"]:
            entry = find_entry(report, metric["name"], metric["head"], row["condition"])
            assert (metric["value"], metric["interval"]) == (entry["value"], entry["interval"])
        assert {(metric["head"], metric["name"]) for metric in row["metrics"]} == {
            (head, name) for head, name, _ in EVIDENCE_METRICS
        }


def test_the_oracle_is_called_a_leak_in_every_table(report, capsys):
    from rich.console import Console

    rows = evidence_rows(report)
    assert rows[0][0] == "oracle: upper bound (leaks the answer)"
    assert rows[1][0] == "predicted graph (this model)"
    assert rows[-1][-1] == "-", "no boxes, so no pointing"
    assert len(rows[0]) == len(evidence_columns()) == 6
    Console(width=80).print(evidence_table(rows))
    shown = capsys.readouterr().out
    assert "upper bound (leaks the answer)" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_model_of_the_oracle_is_the_oracle(make_vqa_table):
    table = make_vqa_table(conditions=("model", "none"), patients=3, graph_source="oracle")
    rows = evidence_rows(score_vqa(table, n_resamples=10))
    assert [row[0] for row in rows] == ["oracle: upper bound (leaks the answer) (this model)", "no graph"]


def _graphs(table, condition="model"):
    rows = [row for row in table.to_pylist() if row["condition"] == condition and row["has_graph_reference"]]
    truth = np.zeros((len(rows), 52), bool)
    for place, row in enumerate(rows):
        truth[place, row["findings_reference"]] = True
    return (
        rows,
        truth.reshape(-1, 26, 2),
        np.array([r["finding_probabilities"] for r in rows]).reshape(-1, 26, 2),
    )


@pytest.mark.parametrize("condition", ["model", "blank_image"])
def test_graph_scores_equal_plain_counting(report, graph_table, condition):
    rows, truth, stated = _graphs(graph_table, condition)
    boxed = np.array([row["has_box_reference"] for row in rows])
    presence = np.array([row["presence_probabilities"] for row in rows]) >= 0.5

    def value(name, region=None):
        return find_entry(report, name, "scene_graph", condition, region=region)

    wide = 100 * 100 / (100 * (100 + (20 if condition == "model" else 100)))
    assert value("region_box_iou")["value"] == pytest.approx(wide)
    assert value("region_box_iou")["n_positive"] == boxed.sum()
    assert value("presence_accuracy")["value"] == pytest.approx((presence == boxed).mean())
    areas = [
        np.mean([sk.roc_auc_score(truth[:, region, e], stated[:, region, e]) for e in range(2)])
        for region in range(26)
    ]
    assert value("finding_auroc")["value"] == pytest.approx(np.mean(areas))
    assert value("finding_auroc")["n"] == 23
    one = value("finding_auroc", "carina")
    assert one["value"] == pytest.approx(areas[2])
    assert one["n_classes"] == 2
    lost = value("region_box_iou", "left apical zone")
    assert (lost["value"], lost["n_positive"]) == (None, 0)
    assert lost["undefined_reason"] == "no region with a reference box"


def test_node_scores_equal_scikit_learn(report, vqa_table):
    rows = [row for row in vqa_table.to_pylist() if row["condition"] == "model" and row["nodes_reference"]]
    truth = np.zeros((len(rows), 26), bool)
    for place, row in enumerate(rows):
        truth[place, row["nodes_reference"]] = True
    scores = np.array([row["node_scores"] for row in rows])
    expected = np.mean([sk.average_precision_score(t, s) for t, s in zip(truth, scores, strict=True)])
    entry = find_entry(report, "node_average_precision", "grounding", "model")
    assert entry["value"] == pytest.approx(expected, abs=1e-6)
    assert entry["n"] == len(rows)
    flat, stated = truth.ravel(), scores.ravel()
    bins = np.minimum((stated * 10).astype(int), 9)
    plain = sum(
        abs(stated[bins == b].mean() - flat[bins == b].mean()) * (bins == b).mean() for b in range(10)
    )
    found = find_entry(report, "node_calibration_error", "grounding", "model")["value"]
    assert found == pytest.approx(plain, abs=1e-6)
    sums = calibration_sums_of_rows(truth, scores).sum(0)
    assert float(calibration_error_of_sums(sums)) == pytest.approx(plain, abs=1e-6)
    control = find_entry(report, "node_average_precision", "grounding", "majority")
    assert (control["value"], control["undefined_reason"]) == (None, "this condition never predicts boxes")


def test_ranking_of_rows_with_ties_and_without_positives():
    labels = np.array([[True, False, True, False], [False] * 4])
    scores = np.array([[0.5, 0.5, 0.2, 0.1], [0.5, 0.4, 0.3, 0.2]])
    first, second = average_precision_of_rows(labels, scores)
    assert first == pytest.approx(sk.average_precision_score(labels[0], scores[0]))
    assert np.isnan(second)


def test_graphs_survive_the_disk_and_damage_is_told(vqa_table, graph_table, tmp_path):
    result = publish_evaluation(vqa_table, tmp_path, graphs=graph_table)
    path = tmp_path / "graph_predictions.parquet"
    assert read_predictions(path, "vqa_graph").to_pylist() == graph_table.to_pylist()
    page = result.html_path.read_text()
    assert "Predicted scene graph" in page
    assert "left apical zone" in page
    assert "undefined: no region" not in page
    with pytest.raises(ArtifactError, match="finding_probabilities"):
        write_predictions(graph_table.drop_columns(["finding_probabilities"]), path)
    wrong = pa.array([[2.0] * 26] * graph_table.num_rows, pa.list_(pa.float32(), 26))
    place = graph_table.column_names.index("presence_probabilities")
    with pytest.raises(ArtifactError, match="presence_probabilities"):
        score_vqa(vqa_table, graph_table.set_column(place, "presence_probabilities", wrong), n_resamples=10)


def test_free_text_is_counted_by_type(report):
    assert report["n_free_text_by_type"] == {"A_indication": 4, "B14_describe_acquisition": 3}
    assert any("A_indication 4, B14_describe_acquisition 3" in note for note in report["notes"])
