"""DCNv3 on the GPU: launches the Triton kernels."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from cxrkit.models.ops.dcnv3.gpu_kernel import backward_kernel, forward_kernel
from cxrkit.models.ops.dcnv3.window import Window

BLOCK = 32  # windows of a program


def forward(value: Tensor, offset: Tensor, mask: Tensor, window: Window) -> Tensor:
    """Computes the operator; tensors as in `reference_dcnv3`, sums in float32 (float64 for float64)."""
    value, offset, mask = value.contiguous(), offset.contiguous(), mask.contiguous()
    out = value.new_empty(*mask.shape[:3], value.shape[3])
    grid, sizes, constants = _launch(value, mask, window)
    forward_kernel[grid](out, value, offset, mask, *_geometry(value, window), *sizes, **constants)
    return out


def backward(
    grad: Tensor, value: Tensor, offset: Tensor, mask: Tensor, window: Window
) -> tuple[Tensor, Tensor, Tensor]:
    """Gives the gradients by value, offset and mask from that by the output."""
    grad, value, offset, mask = (tensor.contiguous() for tensor in (grad, value, offset, mask))
    by_value = torch.zeros_like(value, dtype=_summed_in(value))
    by_offset, by_mask = torch.empty_like(offset), torch.empty_like(mask)
    grid, sizes, constants = _launch(value, mask, window)
    backward_kernel[grid](
        grad, value, offset, mask, by_value, by_offset, by_mask, *_geometry(value, window), *sizes,
        **constants,
    )  # fmt: skip
    return by_value.to(value.dtype), by_offset, by_mask


def _summed_in(tensor: Tensor) -> torch.dtype:
    return torch.float64 if tensor.dtype == torch.float64 else torch.float32


def _launch(value: Tensor, mask: Tensor, window: Window) -> tuple[Any, tuple[int, ...], dict[str, Any]]:
    batch, rows, columns = mask.shape[:3]
    cells = batch * rows * columns
    constants = {
        "points": len(window.points),
        "width": window.group_channels,
        "lanes": triton.next_power_of_2(window.group_channels),
        "block": BLOCK,
        "kind": tl.float64 if value.dtype == torch.float64 else tl.float32,
    }
    grid = (triton.cdiv(cells, BLOCK), window.groups)
    return grid, (cells, value.shape[1], value.shape[2], rows, columns, window.groups), constants


def _geometry(value: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Gives the places of the points of the first window, and the steps in x and y with the scale."""
    (down, across), scale = window.dilation, window.offset_scale
    (centre_x, centre_y), (above, beside) = window.centre, window.padding
    places = [
        (
            centre_x - beside + (x * across - centre_x) * scale,
            centre_y - above + (y * down - centre_y) * scale,
        )
        for x, y in window.points
    ]
    steps = (window.stride[1], window.stride[0], scale)
    kind = _summed_in(value)
    return (
        torch.tensor(places, dtype=kind, device=value.device),
        torch.tensor(steps, dtype=kind, device=value.device),
    )
