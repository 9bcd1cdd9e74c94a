"""DCNv3 as it is defined, in PyTorch alone: the measure of the fast ways, and what is exported."""

import torch
from torch import Tensor
from torch.nn import functional

from cxrkit.models.ops.dcnv3.window import Window


def reference_dcnv3(value: Tensor, offset: Tensor, mask: Tensor, window: Window) -> Tensor:
    """Samples a map at the displaced points of every window and sums them with their masks.

    Positions stay in pixels and are split with `floor`: in coordinates from -1 to 1 a whole position would
    fall on either side of itself by rounding, and its offset gradient on the wrong side's slope.

    Args:
        value: `[N, H, W, groups * group_channels]`.
        offset: `[N, h, w, groups * P * 2]`, x before y, in pixels.
        mask: `[N, h, w, groups * P]`.
        window: the sizes.

    Returns:
        `[N, h, w, groups * group_channels]`.
    """
    batch, height, width, channels = value.shape
    rows, columns = mask.shape[1:3]
    result_type = value.dtype
    if value.dtype in (torch.float16, torch.bfloat16):
        # Positions of half precision would be off by whole pixels on large maps.
        value, offset, mask = value.float(), offset.float(), mask.float()
    x, y = _positions(offset.reshape(batch, rows, columns, window.groups, -1, 2), window)
    inside = (x > -1) & (x < width) & (y > -1) & (y < height)
    weight = torch.where(inside, mask.reshape(batch, rows, columns, window.groups, -1), 0.0)
    # Clamped before they become whole numbers: an offset may be of any size.
    x, y = x.clamp(-1, width), y.clamp(-1, height)
    left, top = x.detach().floor(), y.detach().floor()
    table = value.reshape(-1, window.group_channels)
    films = torch.arange(batch, device=value.device).view(-1, 1, 1, 1, 1)
    groups = torch.arange(window.groups, device=value.device).view(-1, 1)
    total = torch.zeros((), dtype=value.dtype, device=value.device)
    for right, low in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = left + right, top + low
        share = (x - left if right else 1 - (x - left)) * (y - top if low else 1 - (y - top))
        exists = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        share = torch.where(exists, share * weight, 0.0)
        pixel = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
        samples = functional.embedding((films * height * width + pixel) * window.groups + groups, table)
        total = total + (samples * share.unsqueeze(-1)).sum(-2)
    return total.reshape(batch, rows, columns, channels).to(result_type)


def _positions(offset: Tensor, window: Window) -> tuple[Tensor, Tensor]:
    """Gives x and y of all points in pixels, `[N, h, w, groups, P]` each."""
    spread = [(x * window.dilation[1], y * window.dilation[0]) for x, y in window.points]
    places = torch.tensor(spread, dtype=offset.dtype, device=offset.device)
    rows, columns = offset.shape[1:3]
    across = torch.arange(columns, dtype=offset.dtype, device=offset.device).view(1, 1, -1, 1, 1)
    down = torch.arange(rows, dtype=offset.dtype, device=offset.device).view(1, -1, 1, 1, 1)
    (centre_x, centre_y), scale = window.centre, window.offset_scale
    # First what is exact, then the offset: each further sum would round the place again.
    x = across * window.stride[1] + (centre_x - window.padding[1] + (places[:, 0] - centre_x) * scale)
    y = down * window.stride[0] + (centre_y - window.padding[0] + (places[:, 1] - centre_y) * scale)
    return x + offset[..., 0] * scale, y + offset[..., 1] * scale
