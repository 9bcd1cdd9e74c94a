"""Agreement of answers against plain loops, its control, and its place in report and page."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cxrkit.errors import ArtifactError
from cxrkit.evaluation.predictions import write_predictions
from cxrkit.evaluation.publish import publish_evaluation, publish_scores
from cxrkit.evaluation.vqa_scores import score_vqa
from cxrkit.inference.schema import CONSISTENCY_SCHEMA, with_metadata
from cxrkit.vocabulary import REGION_INDEX
from cxrkit.vocabulary.regions import PARENT_OF_REGION, mirrored_region

METADATA = {"split": "test", "index_fingerprint": "ab12", "checkpoint": "checkpoints/run/best_model",
            "graph_source": "predicted"}  # fmt: skip


def _table(rows, **changed):
    values = [
        {
            "subject_id": 10_000_000 + film // 2,
            "study_id": 50_000_000 + film,
            "dicom_id": f"film-{film}",
            **row,
        }
        for film, row in enumerate(rows)
    ]
    metadata = METADATA | {"task": "vqa_consistency"} | changed
    return with_metadata(pa.Table.from_pylist(values, schema=CONSISTENCY_SCHEMA), metadata)


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(5)
    made = []
    for _ in range(24):
        abnormal = generator.random(27)
        normal = np.clip(1 - abnormal + 0.3 * generator.standard_normal(27), 0, 1)
        mirrored = np.clip(abnormal[[0, *(1 + mirrored_region(i) for i in range(26))]]
                           + 0.2 * generator.standard_normal(27), 0, 1)  # fmt: skip
        normal[7] = np.nan
        made.append({"is_abnormal": abnormal, "is_normal": normal, "is_abnormal_mirrored": mirrored})
    return made


def _values(report, condition="model"):
    return {
        entry["name"]: entry
        for entry in report["metrics"]
        if entry["head"] == "consistency" and entry["condition"] == condition
    }


def test_figures_equal_plain_loops(vqa_table, rows):
    found = _values(score_vqa(vqa_table, consistency=_table(rows), n_resamples=100))
    whole, regions, gap, parents, mirror, unmirrored = [], [], [], [], [], []
    for row in rows:
        abnormal, normal, mirrored = (np.float32(row[name]) for name in
                                      ("is_abnormal", "is_normal", "is_abnormal_mirrored"))  # fmt: skip
        whole.append((abnormal[0] >= 0.5) != (normal[0] >= 0.5))
        gap.append(abs(float(abnormal[0]) + float(normal[0]) - 1))
        for region in range(26):
            if not math.isnan(normal[1 + region]):
                regions.append((abnormal[1 + region] >= 0.5) != (normal[1 + region] >= 0.5))
            other = mirrored_region(region)
            if other != region:
                mirror.append((abnormal[1 + region] >= 0.5) == (mirrored[1 + other] >= 0.5))
                unmirrored.append((abnormal[1 + region] >= 0.5) == (abnormal[1 + other] >= 0.5))
        for child, parent in PARENT_OF_REGION.items():
            if abnormal[1 + REGION_INDEX[child]] >= 0.5:
                parents.append(abnormal[1 + REGION_INDEX[parent]] >= 0.5)
    expected = {
        "normal_abnormal_agreement": whole,
        "normal_abnormal_gap": gap,
        "region_normal_abnormal_agreement": regions,
        "parent_child_agreement": parents,
        "mirror_agreement": mirror,
        "unmirrored_agreement": unmirrored,
    }
    for name, values in expected.items():
        assert found[name]["value"] == pytest.approx(np.mean(values), abs=1e-9)
        assert found[name]["n"] == len(values)
        assert found[name]["n_patients"] <= 12


def test_the_control_pairs_films_of_different_patients(vqa_table, rows):
    report = score_vqa(vqa_table, consistency=_table(rows), n_resamples=100)
    model, control = _values(report), _values(report, "shuffled_image")
    for name in ("region_normal_abnormal_agreement", "mirror_agreement"):
        assert model[name]["value"] > 0.7 > control[name]["value"] > 0.3
    assert "unmirrored_agreement" not in control


def test_what_was_not_asked_is_undefined(vqa_table, rows):
    nothing = [row | {"is_abnormal_mirrored": np.full(27, np.nan)} for row in rows]
    found = _values(score_vqa(vqa_table, consistency=_table(nothing), n_resamples=100))
    assert found["mirror_agreement"]["value"] is None
    assert found["mirror_agreement"]["n"] == 0
    assert "mirrored film is not known" in found["mirror_agreement"]["undefined_reason"]
    assert found["normal_abnormal_agreement"]["value"] is not None


def test_answers_lie_beside_the_predictions_and_are_scored_again(vqa_table, rows, tmp_path):
    first = publish_evaluation(vqa_table, tmp_path, consistency=_table(rows))
    assert (tmp_path / "consistency_predictions.parquet").exists()
    assert "Answers that must agree" in first.html_path.read_text()
    again = publish_scores(first.predictions_path, tmp_path / "again")
    assert again.report_path.read_bytes() == first.report_path.read_bytes()
    # Answers of an older run must not stand beside newer predictions.
    last = publish_evaluation(vqa_table, tmp_path)
    assert not (tmp_path / "consistency_predictions.parquet").exists()
    assert not _values(json.loads(last.report_path.read_text()))


def test_answers_of_another_evaluation_are_refused(vqa_table, rows, tmp_path):
    result = publish_evaluation(vqa_table, tmp_path, consistency=_table(rows))
    beside = tmp_path / "consistency_predictions.parquet"
    write_predictions(_table(rows, split="train"), beside)
    with pytest.raises(ArtifactError, match="another split"):
        publish_scores(result.predictions_path, tmp_path)
    few = vqa_table.filter(pc.field("subject_id") < 10_000_003)
    write_predictions(_table(rows), beside)
    write_predictions(few, tmp_path / "predictions.parquet")
    with pytest.raises(ArtifactError, match="9 other patients"):
        publish_scores(result.predictions_path, tmp_path)


def test_what_is_no_probability_is_refused(vqa_table, rows):
    wrong = [row | {"is_abnormal": np.full(27, 7.0)} for row in rows]
    with pytest.raises(ArtifactError, match="is_abnormal of the consistency answers"):
        score_vqa(vqa_table, consistency=_table(wrong), n_resamples=20)


def test_rows_without_a_value_are_counted(vqa_table, rows):
    found = _values(score_vqa(vqa_table, consistency=_table(rows), n_resamples=20))
    entry = found["region_normal_abnormal_agreement"]
    # One of the 26 regions was not asked about in both forms.
    assert (entry["n"], entry["n_undefined"]) == (24 * 25, 24)
