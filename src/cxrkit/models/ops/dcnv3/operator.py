"""The operator as PyTorch sees it: with gradients, for `torch.compile`, and written out for exports."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cxrkit.models.ops.dcnv3.backends import choose_backend
from cxrkit.models.ops.dcnv3.reference import reference_dcnv3
from cxrkit.models.ops.dcnv3.window import Window


def dcnv3(
    value: Tensor,
    offset: Tensor,
    mask: Tensor,
    *,
    kernel_size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    group_channels: int,
    offset_scale: float = 1.0,
    remove_center: bool = False,
    backend: str = "auto",
) -> Tensor:
    """Samples a map at displaced points and sums the samples, weighted, for each group of channels.

    A point p = i * kernel_height + j, i along x, lies at
    `x = column * stride - padding + centre + (i * dilation - centre + offset_x) * offset_scale`, y likewise
    with j; what lies outside the map is zero. P is the number of points, one less without the centre.

    Args:
        value: `[N, H, W, groups * group_channels]`, float64, float32, float16 or bfloat16.
        offset: `[N, h, w, groups * P * 2]` in pixels, x before y.
        mask: `[N, h, w, groups * P]`.
        kernel_size: points of the window, (height, width); the next three likewise, in pixels.
        stride: between two windows.
        padding: zeros around the map.
        dilation: between two points.
        groups: groups of channels with offsets and masks of their own.
        group_channels: channels of a group.
        offset_scale: factor on the distance of the points from the centre.
        remove_center: leaves out the centre of an odd kernel.
        backend: `auto`, `cpu`, `triton` or `reference`; see `choose_backend`.

    Returns:
        `[N, h, w, groups * group_channels]`.

    Raises:
        CxrkitError: shapes, types or devices do not fit, or the backend cannot run on them.
    """
    window = Window(
        kernel_size, stride, padding, dilation, groups, group_channels, offset_scale, remove_center
    )
    window.check(value, offset, mask)
    if _is_written_out():
        return reference_dcnv3(value, offset, mask, window)
    choice = choose_backend(value.device.type, backend)
    if choice.name == "reference":
        return reference_dcnv3(value, offset, mask, window)
    if not torch.compiler.is_compiling():
        eager: Tensor = _Eager.apply(value, offset, mask, window, choice.name)
        return eager
    sizes = [*kernel_size, *stride, *padding, *dilation, groups, group_channels, int(remove_center)]
    result: Tensor = _fused(value, offset, mask, sizes, float(offset_scale), choice.name)
    return result


def _is_written_out() -> bool:
    """Tells whether the operator is being exported: what runs it there knows PyTorch's own steps only."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing() or torch.onnx.is_in_onnx_export()


def _window(sizes: Sequence[int], offset_scale: float) -> Window:
    pairs = [(sizes[place], sizes[place + 1]) for place in range(0, 8, 2)]
    return Window(pairs[0], pairs[1], pairs[2], pairs[3], sizes[8], sizes[9], offset_scale, bool(sizes[10]))


def _module(backend: str) -> Any:
    # Both need a package of some size, which is imported when it is used.
    if backend == "cpu":
        from cxrkit.models.ops.dcnv3 import cpu

        return cpu
    from cxrkit.models.ops.dcnv3 import gpu

    return gpu


class _Eager(torch.autograd.Function):
    """The same without compilation: the steps of a registered operator would take a tenth of its time."""

    @staticmethod
    def forward(
        ctx: Any, value: Tensor, offset: Tensor, mask: Tensor, window: Window, backend: str
    ) -> Tensor:
        ctx.save_for_backward(value, offset, mask)
        ctx.rest = (window, backend)
        result: Tensor = _module(backend).forward(value, offset, mask, window)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        window, backend = ctx.rest
        return (*_module(backend).backward(grad, *ctx.saved_tensors, window), None, None)


@torch.library.custom_op("cxrkit::dcnv3", mutates_args=())
def _fused(
    value: Tensor, offset: Tensor, mask: Tensor, sizes: Sequence[int], offset_scale: float, backend: str
) -> Tensor:
    result: Tensor = _module(backend).forward(value, offset, mask, _window(sizes, offset_scale))
    return result


@torch.library.custom_op("cxrkit::dcnv3_backward", mutates_args=())
def _fused_backward(
    grad: Tensor,
    value: Tensor,
    offset: Tensor,
    mask: Tensor,
    sizes: Sequence[int],
    offset_scale: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    window = _window(sizes, offset_scale)
    gradients: tuple[Tensor, Tensor, Tensor] = _module(backend).backward(grad, value, offset, mask, window)
    return gradients


@_fused.register_fake
def _(
    value: Tensor, offset: Tensor, mask: Tensor, sizes: Sequence[int], offset_scale: float, backend: str
) -> Tensor:
    return value.new_empty(*mask.shape[:3], value.shape[3])


@_fused_backward.register_fake
def _(grad: Tensor, value: Tensor, offset: Tensor, mask: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.empty_like(value, memory_format=torch.contiguous_format),
        torch.empty_like(offset, memory_format=torch.contiguous_format),
        torch.empty_like(mask, memory_format=torch.contiguous_format),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.rest = inputs[3:]


def _differentiate(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return (*_fused_backward(grad, *ctx.saved_tensors, *ctx.rest), None, None, None)


_fused.register_autograd(_differentiate, setup_context=_keep)
