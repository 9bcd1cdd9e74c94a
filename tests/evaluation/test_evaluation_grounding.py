"""The report's box figures against plain loops over the rows, scipy, scikit-learn and pycocotools."""

import contextlib
import io

import numpy as np
import pyarrow as pa
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import f1_score

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.report import find_entry
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.vocabulary import REGIONS


def with_column(table, name, values):
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))


def _box(generator):
    x, y = generator.integers(0, 40, 2)
    w, h = generator.integers(5, 50, 2)
    return [float(x), float(y), float(x + w), float(y + h)]


@pytest.fixture(scope="module")
def table(make_vqa_table):
    """120 questions of the model: 0 to 3 reference boxes, 0 to 4 predicted ones, many near a reference."""
    table = make_vqa_table(conditions=("model", "majority"))
    generator = np.random.default_rng(11)
    names = ("boxes_reference", "has_boxes_reference", "boxes_predicted", "box_scores", "nodes_reference")
    columns = {name: [] for name in names}
    known = {}
    for row in table.select(["condition", "question_row"]).to_pylist():
        if row["question_row"] not in known:
            nodes = generator.choice(26, generator.integers(0, 5), replace=False).tolist()
            known[row["question_row"]] = [_box(generator) for _ in range(generator.integers(0, 4))], nodes
        reference, nodes = known[row["question_row"]]
        sees = row["condition"] == "model"
        predicted = [
            (np.array(reference[i % len(reference)]) + generator.integers(-3, 4, 4)).tolist()
            if reference and generator.random() < 0.7 else _box(generator)
            for i in range(generator.integers(0, 5) if sees else 0)
        ]  # fmt: skip
        columns["boxes_reference"].append(reference)
        columns["has_boxes_reference"].append(bool(reference))
        columns["boxes_predicted"].append(predicted)
        # Multiples of 1/64: few, so that scores tie, and exact in the table's 32 bits.
        columns["box_scores"].append((generator.integers(32, 65, len(predicted)) / 64).tolist())
        columns["nodes_reference"].append(nodes)
    for name, values in columns.items():
        table = with_column(table, name, values)
    return table


@pytest.fixture(scope="module")
def rows(table):
    rows = [row for row in table.to_pylist() if row["condition"] == "model"]
    return sorted(rows, key=lambda row: row["question_row"])


@pytest.fixture(scope="module")
def report(table):
    return score_vqa(table, n_resamples=50)


def _entry(report, name, condition="model"):
    return find_entry(report, name, "grounding", condition)


