"""What uncertain and blank labels count as."""

import math
from typing import get_args

import pytest
import torch

from cxrkit.config.model_section import ClassifierSettings
from cxrkit.models.label_policies import label_loss, targets_of_labels
from cxrkit.vocabulary import LABEL_POLICIES

LABELS = torch.tensor([[1.0, 0.0, -1.0, math.nan]])


@pytest.mark.parametrize(
    ("policy", "targets", "counted"),
    [
        ("zeros", [1, 0, 0, 0], [1, 1, 1, 1]),
        ("ones", [1, 0, 1, 0], [1, 1, 1, 1]),
        ("ignore", [1, 0, 0, 0], [1, 1, 0, 1]),
        ("blank_ignore", [1, 0, 0, 0], [1, 1, 0, 0]),
    ],
)
def test_policies_give_targets_and_say_which_count(policy, targets, counted):
    found, counts = targets_of_labels(LABELS, policy)
    assert found.tolist() == [targets]
    assert counts.int().tolist() == [counted]
    logits = torch.tensor([[0.3, -0.2, 2.0, -3.0]], requires_grad=True)
    loss = label_loss(logits, LABELS, policy).mean()
    chances = torch.sigmoid(logits[0]).tolist()
    own = [-math.log(p if t else 1 - p) for p, t, c in zip(chances, targets, counted, strict=True) if c]
    assert float(loss.detach()) == pytest.approx(sum(own) / len(own), rel=1e-5)
    loss.backward()
    assert [bool(value) for value in logits.grad[0].tolist()] == [bool(value) for value in counted]


def test_a_batch_without_counted_labels_has_no_loss():
    labels = torch.full((2, 14), math.nan)
    loss = label_loss(torch.zeros(2, 14, requires_grad=True), labels, "blank_ignore").mean()
    assert float(loss.detach()) == 0.0


def test_unknown_policies_are_refused():
    with pytest.raises(ValueError, match="zeros, ones, ignore, blank_ignore"):
        targets_of_labels(LABELS, "twos")


def test_the_settings_know_the_same_policies():
    assert get_args(ClassifierSettings.model_fields["label_policy"].annotation) == tuple(LABEL_POLICIES)
