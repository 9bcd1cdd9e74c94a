"""Films from their own squares to one size, antialiased."""

import torch
from torch import Tensor
from torch.nn import functional

# torch resizes whole grey levels four channels at a time, whether or not there are four: films stand in.
_CHANNELS = 4


def resize_films(images: Tensor, size: int, sides: Tensor | None, *, whole_levels: bool) -> Tensor:
    """Resizes films with antialiasing, each as if it were alone.

    Args:
        images: `[B, C, C]` uint8.
        size: side of the result in pixels.
        sides: `[B]` side of each film's square, at the top left of `images`; None where all fill it.
        whole_levels: round the result to whole grey levels; only on the CPU.

    Returns:
        `[B, 1, size, size]` float32 grey levels, 0..255.
    """
    different = [] if sides is None else sides.unique().tolist()
    if all(side == images.shape[-1] for side in different):
        return _resize(images, size, whole_levels)
    resized = torch.empty(len(images), 1, size, size, device=images.device)
    for side in different:
        chosen = torch.nonzero(sides == side).flatten()
        resized[chosen] = _resize(images[chosen, :side, :side], size, whole_levels)
    return resized


def _resize(images: Tensor, size: int, whole_levels: bool) -> Tensor:
    if images.shape[-1] == size:
        return images[:, None].float()
    if not whole_levels:
        return _interpolate(images[:, None].float(), size)
    full = len(images) // _CHANNELS * _CHANNELS
    groups = [images[:full].unflatten(0, (-1, _CHANNELS)), images[full:][None]]
    resized = [_interpolate(group, size).flatten(0, 1) for group in groups if group.numel()]
    return torch.cat(resized)[:, None].float()


def _interpolate(pixels: Tensor, size: int) -> Tensor:
    return functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True, align_corners=False)
