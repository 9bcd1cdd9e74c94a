"""InternImage as a timm model."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from timm.layers import trunc_normal_
from timm.models._features import feature_take_indices
from torch import Tensor, nn

# timm looks for the conversion of a file's weights under this name, in the module of the network.
from cxrkit.models.internimage.layers import Block, DeformableConvolution, Level, Stem
from cxrkit.models.internimage.weights import convert_weights as checkpoint_filter_fn

__all__ = ["InternImage", "checkpoint_filter_fn"]

HEAD_WIDTH = 12  # in multiples of `channels`
STEM_STRIDE = 4


class InternImage(nn.Module):
    """A pyramid of four levels of deformable convolutions with a classification head.

    Args:
        channels: channels of the first level; each further level has twice as many.
        depths: blocks of each level.
        groups: groups of channels with offsets of their own, of each level.
        layer_scale: start of the factor on each step of a block; None for none.
        post_norm: normalises after each step of a block rather than before.
        offset_scale: factor on the distance of the sampled points.
        drop_path_rate: chance of leaving out the last block, growing linearly from 0 at the first.
        num_classes: outputs; 0 for the pooled features.
        remove_center: leaves the centre point out of the deformable convolutions.
        in_chans: channels of the films.
        drop_rate: dropout before the last layer.
        global_pool: `avg`, or empty for the map itself.
    """

    def __init__(
        self,
        channels: int = 64,
        depths: Sequence[int] = (4, 4, 18, 4),
        groups: Sequence[int] = (4, 8, 16, 32),
        layer_scale: float | None = None,
        post_norm: bool = False,
        offset_scale: float = 1.0,
        drop_path_rate: float = 0.0,
        num_classes: int = 1000,
        remove_center: bool = False,
        in_chans: int = 3,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
    ) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(len(depths))]
        _require_sizes(widths, depths, groups)
        _require_pooling(global_pool, num_classes)
        self.num_classes, self.in_chans, self.drop_rate = num_classes, in_chans, drop_rate
        self.num_features, self.head_hidden_size = widths[-1], HEAD_WIDTH * channels
        self.global_pool = global_pool
        self.feature_info = [
            {"num_chs": width, "reduction": STEM_STRIDE * 2**level, "module": f"levels.{level}"}
            for level, width in enumerate(widths)
        ]
        self.patch_embed = Stem(in_chans, channels)
        rates = np.linspace(0, drop_path_rate, sum(depths)).tolist()
        self.levels = nn.ModuleList()
        for level, width in enumerate(widths):
            blocks = [
                Block(
                    width, groups[level], layer_scale=layer_scale, post_norm=post_norm,
                    offset_scale=offset_scale, drop_path=rates.pop(0), remove_center=remove_center,
                )
                for _ in range(depths[level])
            ]  # fmt: skip
            self.levels.append(Level(width, blocks, post_norm=post_norm, is_last=level == len(widths) - 1))
        self.conv_head = nn.Sequential(
            nn.Conv2d(widths[-1], self.head_hidden_size, 1, bias=False),
            nn.Sequential(nn.BatchNorm2d(self.head_hidden_size)),
            nn.GELU(),
        )
        self.head: nn.Module = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()
        self.apply(_initialise)
        # After the linear layers in general, which the deformable convolutions contain.
        for part in self.modules():
            if isinstance(part, DeformableConvolution):
                part.reset_parameters()

    def forward(self, images: Tensor) -> Tensor:
        """Classifies films: `[N, in_chans, H, W]` normalised -> logits `[N, num_classes]`."""
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: Tensor) -> Tensor:
        """Gives the map of the last level, `[N, 8 * channels, H/32, W/32]`."""
        x: Tensor = self.patch_embed(images)
        for level in self.levels:
            x = level(x)
        return x.permute(0, 3, 1, 2)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Gives logits, or the features before the last layer, from the map of the last level."""
        x = self.conv_head(features)
        if self.global_pool:
            x = x.mean((2, 3))
        x = nn.functional.dropout(x, self.drop_rate, self.training)
        result: Tensor = x if pre_logits else self.head(x)
        return result

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | list[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[Tensor, list[Tensor]]:
        """Gives the maps of some levels, each before the step to the next; the parameters are timm's."""
        if output_fmt not in ("NCHW", "NHWC"):
            raise ValueError(f"output_fmt must be NCHW or NHWC, not {output_fmt!r}")
        wanted, last = feature_take_indices(len(self.levels), indices)
        maps = []
        x = self.patch_embed(x)
        for place, level in enumerate(self._all_levels()):
            x = level.encode(x)
            if place in wanted:
                maps.append(x if output_fmt == "NHWC" else x.permute(0, 3, 1, 2))
            if stop_early and place == last:
                break
            x = x if level.downsample is None else level.downsample(x)
        return maps if intermediates_only else (x.permute(0, 3, 1, 2), maps)

    def prune_intermediate_layers(
        self, indices: int | list[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drops the levels and the head that some maps do not need."""
        wanted, last = feature_take_indices(len(self.levels), indices)
        self.levels = self.levels[: last + 1]
        self._all_levels()[-1].downsample = None
        if prune_head:
            self.conv_head = nn.Sequential(nn.Identity())
            self.reset_classifier(0, "")
        return list(wanted)

    def _all_levels(self) -> list[Level]:
        return cast(list[Level], list(self.levels))

    def get_classifier(self) -> nn.Module:
        """Gives the last layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replaces the last layer by a new one for another number of classes."""
        pool = self.global_pool if global_pool is None else global_pool
        _require_pooling(pool, num_classes)
        self.num_classes, self.global_pool = num_classes, pool
        self.head = nn.Linear(self.head_hidden_size, num_classes) if num_classes else nn.Identity()
        self.head.apply(_initialise)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recomputes the activations of each block in the backward pass instead of keeping them."""
        for level in self._all_levels():
            level.grad_checkpointing = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Tells timm which weights lie equally deep, for learning rates that fall from layer to layer."""
        fine = [(r"^levels\.(\d+)\.blocks\.(\d+)", None), (r"^levels\.(\d+)\.(?:norm|downsample)", (99999,))]
        return {"stem": r"^patch_embed", "blocks": r"^levels\.(\d+)" if coarse else fine}


def _require_sizes(widths: Sequence[int], depths: Sequence[int], groups: Sequence[int]) -> None:
    if len(groups) != len(depths):
        raise ValueError(f"one number of groups per level: {len(depths)} depths, {len(groups)} groups")
    for width, parts in zip(widths, groups, strict=True):
        if width % parts:
            raise ValueError(f"{width} channels cannot be divided into {parts} groups")


def _require_pooling(global_pool: str, num_classes: int) -> None:
    if global_pool not in ("avg", ""):
        raise ValueError(f"global_pool must be 'avg' or '', not {global_pool!r}")
    if num_classes and not global_pool:
        raise ValueError("a map without pooling has no classes: global_pool='' needs num_classes=0")


def _initialise(part: nn.Module) -> None:
    if isinstance(part, nn.Linear):
        trunc_normal_(part.weight, std=0.02)
        nn.init.zeros_(part.bias)
