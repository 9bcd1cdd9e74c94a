"""The network from the outside: masks, batching, graph sources, saving and loading."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cxrkit.errors import ArtifactError
from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.text import scratch_text_config
from cxrkit.models.vqa import SSGVQAModel

ENTITIES = ("atelectasis", "cardiomegaly", "edema")


@pytest.fixture
def config() -> SSGVQAConfig:
    return SSGVQAConfig(
        visual_backbone="resnet10t",
        text_encoder="scratch:tiny",
        text_config=scratch_text_config("scratch:tiny", vocabulary_size=40, max_length=16),
        entities=ENTITIES,
        entity_name_shape=(3, 2),
        region_name_shape=(26, 3),
        image_size=64,
        image_mean=(0.5, 0.5, 0.5),
        image_std=(0.25, 0.25, 0.25),
        visual_feature_dim=32,
        region_embedding_dim=8,
        entity_embedding_dim=8,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        visual_patches=2,
    )


@pytest.fixture
def model(config: SSGVQAConfig) -> SSGVQAModel:
    torch.manual_seed(0)
    model = fill_names(SSGVQAModel(config)).eval()
    model.scene_graph.set_reference_boxes(torch.tensor([0.2, 0.3, 0.6, 0.8]).expand(26, 4))
    return model


def fill_names(model: SSGVQAModel) -> SSGVQAModel:
    """Gives a network without a tokenizer some names, as training does from the data's vocabularies."""
    for matcher in (model.questions.entities, model.questions.regions):
        matcher.pieces.random_(4, 40)
        matcher.owner.copy_(torch.arange(len(matcher.owner)))
    return model


def ask(model: SSGVQAModel, films, images_of, ids, mask):
    return model.answer(films, images_of, model.questions(ids, mask))


@torch.no_grad()
def test_many_questions_at_once_equal_one_at_a_time(model):
    images = torch.randn(2, 3, 64, 64)
    ids = torch.randint(4, 40, (3, 7))
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    images_of = torch.tensor([0, 1, 1])
    together = ask(model, model.encode_images(images), images_of, ids, mask)
    for row in range(3):
        film = model.encode_images(images[images_of[row] : images_of[row] + 1])
        length = int(mask[row].sum())
        alone = ask(model, film, torch.tensor([0]), ids[row : row + 1, :length], mask[row : row + 1, :length])
        for head in ("binary", "category", "region", "severity", "grounding"):
            torch.testing.assert_close(
                getattr(alone, head)[0], getattr(together, head)[row], atol=1e-5, rtol=1e-4
            )


@torch.no_grad()
def test_answers_depend_on_film_and_on_question(model):
    films = model.encode_images(torch.randn(2, 3, 64, 64))
    ids = torch.tensor([[2, 5, 6, 3], [2, 9, 8, 3]])
    answers = ask(model, films, torch.tensor([0, 0]), ids, torch.ones_like(ids))
    other = ask(model, films, torch.tensor([1, 1]), ids, torch.ones_like(ids))
    assert not torch.allclose(answers.binary[0], answers.binary[1])
    assert not torch.allclose(answers.binary[0], other.binary[0])


@torch.no_grad()
def test_predicted_graph_never_reads_the_data_sets_graph(model):
    images = torch.randn(2, 3, 64, 64)
    bare = model.encode_images(images)
    given = model.encode_images(images, torch.rand(2, 26, 4), torch.ones(2, 26, len(ENTITIES)))
    torch.testing.assert_close(bare.nodes, given.nodes, rtol=0, atol=0)


@torch.no_grad()
@pytest.mark.parametrize(("source", "reads_findings"), [("anatomy", False), ("oracle", True)])
def test_graph_sources_read_what_they_say(config, source, reads_findings):
    model = fill_names(SSGVQAModel(replace(config, scene_graph_source=source))).eval()
    images, boxes = torch.randn(1, 3, 64, 64), torch.tensor([0.1, 0.1, 0.5, 0.6]).repeat(1, 26, 1)
    boxes[0, 0] = 0.0
    none, some = torch.zeros(1, 26, len(ENTITIES)), torch.ones(1, 26, len(ENTITIES))
    first, second = model.encode_images(images, boxes, none), model.encode_images(images, boxes, some)
    assert torch.equal(first.nodes, second.nodes) is not reads_findings
    assert first.node_mask.tolist() == [[False] + [True] * 25]
    assert first.graph is None


@torch.no_grad()
def test_no_graph_means_nodes_do_not_matter(config):
    model = fill_names(SSGVQAModel(replace(config, scene_graph_source="none"))).eval()
    films = model.encode_images(torch.randn(1, 3, 64, 64))
    ids = torch.tensor([[2, 5, 3]])
    answers = ask(model, films, torch.tensor([0]), ids, torch.ones_like(ids))
    changed = replace(films, nodes=torch.randn_like(films.nodes))
    again = ask(model, changed, torch.tensor([0]), ids, torch.ones_like(ids))
    assert torch.isfinite(answers.binary).all()
    torch.testing.assert_close(answers.binary, again.binary)
    torch.testing.assert_close(answers.region, again.region)


def test_gradient_checkpointing_changes_no_gradient(model):
    images, ids = torch.randn(1, 3, 64, 64), torch.tensor([[2, 5, 3]])

    def gradient():
        model.zero_grad()
        ask(
            model, model.encode_images(images), torch.tensor([0]), ids, torch.ones_like(ids)
        ).binary.sum().backward()
        return {
            name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None
        }

    plain = gradient()
    model.enable_gradient_checkpointing()
    for name, value in gradient().items():
        torch.testing.assert_close(value, plain[name])


@torch.no_grad()
def test_saved_model_gives_bit_identical_logits(model, tmp_path: Path):
    model.save(tmp_path)
    loaded = SSGVQAModel.load(tmp_path).eval()
    images, ids = torch.randn(2, 3, 64, 64), torch.tensor([[2, 7, 3], [2, 8, 3]])
    for part in ("binary", "category", "region", "severity", "grounding"):
        one = ask(model, model.encode_images(images), torch.tensor([0, 1]), ids, torch.ones_like(ids))
        two = ask(loaded, loaded.encode_images(images), torch.tensor([0, 1]), ids, torch.ones_like(ids))
        assert torch.equal(getattr(one, part), getattr(two, part))


def test_missing_or_unexpected_weight_is_an_error(model, tmp_path: Path):
    model.save(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(iter(weights))
    save_file(
        {name: value for name, value in weights.items() if name != lost}, tmp_path / "model.safetensors"
    )
    with pytest.raises(ArtifactError, match="1 of"):
        SSGVQAModel.load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match="cannot be read"):
        SSGVQAModel.load(tmp_path)


def test_config_of_another_model_is_an_error(model, tmp_path: Path):
    model.save(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content | {"model_type": "ClassifierConfig"}))
    with pytest.raises(ArtifactError, match="does not describe"):
        SSGVQAModel.load(tmp_path)
    with pytest.raises(ArtifactError, match="no model"):
        SSGVQAModel.load(tmp_path / "nowhere")
