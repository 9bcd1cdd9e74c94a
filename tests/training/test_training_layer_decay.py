"""Learning rates that fall from the head to the stem."""

import pytest
import timm

import cxrkit.models.internimage  # noqa: F401
from cxrkit.training.layer_decay import layer_groups


@pytest.mark.parametrize(
    ("name", "stem", "head"),
    [
        ("internimage_nano", "patch_embed.conv1.weight", "head.weight"),
        ("resnet10t", "conv1.0.weight", "fc.weight"),
    ],
)
def test_rates_fall_to_the_stem_and_every_weight_has_one(name, stem, head):
    network = timm.create_model(name, num_classes=14)
    groups = layer_groups(network, learning_rate=1e-3, weight_decay=0.05, layer_decay=0.5)
    rate = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    decay = {id(weight): group["weight_decay"] for group in groups for weight in group["params"]}
    assert len(rate) == len(list(network.parameters())) == sum(len(group["params"]) for group in groups)
    assert rate[id(network.get_parameter(head))] == 1e-3
    assert rate[id(network.get_parameter(stem))] == min(rate.values()) < 1e-3 / 4
    assert decay[id(network.get_parameter(head))] == 0.05
    assert {decay[id(weight)] for weight in network.parameters() if weight.dim() == 1} == {0.0}
