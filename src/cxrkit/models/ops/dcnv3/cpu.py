"""DCNv3 on the CPU: hands films and groups to the loops, on as many threads as PyTorch uses."""

import numpy as np
import torch
from torch import Tensor

from cxrkit.models.ops.dcnv3.cpu_kernel import backward_loop, forward_loop
from cxrkit.models.ops.dcnv3.cpu_team import run_on_team
from cxrkit.models.ops.dcnv3.window import Window


def forward(value: Tensor, offset: Tensor, mask: Tensor, window: Window) -> Tensor:
    """Computes the operator; tensors as in `reference_dcnv3`, half precision is computed in float32."""
    batch, rows, columns = mask.shape[:3]
    source, shifts, weights = (_flat(tensor) for tensor in (value, offset, mask))
    out = torch.empty(batch * rows * columns * value.shape[3], dtype=_computed_in(value))
    own = (out.numpy(), source, shifts, weights, *_geometry(value, mask, window))
    run_on_team(forward_loop(window.group_channels), own, batch * window.groups)
    return out.view(batch, rows, columns, value.shape[3]).to(value.dtype)


def backward(
    grad: Tensor, value: Tensor, offset: Tensor, mask: Tensor, window: Window
) -> tuple[Tensor, Tensor, Tensor]:
    """Gives the gradients by value, offset and mask from that by the output."""
    kind = _computed_in(value)
    gradients = (
        torch.zeros(value.shape, dtype=kind),
        torch.empty(offset.shape, dtype=kind),
        torch.empty(mask.shape, dtype=kind),
    )
    inputs = [_flat(tensor) for tensor in (grad, value, offset, mask)]
    own = (*inputs, *(each.view(-1).numpy() for each in gradients), *_geometry(value, mask, window))
    run_on_team(backward_loop(window.group_channels), own, len(value) * window.groups)
    by_value, by_offset, by_mask = (each.to(value.dtype) for each in gradients)
    return by_value, by_offset, by_mask


def _computed_in(tensor: Tensor) -> torch.dtype:
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def _flat(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().to(_computed_in(tensor)).contiguous().view(-1).numpy()
    return array


def _geometry(value: Tensor, mask: Tensor, window: Window) -> tuple[np.ndarray, ...]:
    """Gives the places of the points in the first window, the steps and scale, and the sizes."""
    number = np.float64 if value.dtype == torch.float64 else np.float32
    (centre_x, centre_y), scale = window.centre, window.offset_scale
    spread = np.array(window.points) * np.array(window.dilation[::-1]) - np.array(window.centre)
    origin = np.array([centre_x - window.padding[1], centre_y - window.padding[0]])
    places = (origin + spread * scale).astype(number)
    steps = np.array([*window.stride[::-1], scale], dtype=number)
    sizes = np.array([*value.shape[1:3], *mask.shape[1:3], window.groups])
    return places, steps, sizes
