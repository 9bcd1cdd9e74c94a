"""The network from the outside: masks, batching, graph sources, precision."""

from dataclasses import replace

import pytest
import torch
from small_network import ENTITIES, QUESTIONS, build, small_config

from cxrkit.models.configuration import SSGVQAConfig
from cxrkit.models.nodes import GRAPH_SOURCES, DataSetGraph
from cxrkit.models.vqa import SSGVQAModel

HEADS = ("binary", "category", "region", "severity")
IMAGES_OF = torch.tensor([0, 1, 1, 0, 1])
ASKED = (*QUESTIONS, QUESTIONS[0])


def close(first, second, **tolerance):
    torch.testing.assert_close(first, second, **({"atol": 1e-5, "rtol": 1e-5} | tolerance))


def graph_of(boxes=(0.1, 0.1, 0.5, 0.6), findings=1.0, films=1):
    return DataSetGraph(
        torch.tensor(boxes).repeat(films, 26, 1),
        torch.full((films, 26, len(ENTITIES)), findings),
        torch.ones(films).bool(),
    )


@torch.no_grad()
@pytest.mark.parametrize("source", GRAPH_SOURCES)
def test_many_questions_at_once_equal_one_at_a_time(model, images, source):
    given = graph_of(films=2)
    together = model.answer(model.encode_image(images, source=source, given=given), ASKED, IMAGES_OF)
    for row, question in enumerate(ASKED):
        film = slice(int(IMAGES_OF[row]), int(IMAGES_OF[row]) + 1)
        own = DataSetGraph(given.boxes_xyxy_rel[film], given.findings[film], given.valid[film])
        alone = model.answer(model.encode_image(images[film], source=source, given=own), [question])
        for part in (*HEADS, "grounding"):
            close(getattr(alone, part)[0], getattr(together, part)[row])


@torch.no_grad()
def test_padding_tokens_change_no_answer(model, images):
    tokens = model.tokenizer(list(QUESTIONS[:2]), padding="longest", return_tensors="pt")
    ids, mask = tokens["input_ids"], tokens["attention_mask"]
    longer_ids = torch.nn.functional.pad(ids, (0, 5), value=7)
    longer_mask = torch.nn.functional.pad(mask, (0, 5))
    plain, padded = model(images, ids, mask).answers, model(images, longer_ids, longer_mask).answers
    for part in (*HEADS, "grounding"):
        close(getattr(plain, part), getattr(padded, part))


@torch.no_grad()
def test_permuting_nodes_changes_no_answer(model, images):
    encoded = model.encode_image(images)
    order = torch.randperm(26, generator=torch.Generator().manual_seed(1))
    plain = model.answer(encoded, ASKED, IMAGES_OF, with_attention=True)
    permuted = model.answer(encoded.with_nodes(order), ASKED, IMAGES_OF, with_attention=True)
    for part in (*HEADS, "visual_attention"):
        close(getattr(plain, part), getattr(permuted, part))
    close(plain.grounding[:, order], permuted.grounding)
    close(plain.sim_attention[:, order], permuted.sim_attention)
    close(plain.node_attention[:, order], permuted.node_attention)


@torch.no_grad()
def test_padding_nodes_changes_no_answer(model, images):
    encoded = model.encode_image(images)
    padded = encoded.padded(5)
    padded = replace(padded, nodes=padded.nodes.clone().index_fill(1, torch.arange(26, 31), 100.0))
    plain, more = (model.answer(films, ASKED, IMAGES_OF) for films in (encoded, padded))
    for part in HEADS:
        close(getattr(plain, part), getattr(more, part))
    close(plain.grounding, more.grounding[:, :26])
    assert (more.grounding[:, 26:].sigmoid() < 1e-6).all()


@torch.no_grad()
def test_a_removed_node_answers_as_if_the_graph_had_none_there(model, images):
    encoded = model.encode_image(images)
    removed = torch.zeros(2, 26, dtype=torch.bool)
    removed[:, [3, 7, 20]] = True
    rest = encoded.with_nodes(torch.nonzero(~removed[0]).flatten())
    without, shorter, whole = (
        model.answer(films, ASKED, IMAGES_OF) for films in (encoded.without_nodes(removed), rest, encoded)
    )
    for part in HEADS:
        close(getattr(without, part), getattr(shorter, part))
        assert not torch.allclose(getattr(without, part), getattr(whole, part), atol=1e-4)
    close(without.grounding[:, ~removed[0]], shorter.grounding)
    assert (without.grounding[:, removed[0]].sigmoid() < 1e-6).all()
    other = encoded.without_nodes(torch.stack([removed[0], ~removed[0]]))
    of_first = [row for row, film in enumerate(IMAGES_OF.tolist()) if film == 0]
    close(model.answer(other, ASKED, IMAGES_OF).binary[of_first], without.binary[of_first])


