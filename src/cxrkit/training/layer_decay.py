"""Learning rates that fall from the head to the stem, so that pretrained early layers change least."""

from typing import Any

from timm.optim import param_groups_layer_decay
from torch import nn


def layer_groups(
    network: nn.Module, *, learning_rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Groups the weights of a timm model by their depth, for an optimizer.

    Biases, normalisations and what the model itself names do not decay.

    Args:
        network: a timm model.
        learning_rate: of the head.
        weight_decay: of the weights that decay.
        layer_decay: factor on the learning rate from each layer to the one before it.
    """
    exempt: set[str] = getattr(network, "no_weight_decay", set)()
    groups = param_groups_layer_decay(
        network, weight_decay=weight_decay, no_weight_decay_list=tuple(exempt), layer_decay=layer_decay
    )
    return [
        {
            "params": group["params"],
            "weight_decay": group["weight_decay"],
            "lr": learning_rate * group["lr_scale"],
        }
        for group in groups
    ]
