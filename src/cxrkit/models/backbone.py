"""Visual backbones from timm, and the feature map that the rest of the network reads."""

import logging
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

# Registers InternImage with timm.
import cxrkit.models.internimage  # noqa: F401
from cxrkit.errors import WeightsError
from cxrkit.models.backbone_weights import BUILDING_ERRORS, read_backbone_weights
from cxrkit.models.hub import find_cached_file, hub_is_reachable

logger = logging.getLogger(__name__)

COLOURS = 3
HUB_FILES = ("model.safetensors", "pytorch_model.bin")


def create_backbone(
    name: str, pretrained: bool | str, *, image_size: int | None = None, **arguments: Any
) -> Any:
    """Creates a timm model with random, published or local weights.

    Args:
        name: any name timm knows.
        pretrained: False for random weights, True for timm's own, a path for a local weight file or for the
            `best_model` folder of a classifier with the same backbone.
        image_size: side of the films in pixels, for the models that are built for one size (ViT, Swin).
        arguments: passed on to `timm.create_model`; what the model does not take is left out and logged.

    Returns:
        The model; timm has no types, so it is not typed further.

    Raises:
        WeightsError: the name is unknown, the model cannot be built so, or the weights cannot be had or do
            not fit; never a silent random start.
    """
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:10])
        raise WeightsError(
            f"unknown visual backbone {name!r}",
            expected="a model name of timm",
            found=f"close to it: {close}" if close else "no name like it",
            next_step="mend model.visual_backbone; timm.list_models() gives all names",
        )
    if isinstance(pretrained, str):
        state = read_backbone_weights(Path(pretrained), name, image_size, arguments)
        arguments["pretrained_cfg_overlay"] = {"state_dict": state}
    elif pretrained:
        arguments |= _cached_source(name)
    try:
        return _build(name, bool(pretrained), image_size, arguments)
    except BUILDING_ERRORS as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if not pretrained:
            raise WeightsError(
                f"the visual backbone {name} cannot be built",
                expected="a timm model that gives feature maps of films of this size",
                found=reason,
                next_step="another model.visual_backbone or data.image_size",
            ) from error
        raise _unavailable(name, reason) from error


def _build(name: str, pretrained: bool, image_size: int | None, arguments: dict[str, Any]) -> Any:
    """Creates the model, without the arguments that it turns out not to take."""
    optional: dict[str, Any] = {} if image_size is None else {"img_size": image_size}
    if "drop_path_rate" in arguments:
        optional["drop_path_rate"] = arguments["drop_path_rate"]
    required = {key: value for key, value in arguments.items() if key not in optional}
    while True:
        try:
            return timm.create_model(name, pretrained=pretrained, **required, **optional)
        except TypeError as error:
            # timm passes on what it does not know; only the constructor's own message names it.
            refused = [key for key in optional if f"unexpected keyword argument '{key}'" in str(error)]
            if not refused:
                raise
            del optional[refused[0]]
            if arguments.get(refused[0]):
                logger.warning("%s takes no %s: trained without it", name, refused[0])


def _cached_source(name: str) -> dict[str, Any]:
    """Gives where published weights lie on this machine when the hub cannot be asked; else nothing."""
    published = timm.get_pretrained_cfg(name)
    if published is None or not published.has_weights:
        raise _unpublished(name)
    if published.hf_hub_id is None or hub_is_reachable():
        return {}
    names = (published.hf_hub_filename,) if published.hf_hub_filename else HUB_FILES
    repository = published.hf_hub_id
    cached = find_cached_file(repository, names)
    if cached is None:
        raise _unavailable(name, f"no connection to the hub, and {repository} is not in the cache")
    return {"pretrained_cfg_overlay": {"file": str(cached)}}


def _unpublished(name: str) -> WeightsError:
    return WeightsError(
        f"there are no published weights of {name}",
        expected="a backbone whose weights timm publishes, or a local file that fits",
        found="timm names no source of weights for it",
        next_step="--set model.pretrained=/path/to/weights.safetensors, or false for random weights",
    )