@torch.no_grad()
def test_answers_depend_on_film_and_on_question(model, images):
    films = model.encode_image(images)
    answers = model.answer(films, QUESTIONS[:2], torch.tensor([0, 0]))
    other = model.answer(films, QUESTIONS[:2], torch.tensor([1, 1]))
    assert not torch.allclose(answers.binary[0], answers.binary[1])
    assert not torch.allclose(answers.binary[0], other.binary[0])


@torch.no_grad()
def test_a_film_is_encoded_once_and_so_are_its_keys_and_equal_questions(model, images, monkeypatch):
    calls = {"films": 0, "keys": 0, "texts": []}
    visual, read_film, questions = model.visual.forward, model.fusion.read_film, model.questions.forward

    def count(name, function):
        def counted(*given, **named):
            calls[name] += 1
            return function(*given, **named)

        return counted

    def noted(ids, mask):
        calls["texts"].append(len(ids))
        return questions(ids, mask)

    monkeypatch.setattr(model.visual, "forward", count("films", visual))
    monkeypatch.setattr(model.fusion, "read_film", count("keys", read_film))
    monkeypatch.setattr(model.questions, "forward", noted)
    encoded = model.encode_image(images)
    for _ in range(3):
        model.answer(encoded, ASKED, IMAGES_OF)
    assert calls == {"films": 1, "keys": 1, "texts": [len(QUESTIONS)] * 3}


@torch.no_grad()
def test_predicted_graph_never_reads_the_data_sets_graph(model, images):
    bare, given = model.encode_image(images), model.encode_image(images, given=graph_of(films=2))
    close(bare.nodes, given.nodes, rtol=0, atol=0)
    close(bare.finding_logits, given.finding_logits, rtol=0, atol=0)


@torch.no_grad()
@pytest.mark.parametrize(("source", "reads_findings"), [("anatomy", False), ("oracle", True)])
def test_graph_sources_read_what_they_say(model, images, source, reads_findings):
    none, some = graph_of(findings=0.0), graph_of()
    for graph in (none, some):
        graph.boxes_xyxy_rel[0, 0] = 0.0
    film = images[:1]
    first, second = (model.encode_image(film, source=source, given=graph) for graph in (none, some))
    answers = [model.answer(films, QUESTIONS[:1]).binary for films in (first, second)]
    assert torch.equal(*answers) is not reads_findings
    assert first.node_mask.tolist() == [[False] + [True] * 25]
    assert first.graph is None


@torch.no_grad()
def test_each_film_may_have_a_source_of_its_own(model, images):
    given = graph_of(films=2)
    mixed = model.encode_image(images, source=["oracle", "predicted"], given=given)
    for row, source in enumerate(("oracle", "predicted")):
        alone = model.encode_image(images, source=source, given=given)
        for part in ("nodes", "node_mask", "finding_logits", "node_boxes_xyxy_rel", "edges"):
            close(getattr(mixed, part)[row], getattr(alone, part)[row])


def test_a_source_without_what_it_needs_is_told(model, images):
    with pytest.raises(ValueError, match="needs the data set's graph"):
        model.encode_image(images, source="oracle")
    with pytest.raises(ValueError, match="known: predicted"):
        model.encode_image(images, source="dreamt")
    with pytest.raises(ValueError, match="image_of_question"):
        model.answer(model.encode_image(images), QUESTIONS)
    model.tokenizer = None
    with pytest.raises(ValueError, match="no tokenizer"):
        model.answer(model.encode_image(images), QUESTIONS[:2])


@torch.no_grad()
def test_no_graph_means_nodes_and_table_do_not_matter(config, images):
    model = build(config, scene_graph_source="none")
    films = model.encode_image(images)
    changed = replace(
        films,
        nodes=torch.randn_like(films.nodes),
        finding_logits=torch.randn_like(films.finding_logits),
    )
    first, second = (model.answer(each, QUESTIONS[:2]) for each in (films, changed))
    for part in HEADS:
        assert torch.isfinite(getattr(first, part)).all()
        close(getattr(first, part), getattr(second, part), rtol=0, atol=0)


def test_gradients_reach_the_backbone_through_the_predicted_graph(config, images):
    # Without patches' share and readings, only the nodes carry the film.
    model = build(config, graph_readings=0)
    encoded = model.encode_image(images)
    encoded.finding_logits.retain_grad()
    silent = tuple(type(kv)(kv.keys.detach(), kv.values.detach()) for kv in encoded.visual)
    model.answer(replace(encoded, visual=silent), QUESTIONS[:2]).binary.sum().backward()
    stem = next(part for part in model.visual.body.modules() if isinstance(part, torch.nn.Conv2d))
    assert stem.weight.grad.abs().sum() > 0
    assert encoded.finding_logits.grad.abs().sum() > 0
    assert model.nodes.entity_embedding.grad.abs().sum() > 0
    assert model.scene_graph.findings[-1].weight.grad.abs().sum() > 0


