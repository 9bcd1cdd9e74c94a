"""The way from a model folder to the evaluation's files; the prediction itself is stood in for."""

import json

import numpy as np
import pytest

from cxrkit.config import ClassifySettings, VQASettings
from cxrkit.data.index import Index
from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.evaluation import run
from cxrkit.evaluation.workspace_films import workspace_films
from cxrkit.inference.questions import VQAPredictions
from cxrkit.models.configuration import ClassifierConfig, SSGVQAConfig


@pytest.fixture
def model_folder(tmp_path):
    def make(kind):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        return tmp_path

    return make


@pytest.fixture
def no_films(monkeypatch):
    monkeypatch.setattr(run, "workspace_films", lambda workspace: None)


def test_a_vqa_model_is_predicted_scored_and_reported(
    model_folder, no_films, monkeypatch, vqa_table, graph_table, tmp_path
):
    asked = {}

    def predict(model_path, settings, **options):
        asked.update(options)
        return VQAPredictions(vqa_table, graph_table)

    monkeypatch.setattr(run, "predict_vqa", predict)
    result = run.evaluate_model(
        model_folder(SSGVQAConfig.model_type),
        VQASettings(),
        split="validate",
        output_dir=tmp_path / "out",
        protocols=["oracle", "none"],
        compute_attention=True,
        explanation_questions=20,
    )
    assert asked["protocols"] == ["oracle", "none"]
    assert (asked["split"], asked["compute_attention"]) == ("validate", True)
    assert asked["explanation_questions"] == 20
    assert [row[0] for row in result.evidence][:2] == [
        "oracle: upper bound (leaks the answer)",
        "predicted graph (this model)",
    ]
    assert "Predicted scene graph" in result.html_path.read_text()
    assert result.report_path.exists()
    assert result.html_path.exists()
    assert any(row[0] == "Region: micro F1 over sets" for row in result.table)


def test_a_classifier_is_predicted_scored_and_reported(
    model_folder, no_films, monkeypatch, classify_table, tmp_path
):
    monkeypatch.setattr(run, "predict_classifier", lambda *_, **__: classify_table)
    result = run.evaluate_model(
        model_folder(ClassifierConfig.model_type), ClassifySettings(), output_dir=tmp_path / "out"
    )
    assert result.table[0][0].startswith("Classifier: mean AUROC")
    assert result.evidence == []
    with pytest.raises(SettingsError, match="--protocols"):
        run.evaluate_model(tmp_path, ClassifySettings(), output_dir=tmp_path / "out", protocols=["oracle"])
    with pytest.raises(SettingsError, match="--compute_explanations"):
        run.evaluate_model(tmp_path, ClassifySettings(), output_dir=tmp_path / "out", explanation_questions=5)


def test_a_model_of_the_other_task_or_of_no_known_kind_is_refused(model_folder, tmp_path):
    folder = model_folder(ClassifierConfig.model_type)
    with pytest.raises(ArtifactError, match="different tasks"):
        run.evaluate_model(folder, VQASettings(), output_dir=tmp_path / "out")
    with pytest.raises(ArtifactError, match="unknown kind"):
        run.task_of_model(model_folder("Other"))
    with pytest.raises(ArtifactError, match="no model"):
        run.task_of_model(tmp_path / "nothing")


def test_films_of_a_workspace_are_found_by_name_with_the_way_to_their_pixels(workspace):
    find = workspace_films(workspace)
    image = Index.open(workspace).images.slice(3, 1).to_pylist()[0]
    film = find(image["dicom_id"])
    whole = film.place(np.array([[0.0, 0.0, image["columns"], image["rows"]]]))[0]
    assert max(whole[2] - whole[0], whole[3] - whole[1]) == pytest.approx(film.pixels.shape[0], abs=1.0)
    x1, y1, x2, y2 = whole.round().astype(int)
    outside = film.pixels.astype(int).sum() - film.pixels[y1:y2, x1:x2].astype(int).sum()
    assert outside == 0, "beside the film there is nothing"
    assert find("no such film") is None