def _unavailable(name: str, reason: str) -> WeightsError:
    return WeightsError(
        f"the pretrained weights of {name} cannot be loaded",
        expected="a connection to the hub, a filled cache (HF_HUB_OFFLINE=1), or a local file that fits",
        found=reason,
        next_step="--set model.pretrained=/path/to/weights.safetensors, or false for random weights",
    )


def enable_checkpointing(body: nn.Module) -> bool:
    """Lets a backbone recompute activations in the backward pass, where timm can.

    Args:
        body: from `create_backbone`.

    Returns:
        Whether it does; when not, it trains as without and a log line says so.
    """
    # The wrapper around the feature maps of a ViT hides the model's own switch.
    for part in (body, getattr(body, "model", None)):
        switch = getattr(part, "set_grad_checkpointing", None)
        if switch is None:
            continue
        try:
            switch(True)
        except (AssertionError, NotImplementedError, AttributeError):
            continue
        return True
    logger.warning("gradient checkpointing is not available for this backbone: it trains without")
    return False


class FeatureMap(nn.Module):
    """Gives one feature map of a film from the last two stages of a backbone.

    The last stage is brought to the finer grid of the one before it and added, so that small boxes
    still find features of their own.

    Args:
        name: timm name of the backbone.
        pretrained: see `create_backbone`.
        channels: channels of the map that comes out.
        image_size: side of the films in pixels, for the models that are built for one size.
        grey_input: `repeat` keeps the backbone's three input channels; `average` gives it a stem of one
            channel with the mean of the pretrained weights over the channels.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool | str,
        channels: int,
        image_size: int | None = None,
        grey_input: str = "repeat",
    ) -> None:
        super().__init__()
        self.is_grey = grey_input == "average"
        self.body = create_backbone(
            name,
            pretrained,
            image_size=image_size,
            features_only=True,
            out_indices=(-2, -1),
            in_chans=1 if self.is_grey else COLOURS,
        )
        if self.is_grey and pretrained:
            _average_stem(self.body)
        # Swin and its relatives give their maps as [B, h, w, C].
        self.channels_last = str(getattr(self.body, "output_fmt", "NCHW")).endswith("NHWC")
        fine, coarse = self.body.feature_info.channels()
        self.project_fine = nn.Conv2d(fine, channels, kernel_size=1)
        self.project_coarse = nn.Conv2d(coarse, channels, kernel_size=1)
        self.normalise = nn.GroupNorm(32 if channels % 32 == 0 else 1, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Encodes films.

        Args:
            images: `[B, 3, H, W]` normalised, or `[B, 1, H, W]` where the stem has one channel.

        Returns:
            `[B, C, h, w]`, h and w those of the second-last stage (stride 16 for most backbones).
        """
        if self.is_grey:
            # The mean of three weights on the sum of the channels answers as the three on equal channels do.
            images = COLOURS * images.mean(1, keepdim=True)
        fine, coarse = self.body(images)
        if self.channels_last:
            fine, coarse = fine.permute(0, 3, 1, 2), coarse.permute(0, 3, 1, 2)
        upsampled = functional.interpolate(self.project_coarse(coarse), fine.shape[-2:], mode="nearest")
        result: Tensor = self.normalise(self.project_fine(fine) + upsampled)
        return result


class NoFilm(nn.Module):
    """Stands in for the backbone of a network that shall not see the film: its feature maps are zeros.

    Args:
        channels: channels of the map that comes out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.body = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Gives zeros `[B, C, 1, 1]`, in the type that the rest of the network computes in."""
        return images.new_zeros(len(images), self.channels, 1, 1)


def _average_stem(body: nn.Module) -> None:
    """Turns the sum over the input channels, which timm makes of a pretrained stem, into their mean."""
    stem = next(part for part in body.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        stem.weight.div_(COLOURS)


def pooled(features: Tensor) -> Tensor:
    """Gives mean and maximum over the positions of a feature map: `[B, C, h, w]` -> `[B, 2C]`."""
    flat = features.flatten(2)
    return torch.cat([flat.mean(-1), flat.amax(-1)], dim=-1)
