"""The parts of InternImage; between them maps are channels-last, `[N, H, W, C]`.

Attributes are named and nested so that every weight has the name it has in the released files.
"""

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cxrkit.models.ops.dcnv3 import dcnv3

EPSILON = 1e-6  # of every LayerNorm
KERNEL = 3
POINTS = KERNEL * KERNEL
MLP_RATIO = 4


class ToChannelsLast(nn.Module):
    """`[N, C, H, W]` -> `[N, H, W, C]`."""

    def forward(self, x: Tensor) -> Tensor:
        """Permutes the map."""
        return x.permute(0, 2, 3, 1)


class ToChannelsFirst(nn.Module):
    """`[N, H, W, C]` -> `[N, C, H, W]`."""

    def forward(self, x: Tensor) -> Tensor:
        """Permutes the map."""
        return x.permute(0, 3, 1, 2)


class Stem(nn.Module):
    """Two convolutions of stride 2: `[N, in_chans, H, W]` -> `[N, H/4, W/4, C]`."""

    def __init__(self, in_chans: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = nn.Conv2d(in_chans, half, KERNEL, stride=2, padding=1)
        self.norm1 = nn.Sequential(ToChannelsLast(), nn.LayerNorm(half, EPSILON), ToChannelsFirst())
        self.act = nn.GELU()
        self.conv2 = nn.Conv2d(half, channels, KERNEL, stride=2, padding=1)
        self.norm2 = nn.Sequential(ToChannelsLast(), nn.LayerNorm(channels, EPSILON))

    def forward(self, images: Tensor) -> Tensor:
        """Encodes films."""
        result: Tensor = self.norm2(self.conv2(self.act(self.norm1(self.conv1(images)))))
        return result


class Downsample(nn.Module):
    """Halves a map and doubles its channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * channels, KERNEL, stride=2, padding=1, bias=False)
        self.norm = nn.Sequential(ToChannelsLast(), nn.LayerNorm(2 * channels, EPSILON))

    def forward(self, x: Tensor) -> Tensor:
        """`[N, H, W, C]` -> `[N, H/2, W/2, 2C]`."""
        result: Tensor = self.norm(self.conv(x.permute(0, 3, 1, 2)))
        return result


class DeformableConvolution(nn.Module):
    """DCNv3 with the layers that give its values, offsets and masks.

    `backend` may be set to one of `cxrkit.models.ops.dcnv3.BACKENDS` later on; no file keeps it.
    """

    def __init__(self, channels: int, groups: int, offset_scale: float, remove_center: bool) -> None:
        super().__init__()
        self.groups, self.group_channels = groups, channels // groups
        self.offset_scale, self.remove_center = offset_scale, remove_center
        self.backend = "auto"
        self.points = POINTS - int(remove_center)
        self.dw_conv = nn.Sequential(
            nn.Conv2d(channels, channels, KERNEL, padding=1, groups=channels),
            nn.Sequential(ToChannelsLast(), nn.LayerNorm(channels, EPSILON)),
            nn.GELU(),
        )
        self.offset = nn.Linear(channels, groups * self.points * 2)
        self.mask = nn.Linear(channels, groups * self.points)
        self.input_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)

    def reset_parameters(self) -> None:
        """Starts as a plain average of the window: no offsets, equal masks."""
        for layer in (self.offset, self.mask):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for layer in (self.input_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, H, W, C]` -> `[N, H, W, C]`."""
        value = self.input_proj(x)
        local = self.dw_conv(x.permute(0, 3, 1, 2))
        mask = self.mask(local)
        shares = mask.unflatten(-1, (self.groups, self.points)).softmax(-1).flatten(-2)
        sampled = dcnv3(
            value,
            self.offset(local).to(value.dtype),
            # Autocast takes a softmax in float32.
            shares.to(value.dtype),
            kernel_size=(KERNEL, KERNEL),
            stride=(1, 1),
            padding=(1, 1),
            dilation=(1, 1),
            groups=self.groups,
            group_channels=self.group_channels,
            backend=self.backend,
            offset_scale=self.offset_scale,
            remove_center=self.remove_center,
        )
        result: Tensor = self.output_proj(sampled)
        return result


class FeedForward(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, MLP_RATIO * channels)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(MLP_RATIO * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Transforms each pixel by itself."""
        result: Tensor = self.fc2(self.act(self.fc1(x)))
        return result


class Block(nn.Module):
    """A deformable convolution and a feed-forward layer, each with its normalisation and a way around it."""

    def __init__(
        self,
        channels: int,
        groups: int,
        *,
        layer_scale: float | None,
        post_norm: bool,
        offset_scale: float,
        drop_path: float,
        remove_center: bool,
    ) -> None:
        super().__init__()
        self.post_norm = post_norm
        self.norm1 = nn.Sequential(nn.LayerNorm(channels, EPSILON))
        self.dcn = DeformableConvolution(channels, groups, offset_scale, remove_center)
        self.norm2 = nn.Sequential(nn.LayerNorm(channels, EPSILON))
        self.mlp = FeedForward(channels)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()
        self.gamma1: nn.Parameter | None = None
        self.gamma2: nn.Parameter | None = None
        if layer_scale is not None:
            self.gamma1 = nn.Parameter(torch.full((channels,), layer_scale))
            self.gamma2 = nn.Parameter(torch.full((channels,), layer_scale))

    def forward(self, x: Tensor) -> Tensor:
        """`[N, H, W, C]` -> `[N, H, W, C]`."""
        x = x + self._step(x, self.dcn, self.norm1, self.gamma1)
        return x + self._step(x, self.mlp, self.norm2, self.gamma2)

    def _step(self, x: Tensor, layer: nn.Module, norm: nn.Module, gamma: Tensor | None) -> Tensor:
        y = norm(layer(x)) if self.post_norm else layer(norm(x))
        result: Tensor = self.drop_path(y if gamma is None else gamma * y)
        return result


class Level(nn.Module):
    """The blocks of one resolution and the step to the next."""

    def __init__(self, channels: int, blocks: list[Block], *, post_norm: bool, is_last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.norm = None if post_norm else nn.Sequential(nn.LayerNorm(channels, EPSILON))
        self.downsample = None if is_last else Downsample(channels)
        self.grad_checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        """Gives the map of the next resolution, or of this one in the last level."""
        x = self.encode(x)
        return x if self.downsample is None else self.downsample(x)

    def encode(self, x: Tensor) -> Tensor:
        """Gives the map of this resolution."""
        for block in self.blocks:
            if self.grad_checkpointing and self.training:
                x = checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return x if self.norm is None else self.norm(x)


def set_dcnv3_backend(network: nn.Module, backend: str) -> None:
    """Tells every DCNv3 of a network what computes it; networks without any stay as they are.

    Args:
        network: any.
        backend: one of `cxrkit.models.ops.dcnv3.BACKENDS`.
    """
    for part in network.modules():
        if isinstance(part, DeformableConvolution):
            part.backend = backend
