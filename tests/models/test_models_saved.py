"""Models on disk: the transformers way in and out, and no wrong weight."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_network import QUESTIONS
from transformers import AutoConfig, AutoModel, PreTrainedModel

from cxrkit.errors import ArtifactError
from cxrkit.models.classifier import CXRClassifier
from cxrkit.models.configuration import ClassifierConfig, SSGVQAConfig
from cxrkit.models.vqa import SSGVQAModel


def logits(model, images):
    with torch.no_grad():
        answers = model.answer(model.encode_image(images), QUESTIONS[:2])
    return {
        part: getattr(answers, part) for part in ("binary", "category", "region", "severity", "grounding")
    }


@pytest.mark.parametrize("load", [SSGVQAModel.from_pretrained, AutoModel.from_pretrained])
def test_a_reloaded_model_gives_bit_identical_logits(model, images, tmp_path: Path, load):
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors", "tokenizer"}
    loaded = load(tmp_path)
    assert isinstance(loaded, SSGVQAModel)
    assert isinstance(loaded, PreTrainedModel)
    assert not loaded.training
    before, after = logits(model, images), logits(loaded, images)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_configuration_survives_the_disk(model, tmp_path):
    model.save_pretrained(tmp_path)
    for config in (AutoConfig.from_pretrained(tmp_path), SSGVQAConfig.load(tmp_path)):
        assert type(config) is SSGVQAConfig
        names = ("entities", "image_mean", "hidden_size", "text_config", "graph_edges", "grey_input")
        assert all(getattr(config, name) == getattr(model.config, name) for name in names)


def test_weights_stay_in_single_precision(model, images, tmp_path):
    model.save_pretrained(tmp_path)
    assert SSGVQAModel.from_pretrained(tmp_path, dtype="auto").dtype == torch.float32
    with pytest.raises(TypeError, match=r"torch\.autocast"):
        SSGVQAModel.from_pretrained(tmp_path, dtype=torch.bfloat16)
    with pytest.raises(TypeError, match="device_map"):
        SSGVQAModel.from_pretrained(tmp_path, device_map="auto")


@pytest.mark.parametrize(
    "push",
    [
        lambda model, folder: model.push_to_hub("me/films", private=True),
        lambda model, folder: model.save_pretrained(folder, push_to_hub=True, repo_id="me/films"),
    ],
)
def test_a_model_goes_to_the_hub_with_its_tokenizer_and_nothing_else(model, monkeypatch, tmp_path, push):
    sent = {}

    class Hub:
        def create_repo(self, repo_id, **_):
            return type("Repository", (), {"repo_id": repo_id})

        def create_commit(self, repo_id, operations, **_):
            sent[repo_id] = {operation.path_in_repo for operation in operations}

    monkeypatch.setattr("transformers.utils.hub.hf_api", Hub)
    monkeypatch.setattr("transformers.utils.hub.create_and_tag_model_card", lambda *_, **__: Card())
    push(model, tmp_path / "films")
    assert {name for name in sent["me/films"] if not name.startswith("tokenizer/")} <= {
        "config.json", "model.safetensors", "README.md",
    }  # fmt: skip
    assert {"config.json", "model.safetensors"} <= sent["me/films"]
    assert any(name.startswith("tokenizer/") for name in sent["me/films"])


class Card:
    def save(self, path):
        Path(path).write_text("card")


def test_missing_or_unexpected_weight_is_an_error(model, tmp_path: Path):
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(iter(weights))
    others = {name: value for name, value in weights.items() if name != lost}
    for wrong in (others, weights | {"more": torch.zeros(1)}, others | {lost: torch.zeros(1, 2, 3)}):
        save_file(wrong, tmp_path / "model.safetensors")
        for load in (SSGVQAModel.from_pretrained, AutoModel.from_pretrained):
            with pytest.raises(ArtifactError, match="1 of"):
                load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="cannot be read"):
        SSGVQAModel.from_pretrained(tmp_path)


def test_config_of_another_model_or_version_is_an_error(model, tmp_path: Path):
    model.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"model_type": "cxr_classifier"}))
    with pytest.raises(ArtifactError, match="does not describe"):
        SSGVQAModel.from_pretrained(tmp_path)
    for wrong in ({**content, "colour": 1}, {key: content[key] for key in content if key != "sim_layers"}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ArtifactError, match=r"colour|sim_layers"):
            SSGVQAModel.from_pretrained(tmp_path)
    with pytest.raises(ArtifactError, match="no model"):
        SSGVQAModel.from_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "wrong",
    [{"roi_source": "x"}, {"grey_input": "avarage"}, {"scene_graph_source": "dreamt"}, {"hiden_size": 3}],
)
def test_a_configuration_with_a_slip_is_refused(wrong):
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        SSGVQAConfig(**wrong)


def test_a_hub_name_without_a_hub_is_told_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr("cxrkit.models.saved_model.hub_is_reachable", lambda: False)
    with pytest.raises(ArtifactError, match="me/films cannot be had"):
        SSGVQAModel.from_pretrained("me/films", cache_dir=tmp_path)


def test_the_classifier_is_saved_the_same_way(tmp_path):
    classifier = CXRClassifier(ClassifierConfig(visual_backbone="resnet10t", image_size=64)).eval()
    classifier.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path)
    assert isinstance(loaded, CXRClassifier)
    films = torch.randn(1, 3, 64, 64)
    assert torch.equal(classifier(films), loaded(films))