def _iou(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return common / (sum(areas) - common)


def _painted(boxes):
    canvas = np.zeros((110, 110), bool)
    for x1, y1, x2, y2 in np.array(boxes).astype(int) + 5 if boxes else []:
        canvas[y1:y2, x1:x2] = True
    return canvas


def _of_questions(rows):
    """Plain definitions, question by question."""
    found = {name: [] for name in ("mean_iou", "pointing_accuracy", "pointing_game",
                                   "intersection_over_predicted", "intersection_over_target")}  # fmt: skip
    for row in (row for row in rows if row["boxes_reference"]):
        reference, predicted = row["boxes_reference"], row["boxes_predicted"]
        overlaps = np.array([[_iou(one, other) for other in predicted] for one in reference])
        overlaps = overlaps.reshape(len(reference), len(predicted))
        pairs = linear_sum_assignment(-overlaps)
        found["mean_iou"].append(overlaps[pairs].sum() / max(overlaps.shape))
        best = int(np.argmax(row["box_scores"])) if predicted else None
        found["pointing_accuracy"].append(best is not None and overlaps[:, best].max() > 0.5)
        x, y = np.reshape(predicted[best], (2, 2)).mean(0) if predicted else (np.nan, np.nan)
        found["pointing_game"].append(any(b[0] <= x <= b[2] and b[1] <= y <= b[3] for b in reference))
        target, own = _painted(reference), _painted(predicted)
        if own.any():
            found["intersection_over_predicted"].append((target & own).sum() / own.sum())
        found["intersection_over_target"].append((target & own).sum() / target.sum())
    return found


def test_figures_of_questions_are_those_of_a_plain_loop(report, rows):
    for name, values in _of_questions(rows).items():
        entry = _entry(report, name)
        assert entry["value"] == pytest.approx(np.mean(values), abs=1e-9), name
        assert entry["n"] == len(values), name
        assert 0 < entry["interval"][0] < entry["value"] < entry["interval"][1] < 1, name
    iop, iot = (_entry(report, f"intersection_over_{what}") for what in ("predicted", "target"))
    assert iop["n"] < iot["n"], "where nothing is predicted, IoP is undefined and IoT 0"


def test_detection_equals_pycocotools(report, rows):
    rows = [row for row in rows if row["boxes_reference"]]
    annotations, results = [], []
    for image, row in enumerate(rows, start=1):
        for x1, y1, x2, y2 in row["boxes_reference"]:
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                    "bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1),
                }
            )  # fmt: skip
        for (x1, y1, x2, y2), score in zip(row["boxes_predicted"], row["box_scores"], strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            results.append({"image_id": image, "category_id": 1, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        images = [{"id": image} for image in range(1, len(rows) + 1)]
        truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": 1}]}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    expected = evaluation.stats[1:3]
    assert (expected > 0.05).all()
    for name, value in zip(("detection_map_50", "detection_map_75"), expected, strict=True):
        assert _entry(report, name)["value"] == pytest.approx(value, abs=1e-9)
        assert _entry(report, name)["n_positive"] == len(annotations)
    assert _entry(report, "detection_map_mean")["value"] == pytest.approx(expected.mean(), abs=1e-9)
    low, high = _entry(report, "detection_map_mean")["interval"]
    assert low < expected.mean() < high


def test_calibration_of_box_scores_is_that_of_a_plain_loop(report, rows):
    scores, hits = [], []
    for row in (row for row in rows if row["boxes_reference"]):
        for box, score in zip(row["boxes_predicted"], row["box_scores"], strict=True):
            scores.append(score)
            hits.append(max(_iou(box, other) for other in row["boxes_reference"]) > 0.5)
    scores, hits = np.array(scores), np.array(hits)
    bins = np.minimum((scores * 10).astype(int), 9)
    error = sum(
        (bins == b).mean() * abs(scores[bins == b].mean() - hits[bins == b].mean())
        for b in set(bins.tolist())
    )
    entry = _entry(report, "box_calibration_error")
    assert entry["value"] == pytest.approx(error, abs=1e-9)
    assert (entry["n"], entry["n_positive"]) == (len(scores), hits.sum())


def test_multi_region_f1_is_scikit_learns(report, rows):
    expected = []
    for row in (row for row in rows if len(row["nodes_reference"]) > 1):
        truth = np.isin(np.arange(len(REGIONS)), row["nodes_reference"])
        expected.append(f1_score(truth, np.array(row["node_scores"]) >= 0.5))
    entry = _entry(report, "multi_region_f1")
    assert entry["value"] == pytest.approx(np.mean(expected), abs=1e-9)
    assert entry["n"] == len(expected)


def test_what_never_predicts_boxes_has_no_value(report):
    for name in ("intersection_over_target", "pointing_game", "detection_map_mean", "box_calibration_error",
                 "multi_region_f1"):  # fmt: skip
        entry = _entry(report, name, "majority")
        assert entry["value"] is None
        assert "never predicts boxes" in entry["undefined_reason"]


def test_left_out_questions_and_broken_boxes_are_counted(table, rows):
    boxes = table.column("boxes_predicted").to_pylist()
    first = next(i for i, row in enumerate(boxes) if row)
    boxes[first] = [[float("nan"), 0.0, 5.0, 5.0], *boxes[first][1:]]
    notes = "\n".join(score_vqa(with_column(table, "boxes_predicted", boxes), n_resamples=5)["notes"])
    without = sum(not row["boxes_reference"] for row in rows)
    silent = sum(bool(row["boxes_reference"]) and not row["boxes_predicted"] for row in rows)
    assert f"{without} of {len(rows)} questions have no reference boxes" in notes
    assert f"No box is predicted for {silent} questions with reference boxes" in notes
    assert "0 reference and 1 predicted boxes have no area" in notes
    assert "have no area" not in "\n".join(score_vqa(table, n_resamples=5)["notes"])


def test_without_predicted_boxes_the_undefined_say_so(table):
    nothing = [[] for _ in range(table.num_rows)]
    silent = with_column(with_column(table, "boxes_predicted", nothing), "box_scores", nothing)
    report = score_vqa(silent, n_resamples=10)
    for name in ("mean_iou", "intersection_over_target", "pointing_game", "detection_map_50"):
        assert _entry(report, name)["value"] == 0.0
    for name in ("intersection_over_predicted", "box_calibration_error"):
        entry = _entry(report, name)
        assert entry["value"] is None
        assert entry["n"] == 0
        assert "predicted box" in entry["undefined_reason"]


def test_without_any_reference_all_but_the_no_box_figure_are_undefined(table):
    none = with_column(table, "boxes_reference", [[] for _ in range(table.num_rows)])
    none = with_column(none, "has_boxes_reference", [False] * table.num_rows)
    report = score_vqa(none, n_resamples=10)
    for name in ("mean_iou", "intersection_over_predicted", "pointing_game", "detection_map_mean"):
        assert _entry(report, name)["value"] is None
    assert _entry(report, "no_box_correctness")["value"] is not None


@pytest.mark.parametrize("score", [float("nan"), 1.5, -0.1])
def test_scores_that_are_no_probabilities_are_refused(table, score):
    scores = table.column("box_scores").to_pylist()
    place = next(i for i, row in enumerate(scores) if row)
    scores[place][0] = score
    with pytest.raises(ArtifactError, match="box_scores are no probabilities"):
        score_vqa(with_column(table, "box_scores", scores), n_resamples=5)


def test_contradicting_columns_of_references_are_refused(table):
    flags = table.column("has_boxes_reference").to_pylist()
    flags[0] = not flags[0]
    with pytest.raises(ArtifactError, match="contradict"):
        score_vqa(with_column(table, "has_boxes_reference", flags), n_resamples=5)
