"""Weights of InternImage in the layouts in which they are published."""

from typing import Any

import torch
from torch import Tensor, nn

NEW_HEAD_SCALE = 1e-3
WRAPPERS = ("model", "module", "state_dict")
HUB_PREFIX = "model."
HUB_NAMES = {"layer_scale1": "gamma1", "layer_scale2": "gamma2"}
HEAD = ("head.weight", "head.bias")


def convert_weights(state: dict[str, Any], model: nn.Module) -> dict[str, Tensor]:
    """Brings a file's weights under the names of the network.

    Known are the released files (a state dict, bare or under `model` or `module`) and those of the Hugging
    Face hub (`model.` before each name, `layer_scale1` for `gamma1`). A head for another number of classes
    gives way to a new one, scaled by 0.001 so that the first predictions are all alike.

    Args:
        state: what the file holds.
        model: an `InternImage`.

    Returns:
        Name -> weight; names that the network does not have are left in for the caller to refuse.
    """
    for name in WRAPPERS:
        if isinstance(state.get(name), dict):
            state = state[name]
    is_from_hub = all(name.startswith(HUB_PREFIX) for name in state)
    weights = {_own_name(name, is_from_hub): weight for name, weight in state.items()}
    head = model.get_submodule("head")
    if isinstance(head, nn.Identity):
        return {name: weight for name, weight in weights.items() if name not in HEAD}
    fresh = {f"head.{name}": weight.detach() for name, weight in head.named_parameters()}
    if any(name not in weights or weights[name].shape != fresh[name].shape for name in HEAD):
        weights |= {name: torch.mul(weight, NEW_HEAD_SCALE) for name, weight in fresh.items()}
    return weights


def _own_name(name: str, is_from_hub: bool) -> str:
    if not is_from_hub:
        return name
    parts = name.removeprefix(HUB_PREFIX).split(".")
    return ".".join(HUB_NAMES.get(part, part) for part in parts)
