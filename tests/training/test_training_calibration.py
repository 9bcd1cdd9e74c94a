"""Kept models say what their probabilities are worth, as evaluation measures it."""

import json

import numpy as np
import pytest

from cxrkit.config import load_settings
from cxrkit.evaluation.run import evaluate_model
from cxrkit.inference.classification import predict_classifier
from cxrkit.metrics.thresholds import best_f1_threshold
from cxrkit.models.calibration import ModelCalibration
from cxrkit.training.calibration import calibrate_answers, calibrate_findings
from cxrkit.training.classify import train_classifier
from cxrkit.training.vqa import train_vqa
from cxrkit.vocabulary import FINDINGS, Head

SMALL = {
    "data.image_size": 32, "data.image_store_size": 96, "model.visual_backbone": "resnet10t",
    "model.pretrained": False, "training.max_steps": 2, "training.batch_size_per_gpu": 4,
    "training.gradient_accumulation_steps": 1, "training.dataloader_num_workers": 0,
    "training.gradient_checkpointing": False, "training.dataloader_pin_memory": False,
    "training.ema_decay": 0.5, "wandb.enabled": False,
}  # fmt: skip
VQA = {
    "model.text_encoder": "scratch:tiny", "model.visual_feature_dim": 16, "model.visual_patches": 2,
    "model.hidden_size": 16, "model.intermediate_size": 16, "model.num_hidden_layers": 1,
    "model.num_attention_heads": 2, "model.sim_layers": 1, "model.max_question_length": 32,
    "data.quality_grade": "B", "data.questions_per_image": 64, "deepspeed.enabled": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def classifier(workspace, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    chosen = {**SMALL, "data.workspace": workspace, "training.output_dir": folder}
    settings = load_settings(None, "classify", chosen)
    return train_classifier(settings), settings


def test_the_saved_thresholds_are_those_of_the_validation_studies(classifier):
    run, settings = classifier
    for folder in (run.best_model, run.run_dir / "best_model_raw", run.run_dir / "best_model_averaged"):
        saved = ModelCalibration.load(folder)
        table = predict_classifier(folder, settings, split="validate", conditions=("model",))
        probabilities = np.array(table.column("probabilities").to_pylist())
        labels = np.array(table.column("labels").to_pylist()) == 1
        for place, finding in enumerate(FINDINGS):
            found = saved.heads["classifier"][finding]
            assert (found.n, found.n_positive) == (len(labels), labels[:, place].sum())
            expected = best_f1_threshold(labels[:, place], probabilities[:, place])
            if np.isnan(expected):
                assert found.threshold is None
            else:
                assert found.threshold == pytest.approx(expected, abs=2e-6)


def test_the_evaluation_uses_what_the_model_says(classifier, tmp_path):
    run, settings = classifier
    saved = ModelCalibration.load(run.best_model)
    result = evaluate_model(run.best_model, settings, output_dir=tmp_path / "out")
    report = json.loads(result.report_path.read_text())
    own = {name: one.threshold for name, one in saved.heads["classifier"].items()}
    assert report["thresholds"]["values"] == own
    assert any("saved with it" in note for note in report["notes"])
    scaled = [line for line in report["metrics"] if line["name"] == "calibration_error_after_temperature"]
    assert {line["condition"] for line in scaled} == {"model"}
    assert any(line["value"] is not None for line in scaled)


def test_an_older_model_without_calibration_is_scored_as_before(classifier, tmp_path):
    run, settings = classifier
    (run.best_model / "calibration.json").rename(tmp_path / "kept.json")
    try:
        result = evaluate_model(run.best_model, settings, output_dir=tmp_path / "out")
    finally:
        (tmp_path / "kept.json").rename(run.best_model / "calibration.json")
    report = json.loads(result.report_path.read_text())
    assert not any("saved with it" in note for note in report["notes"])
    assert any(value is not None for value in report["thresholds"]["values"].values())
    line = next(one for one in report["metrics"] if one["name"] == "calibration_error_after_temperature")
    assert line["undefined_reason"] == "the model has no fitted temperature"


def test_a_vqa_model_has_temperatures_and_groups(workspace, tmp_path):
    chosen = {**SMALL, **VQA, "data.workspace": workspace, "training.output_dir": tmp_path}
    run = train_vqa(load_settings(None, "vqa", chosen))
    saved = ModelCalibration.load(run.best_model)
    assert saved.unit == "questions"
    assert set(saved.head_temperatures) <= {"binary", "severity"}
    assert saved.head_temperatures["binary"] > 0
    yes, no = saved.heads["binary"]["yes"], saved.heads["binary"]["no"]
    assert yes.n == no.n == yes.n_positive + no.n_positive
    assert "questions scored like this" in saved.describe("binary", "yes", 0.5)


def test_studies_not_films_are_counted():
    probabilities = np.zeros((3, 14))
    probabilities[:, 0] = [0.2, 0.8, 0.9]
    labels = np.zeros((3, 14))
    labels[2, 0] = 1.0
    labels[:, 1] = np.nan
    found = calibrate_findings(probabilities, np.array([7, 7, 9]), labels).heads["classifier"]
    assert (found["Atelectasis"].n, found["Atelectasis"].n_positive) == (2, 1)
    assert found["Atelectasis"].threshold == pytest.approx(0.7)
    assert found["Cardiomegaly"].threshold is None


def test_heads_are_calibrated_by_their_kind():
    binary = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    region = np.eye(26)[:2], np.full((2, 26), 0.3)
    found = calibrate_answers({Head.BINARY: binary, Head.REGION: region})
    assert set(found.head_temperatures) == {"binary"}
    assert found.heads["region"]["aortic arch"].n_positive == 1
    assert found.heads["binary"]["yes"].threshold == 0.5