@torch.no_grad()
def test_edges_can_be_switched_off(config, images):
    without, with_edges = build(config, graph_edges=False), build(config)
    missing, unexpected = without.load_state_dict(with_edges.state_dict(), strict=False)
    assert not missing
    assert all("edges" in name for name in unexpected)
    answers = [
        model.answer(model.encode_image(images), QUESTIONS[:2]).binary for model in (without, with_edges)
    ]
    assert not torch.allclose(*answers)
    for layer in with_edges.interaction.layers:
        layer.edges.weight.zero_()
    close(answers[0], with_edges.answer(with_edges.encode_image(images), QUESTIONS[:2]).binary)


@torch.no_grad()
@pytest.mark.parametrize("source", ["roi", "global", "both"])
def test_node_features_come_from_where_the_setting_says(config, images, source):
    model = build(config, roi_source=source)
    here, there = graph_of((0.0, 0.0, 0.4, 0.4)), graph_of((0.6, 0.6, 1.0, 1.0))
    features = model.visual(images[:1])
    roi = [model.nodes._roi_features(features, graph.boxes_xyxy_rel, None) for graph in (here, there)]
    assert torch.equal(*roi) is (source == "global")


@torch.no_grad()
def test_attention_is_given_when_asked_for(model, images):
    encoded = model.encode_image(images)
    answers = model.answer(encoded, QUESTIONS[:2], with_attention=True)
    assert answers.visual_attention.shape == (2, 4)
    assert (answers.visual_attention.sum(-1) < 1).all()
    assert answers.sim_attention.shape[:2] == (2, 26)
    assert answers.node_attention.shape == (2, 26)
    assert (answers.node_attention.sum(-1) + answers.visual_attention.sum(-1) < 1).all()
    close(answers.sim_attention.sum(-1), torch.ones(2, 26))
    assert model.answer(encoded, QUESTIONS[:2]).sim_attention is None


def test_gradient_checkpointing_changes_no_gradient(model, images):
    def gradient():
        model.zero_grad()
        model.train()
        torch.manual_seed(3)
        model.answer(model.encode_image(images), QUESTIONS[:2]).binary.sum().backward()
        return {
            name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None
        }

    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 0.0
    plain = gradient()
    model.gradient_checkpointing_enable()
    for name, value in gradient().items():
        close(value, plain[name], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("source", GRAPH_SOURCES)
def test_half_precision_runs_forward_and_backward(model, images, source, dtype):
    model.train()
    with torch.autocast("cpu", dtype=dtype):
        encoded = model.encode_image(images, source=source, given=graph_of(films=2))
        answers = model.answer(encoded, ASKED, IMAGES_OF, with_attention=True)
    loss = sum(getattr(answers, part).float().square().mean() for part in HEADS)
    loss = loss + answers.grounding.float().sigmoid().mean() + encoded.chexpert_logits.float().mean()
    loss.backward()
    assert torch.isfinite(loss)
    grads = [value.grad for value in model.parameters() if value.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def test_the_default_is_the_documented_model():
    config = SSGVQAConfig()
    with torch.device("meta"):
        model = SSGVQAModel(config)
    assert config.scene_graph_dim == 134
    assert model.nodes.project[0].in_features == 134 + 512 == 646
    assert model.nodes.project[0].out_features == config.hidden_size == 768
    assert model.nodes.roi.out_features == config.visual_feature_dim == 512
    assert len(model.fusion.layers) == 6
    assert all(layer.attention.heads == 12 for layer in model.fusion.layers)
    assert all(layer.feed_forward[0].out_features == 3072 for layer in model.fusion.layers)
    assert len(model.interaction.layers) == 2
    assert {name: head.out_features for name, head in model.heads.items()} == {
        "binary": 2, "category": 14, "region": 26, "severity": 4,
    }  # fmt: skip
    assert model.chexpert.out_features == 14
    assert model.questions.encoder.config.hidden_size == 768
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    # ConvNeXt-Base without its head has 87,564,416 parameters, BERT-base without a pooler 107,719,680.
    assert counts["visual"] == 87_564_416 + (512 + 1024 + 2) * 512 + 2 * 512
    assert counts["questions"] == 107_719_680
    layer = 4 * (768 * 768 + 768) + 2 * 768 * 3072 + 3072 + 768 + 4 * 768
    assert counts["fusion"] == 6 * layer + 2 * 768


def test_a_network_without_film_answers_the_same_whatever_it_is_shown():
    model = build(small_config(), reads_film=False, scene_graph_source="none")
    assert not list(model.visual.parameters())
    first, second = torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        blank, shown = (model.answer(model.encode_image(film), QUESTIONS[:1]) for film in (first, second))
        seeing = build(small_config(), scene_graph_source="none")
        dark, bright = (seeing.answer(seeing.encode_image(film), QUESTIONS[:1]) for film in (first, second))
    assert torch.equal(blank.binary, shown.binary)
    assert not torch.equal(dark.binary, bright.binary)
