"""Losses against plain formulas, their masks, and gradients at awkward inputs."""

import pytest
import torch
from torch.nn import functional

from cxrkit.models.loss_parts import masked_sum
from cxrkit.models.losses import (
    answer_losses,
    chexpert_loss,
    grounding_loss,
    multi_label_loss,
    scene_graph_losses,
    single_label_loss,
)
from cxrkit.models.outputs import Answers, PredictedGraph


def test_masked_targets_do_not_count():
    logits, target = torch.randn(5, 4), torch.tensor([0, -1, 3, -1, 2])
    expected = functional.cross_entropy(logits, target, ignore_index=-1)
    torch.testing.assert_close(single_label_loss(logits, target).mean(), expected)


def test_a_head_without_questions_gives_zero_and_no_nan():
    logits = torch.randn(3, 4, requires_grad=True)
    loss = single_label_loss(logits, torch.tensor([-1, -1, -1])).mean()
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert torch.equal(logits.grad, torch.zeros(3, 4))


def test_every_head_is_divided_by_its_own_number():
    answers = Answers(
        torch.zeros(4, 2), torch.zeros(4, 14), torch.zeros(4, 26), torch.zeros(4, 4), torch.zeros(4, 26)
    )
    batch = {
        "head": torch.tensor([0, 1, 2, 2]),
        "binary_target": torch.tensor([1, -1, -1, -1]),
        "severity_target": torch.full((4,), -1),
        "category_target": torch.zeros(4, 14),
        "category_valid": torch.tensor([True, True, True, True]),
        "region_target": torch.zeros(4, 26),
        "region_valid": torch.tensor([False, False, True, False]),
    }
    losses = answer_losses(answers, batch)
    for name in ("binary", "category", "region"):
        assert float(losses[name].mean()) == pytest.approx(0.6931, abs=1e-3)
    assert float(losses["severity"].mean()) == 0.0


def test_blank_and_uncertain_labels():
    logits = torch.zeros(1, 14)
    labels = torch.full((1, 14), float("nan"))
    labels[0, :2] = torch.tensor([1.0, -1.0])
    assert float(chexpert_loss(logits, labels, blank_is_negative=False).mean()) == pytest.approx(
        0.6931, abs=1e-3
    )
    logits[0, 5] = 20.0  # confidently positive where the label is blank
    assert float(chexpert_loss(logits, labels, blank_is_negative=False).mean()) == pytest.approx(
        0.6931, abs=1e-3
    )
    assert float(chexpert_loss(logits, labels, blank_is_negative=True).mean()) > 1.5


def test_losses_are_fp32_for_half_precision_logits():
    logits = torch.full((2, 14), 30.0, dtype=torch.bfloat16)
    loss = multi_label_loss(logits, torch.zeros(2, 14), torch.tensor([True, True])).mean()
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(30.0, rel=1e-3)


def test_graph_losses_are_zero_only_for_the_right_boxes():
    boxes = torch.tensor([[[0.1, 0.2, 0.5, 0.6]] * 26])
    right = torch.tensor([[[0.3, 0.4, 0.4, 0.4]] * 26])
    findings = torch.zeros(1, 26, 3)
    graph = PredictedGraph(right, torch.zeros(1, 26), torch.full((1, 26, 3), -20.0), torch.zeros(1, 26, 2))
    has_box = torch.ones(1, 26, dtype=torch.bool)
    losses = scene_graph_losses(graph, boxes, has_box, findings, torch.tensor([True]))
    assert float(losses["graph_box"].mean()) == pytest.approx(0, abs=1e-5)
    assert float(losses["graph_findings"].mean()) == pytest.approx(0, abs=1e-5)
    moved = PredictedGraph(right + 0.05, torch.zeros(1, 26), torch.zeros(1, 26, 3), torch.zeros(1, 26, 2))
    losses = scene_graph_losses(moved, boxes, has_box, findings, torch.tensor([True]))
    assert float(losses["graph_box"].mean()) > 0.1
    nothing = scene_graph_losses(moved, boxes, has_box, findings, torch.tensor([False]))
    assert all(float(value.mean()) == 0.0 for value in nothing.values())


def test_a_masked_sum_ignores_nan_under_the_mask():
    values = torch.tensor([1.0, float("nan"), 3.0])
    assert float(masked_sum(values, torch.tensor([True, False, True])).mean()) == 2.0


def test_grounding_counts_existing_nodes_of_questions_with_boxes_only():
    logits = torch.randn(3, 26, requires_grad=True)
    target, valid = torch.randint(0, 2, (3, 26)).float(), torch.tensor([True, False, True])
    exists = torch.rand(3, 26) < 0.7
    exists[0] = True
    loss = grounding_loss(logits, target, valid, exists).mean()
    plain = [
        functional.binary_cross_entropy_with_logits(logits[row, exists[row]], target[row, exists[row]])
        for row in (0, 2)
    ]
    torch.testing.assert_close(loss, (plain[0] + plain[1]) / 2)
    loss.backward()
    assert not logits.grad[~(valid[:, None] & exists)].any()
    nothing = grounding_loss(logits, target, valid, torch.zeros(3, 26).bool())
    assert float(nothing.mean().detach()) == 0.0
