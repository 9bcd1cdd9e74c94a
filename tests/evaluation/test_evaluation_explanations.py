"""Figures of explanations from a prediction table alone: values, controls, what is left out, damage."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import entropy

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.pages.report_page import write_page
from cxrkit.evaluation.predictions import read_predictions, write_predictions
from cxrkit.evaluation.report import find_entry
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.explanation_columns import with_explanations

# The square is 400 pixels wide and begins 100 above the film; 4 x 4 tokens of 100 pixels each.
SQUARE = [0.0, -100.0, 400.0, 300.0]
BOX = [100.0, 0.0, 250.0, 100.0]
INSIDE = {5: 1.0, 6: 0.5}
SHARES = [0.0, 0.5, 1.0]


def _attention(generator, kind):
    if kind == "nowhere":
        return [0.0] * 16
    values = generator.random(16) * 0.02
    values[5] += 0.5
    return values.tolist()


def _explanation(number):
    found = {}
    if number % 4:
        found |= {
            "perturbed_shares": SHARES, "deletion": [0.875, 0.25, 0.125], "insertion": [0.125, 0.75, 0.875],
            "deletion_random": [0.875, 0.5, 0.125], "insertion_random": [0.125, 0.5, 0.875],
        }  # fmt: skip
    if number % 3 == 0:
        found |= {
            "ablated_nodes": [3, 5], "ablated_nodes_random": [1, 2],
            "ablation_probabilities": [0.875, 0.5, 0.75], "ablation_changes": [number % 2 == 0, False],
        }  # fmt: skip
    return found


@pytest.fixture(scope="module")
def table(make_vqa_table):
    """Attention for the model, except in row 1; rows 3 and 6 attend to nothing; 20 answers are explained."""
    table = make_vqa_table(conditions=("model", "blank_image"))
    generator = np.random.default_rng(2)
    attention, squares, boxes = [], [], []
    for row in table.select(["condition", "question_row", "has_boxes_reference"]).to_pylist():
        seen = row["condition"] == "model" and row["question_row"] != 1
        kind = "nowhere" if row["question_row"] in (3, 6) else "somewhere"
        attention.append(_attention(generator, kind) if seen else None)
        squares.append(SQUARE)
        boxes.append([BOX] if row["has_boxes_reference"] else [])
    numbers = pa.list_(pa.float32())
    table = table.append_column("attention", pa.array(attention, numbers))
    table = table.append_column("square_px", pa.array(squares, numbers))
    place = table.column_names.index("boxes_reference")
    table = table.set_column(place, "boxes_reference", pa.array(boxes, table.schema.field(place).type))
    model = np.flatnonzero(np.array(table.column("condition").to_pylist()) == "model")[:20]
    numbers_of_rows = table.column("question_row").to_numpy()[model]
    return with_explanations(table, model.tolist(), [_explanation(int(number)) for number in numbers_of_rows])


@pytest.fixture(scope="module")
def report(table):
    return score_vqa(table, n_resamples=50)


def _entry(report, name, condition="model"):
    return find_entry(report, name, "explanation", condition)


def _attending(table):
    rows = [row for row in table.to_pylist() if row["attention"] is not None and sum(row["attention"]) > 0]
    attention = np.array([row["attention"] for row in rows])
    return attention, np.array([row["has_boxes_reference"] for row in rows])


def test_attention_is_compared_with_the_boxes_in_the_geometry_of_the_film(table, report):
    attention, boxed = _attending(table)
    inside = attention[:, 5] + 0.5 * attention[:, 6]
    expected = np.mean(inside[boxed] / attention[boxed].sum(1))
    entry = _entry(report, "attention_mass_inside")
    assert entry["value"] == pytest.approx(expected, abs=1e-6)
    assert entry["n"] == boxed.sum() == 38, "of 40 questions with boxes two attend to nothing"
    assert _entry(report, "attention_pointing_game")["value"] == 1.0
    ious = []
    for row in attention[boxed]:
        chosen = set(np.argsort(-row)[:4].tolist())
        common = sum(share for token, share in INSIDE.items() if token in chosen)
        ious.append(common / (4 + 1.5 - common))
    assert _entry(report, "attention_iou")["value"] == pytest.approx(np.mean(ious), abs=1e-9)
    spread = [entropy(row) / np.log(16) for row in attention]
    assert _entry(report, "attention_entropy")["value"] == pytest.approx(np.mean(spread), abs=1e-6)
    assert _entry(report, "attention_entropy")["n"] == 117


def test_each_figure_stands_beside_its_control_on_the_same_questions(table, report):
    assert _entry(report, "attention_mass_inside", "uniform_map")["value"] == pytest.approx(1.5 / 16)
    assert _entry(report, "attention_iou", "uniform_map")["value"] == pytest.approx(1.5 / 16)
    assert _entry(report, "attention_pointing_game", "uniform_map")["value"] == pytest.approx(2 / 16)
    attention, _ = _attending(table)
    mean = (attention / attention.sum(1, keepdims=True)).mean(0)
    average = _entry(report, "attention_mass_inside", "average_map")
    assert average["value"] == pytest.approx(mean[5] + 0.5 * mean[6], abs=1e-6)
    assert average["n"] == _entry(report, "attention_mass_inside")["n"]
    differences = {(entry["metric"], entry["control"]): entry for entry in report["differences"]}
    found = differences["attention_mass_inside", "uniform_map"]
    assert found["value"] == pytest.approx(_entry(report, "attention_mass_inside")["value"] - 1.5 / 16)
    assert found["interval"][0] > 0
    assert differences["deletion_area", "random_order"]["value"] == pytest.approx(0.375 - 0.5)
    assert differences["insertion_area", "random_order"]["value"] == pytest.approx(0.625 - 0.5)
    assert differences["region_ablation_drop", "random_nodes"]["value"] == pytest.approx(0.25)


def test_perturbations_by_hand(report):
    assert _entry(report, "deletion_area")["value"] == pytest.approx((0.5625 + 0.1875) / 2)
    assert _entry(report, "deletion_area", "random_order")["value"] == pytest.approx(0.5)
    assert _entry(report, "insertion_area")["value"] == pytest.approx((0.4375 + 0.8125) / 2)
    assert _entry(report, "region_ablation_drop")["value"] == pytest.approx(0.375)
    assert _entry(report, "region_ablation_drop", "random_nodes")["value"] == pytest.approx(0.125)
    assert _entry(report, "region_ablation_changes")["value"] == pytest.approx(4 / 7)
    assert _entry(report, "region_ablation_changes", "random_nodes")["value"] == 0.0
    assert _entry(report, "deletion_area")["n"] == 15
    assert _entry(report, "region_ablation_drop")["n"] == 7


def test_what_is_left_out_is_counted(report):
    notes = "\n".join(report["notes"])
    assert "Attention was stored for 119 of 120 questions; 79 of these have no reference boxes" in notes
    assert "2 have it nowhere" in notes
    assert "20 answers were explained by perturbation; 5 of these have no chosen class" in notes
    assert "13 have no chosen class, no supporting nodes" in notes


def test_the_written_table_alone_gives_the_same_report(table, report, tmp_path):
    path = tmp_path / "predictions.parquet"
    write_predictions(table.take(np.random.default_rng(0).permutation(table.num_rows)), path)
    assert json.dumps(score_vqa(read_predictions(path), n_resamples=50)) == json.dumps(report)


def test_the_page_shows_figures_controls_and_curves(table, report, tmp_path):
    write_page(report, table, tmp_path / "with.html")
    page = (tmp_path / "with.html").read_text()
    assert "Explanations" in page
    assert "removed, or shown on an empty film" in page
    assert "as many random nodes of the same graph" in page
    plain = table.drop_columns([name for name in table.column_names if name in report_columns(table)])
    without = score_vqa(plain, n_resamples=5)
    assert not any(entry["head"] == "explanation" for entry in without["metrics"])
    write_page(without, plain, tmp_path / "without.html")
    assert "removed, or shown on an empty film" not in (tmp_path / "without.html").read_text()


def report_columns(table):
    """The optional columns of explanations."""
    return table.column_names[table.column_names.index("attention") :]


def test_nothing_explained_and_no_attention_are_undefined_by_name(table):
    nulls = pa.nulls(table.num_rows, pa.list_(pa.float32()))
    bare = table.set_column(table.column_names.index("attention"), "attention", nulls)
    start = bare.column_names.index("explained")
    bare = bare.select(bare.column_names[:start])
    bare = with_explanations(bare, [], [])
    report = score_vqa(bare, n_resamples=5)
    for name in ("attention_mass_inside", "attention_entropy", "deletion_area", "region_ablation_drop"):
        entry = _entry(report, name)
        assert (entry["value"], entry["n"]) == (None, 0)
        assert entry["undefined_reason"]
    assert "Attention was stored for 0 of 120 questions" in "\n".join(report["notes"])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("attention", [0.5, 0.5], "attention is damaged"),
        ("attention", [float("nan")] * 16, "attention is damaged"),
        ("attention", [], "attention is damaged"),
        ("attention", [-1.0] * 16, "attention is damaged"),
        ("square_px", [0.0, 0.0, 0.0, 10.0], "square_px is damaged"),
        ("square_px", None, "square_px is damaged"),
        ("deletion", [0.5, 2.0, 0.5], "deletion is damaged"),
        ("deletion", [0.5, 0.5], "deletion is damaged"),
        ("insertion_random", None, "insertion_random is damaged"),
        ("perturbed_shares", [0.0, 0.25, 1.0], "perturbed_shares is damaged"),
        ("ablation_probabilities", [0.5], "ablation_probabilities is damaged"),
        ("ablation_changes", [True], "ablation_changes is damaged"),
    ],
)
def test_damaged_columns_are_refused_by_name(table, column, value, message):
    values = table.column(column).to_pylist()
    place = next(i for i, old in enumerate(values) if old is not None)
    values[place] = value
    at = table.column_names.index(column)
    broken = table.set_column(at, column, pa.array(values, table.schema.field(column).type))
    with pytest.raises(ArtifactError, match=message):
        score_vqa(broken, n_resamples=5)


def test_optional_columns_of_another_type_are_refused(table):
    at = table.column_names.index("attention")
    words = table.set_column(at, "attention", pa.array(["much"] * table.num_rows))
    with pytest.raises(ArtifactError, match="attention: string is not list"):
        score_vqa(words, n_resamples=5)


def test_attention_that_is_no_grid_and_missing_columns_are_refused(table):
    model = pc.equal(table.column("condition"), "model").to_pylist()
    at = table.column_names.index("attention")
    odd = pa.array([[0.1] * 15 if own else None for own in model], pa.list_(pa.float32()))
    with pytest.raises(ArtifactError, match="square grid"):
        score_vqa(table.set_column(at, "attention", odd), n_resamples=5)
    with pytest.raises(ArtifactError, match="square_px"):
        score_vqa(table.drop_columns(["square_px"]), n_resamples=5)
    with pytest.raises(ArtifactError, match="no insertion"):
        score_vqa(table.drop_columns(["insertion"]), n_resamples=5)
