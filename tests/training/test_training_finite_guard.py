"""Losses and gradients that are not finite: updates left out, counted, and an end with words."""

import json
from types import SimpleNamespace

import pytest
import torch
from test_training_runs import vqa_settings

from cxrkit.errors import TrainingDivergedError
from cxrkit.models.vqa import SSGVQAModel
from cxrkit.training.finite_guard import FiniteGuard, diverged_before_update
from cxrkit.training.modules import VQAModule
from cxrkit.training.vqa import train_vqa


class Accelerator:
    device = torch.device("cpu")

    def reduce(self, value, reduction):
        assert reduction == "sum"
        return value


def scaler(scale):
    return SimpleNamespace(is_enabled=lambda: True, get_scale=lambda: scale)


def loss(value):
    return torch.tensor(value), {"binary": torch.tensor(value), "region": torch.tensor(0.5)}


def test_finite_updates_are_never_left_out():
    guard = FiniteGuard(2)
    for step in range(5):
        guard.see(*loss(1.0))
        assert not guard.must_skip(torch.tensor(3.0), Accelerator(), step)
    assert guard.skipped == 0


def test_the_count_starts_again_after_a_finite_update():
    guard = FiniteGuard(2)
    for step, value in enumerate([float("nan"), 1.0, float("inf"), 1.0, float("nan")]):
        guard.see(*loss(value))
        assert guard.must_skip(1.0, Accelerator(), step) is (value != 1.0)
    assert guard.skipped == 3


def test_a_bad_part_of_an_accumulated_update_counts():
    guard = FiniteGuard(1)
    guard.see(*loss(float("nan")))
    guard.see(*loss(1.0))
    with pytest.raises(TrainingDivergedError, match="1 update in a row") as caught:
        guard.must_skip(torch.tensor(1.0), Accelerator(), 7)
    assert "binary" in str(caught.value)
    assert "after 7 updates" in str(caught.value)
    assert "region" not in str(caught.value)


def test_a_gradient_alone_is_enough():
    guard = FiniteGuard(1)
    guard.see(*loss(1.0))
    with pytest.raises(TrainingDivergedError, match="stopped") as caught:
        guard.must_skip(torch.tensor(float("inf")), Accelerator(), 0)
    assert "the gradient" in str(caught.value)


def test_fp16_may_look_for_its_loss_scale():
    guard = FiniteGuard(1)
    for step in range(9):
        guard.see(*loss(1.0))
        assert guard.must_skip(float("inf"), Accelerator(), step, scaler(1024.0))
    assert guard.skipped == 9
    guard.see(*loss(1.0))
    with pytest.raises(TrainingDivergedError):
        guard.must_skip(float("inf"), Accelerator(), 9, scaler(1.0))


def test_what_a_forward_pass_changed_is_taken_back():
    """Running statistics of BatchNorm take in what is not finite before any gradient does."""
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    guard, before = FiniteGuard(3), {name: value.clone() for name, value in network.named_buffers()}
    for batch in (torch.randn(5, 3), torch.full((5, 3), float("nan"))):
        guard.remember(network)
        network(batch).sum().backward()
    assert not torch.isfinite(network[1].running_mean).all()
    guard.undo(network)
    for name, value in network.named_buffers():
        if value.is_floating_point():
            assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_an_engine_that_cannot_leave_an_update_out_stops_before_it():
    guard = FiniteGuard(3)
    guard.see(*loss(float("nan")))
    assert guard.loss_is_bad(Accelerator())
    told = str(diverged_before_update(guard, 5))
    assert "binary" in told
    assert "after 5 updates" in told


def poisoned(monkeypatch, bad_steps, what):
    """Makes the loss, or only its gradient, NaN in some updates; notes the weights after each."""
    plain, seen = VQAModule.forward, {"step": 0, "weights": []}

    def forward(self, batch, counts=None):
        found = plain(self, batch, counts)
        if self.training:
            seen["weights"].append(self.network.chexpert.weight.detach().clone())
            if seen["step"] in bad_steps:
                if what == "loss":
                    found["loss"] = found["loss"] * float("nan")
                else:
                    found["loss"].register_hook(lambda grad: grad * float("nan"))
            seen["step"] += 1
        return found

    monkeypatch.setattr(VQAModule, "forward", forward)
    return seen


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_bad_update_changes_nothing_and_is_counted(workspace, tmp_path, monkeypatch, what):
    seen = poisoned(monkeypatch, {1}, what)
    run = train_vqa(vqa_settings(workspace, tmp_path / "run"))
    weights = seen["weights"]
    assert torch.equal(weights[1], weights[2])
    assert not torch.equal(weights[2], weights[3])
    lines = [json.loads(line) for line in (run.run_dir / "metrics.jsonl").read_text().splitlines()]
    assert [line["skipped_steps"] for line in lines if "skipped_steps" in line] == [1.0, 1.0, 1.0]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert all(value is not None for value in losses)
    for parameter in SSGVQAModel.from_pretrained(run.best_model).parameters():
        assert torch.isfinite(parameter).all()


def test_training_stops_in_words_and_keeps_the_model_from_before(workspace, tmp_path, monkeypatch):
    poisoned(monkeypatch, {2, 3, 4, 5, 6, 7}, "loss")
    settings = vqa_settings(
        workspace, tmp_path / "run", **{"training.max_steps": 20, "training.max_skipped_steps": 3}
    )
    with pytest.raises(TrainingDivergedError, match="3 updates in a row") as caught:
        train_vqa(settings)
    assert "learning_rate" in str(caught.value)
    steps = [json.loads(line)["step"] for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert max(steps) <= 5
    model = SSGVQAModel.from_pretrained(tmp_path / "run" / "best_model")
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
