"""Visual backbones from timm, and the feature map that the rest of the network reads."""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from cxrkit.errors import WeightsError
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.models.storage import WEIGHTS_FILE

# What timm and the hub raise when weights are out of reach or do not fit.
LOADING_ERRORS = (OSError, ValueError, RuntimeError, SafetensorError)
CLASSIFIER_PREFIX = "network."


def create_backbone(name: str, pretrained: bool | str, **arguments: Any) -> Any:
    """Creates a timm model with random, published or local weights.

    Args:
        name: any name timm knows.
        pretrained: False for random weights, True for timm's own, a path for a local weight file or for the
            `best_model` folder of a classifier with the same backbone.
        arguments: passed on to `timm.create_model`.

    Returns:
        The model; timm has no types, so it is not typed further.

    Raises:
        WeightsError: the name is unknown, or the weights cannot be had; never a silent random start.
    """
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{name.split('_')[0]}*")[:5]) or "see timm.list_models()"
        raise WeightsError(f"unknown visual backbone {name!r}", expected="a model name of timm", next_step=close)
    try:
        if isinstance(pretrained, str):
            arguments["pretrained_cfg_overlay"] = _local_source(Path(pretrained), name)
        return timm.create_model(name, pretrained=bool(pretrained), **arguments)
    except LOADING_ERRORS as error:
        if not pretrained:
            raise
        raise WeightsError(
            f"the pretrained weights of {name} cannot be loaded",
            expected="a connection to the model hub, a filled cache, or a local file that fits",
            found=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            next_step="--set model.pretrained=/path/to/weights.safetensors, or false for random weights",
        ) from error


def _local_source(path: Path, name: str) -> dict[str, Any]:
    """Gives timm's description of local weights: a file as it is, or the network inside a classifier."""
    if path.is_file():
        return {"file": str(path)}
    if not path.is_dir():
        raise WeightsError(
            f"no weights at {path}",
            expected="a weight file, or the best_model folder of a classifier",
            found="no such file or folder",
            next_step="mend model.pretrained",
        )
    config = ClassifierConfig.load(path)
    if config.visual_backbone != name:
        raise WeightsError(
            "the classifier's weights are of another backbone",
            expected=f"a classifier with visual_backbone {name}",
            found=f"{config.visual_backbone} in {path}",
            next_step="make model.visual_backbone the same in both runs",
        )
    state = load_file(str(path / WEIGHTS_FILE))
    return {"state_dict": {key.removeprefix(CLASSIFIER_PREFIX): value for key, value in state.items()}}


class FeatureMap(nn.Module):
    """Gives one feature map of a film from the last two stages of a backbone.

    The last stage is brought to the finer grid of the one before it and added, so that small boxes
    still find features of their own.

    Args:
        name: timm name of the backbone.
        pretrained: see `create_backbone`.
        channels: channels of the map that comes out.
    """

    def __init__(self, name: str, pretrained: bool | str, channels: int) -> None:
        super().__init__()
        self.body = create_backbone(name, pretrained, features_only=True, out_indices=(-2, -1))
        fine, coarse = self.body.feature_info.channels()
        self.project_fine = nn.Conv2d(fine, channels, kernel_size=1)
        self.project_coarse = nn.Conv2d(coarse, channels, kernel_size=1)
        self.normalise = nn.GroupNorm(32 if channels % 32 == 0 else 1, channels)

    def forward(self, images: Tensor) -> Tensor:
        """Encodes films.

        Args:
            images: `[B, 3, H, W]` normalised.

        Returns:
            `[B, C, h, w]`, h and w those of the second-last stage (stride 16 for most backbones).
        """
        fine, coarse = self.body(images)
        upsampled = functional.interpolate(self.project_coarse(coarse), fine.shape[-2:], mode="nearest")
        result: Tensor = self.normalise(self.project_fine(fine) + upsampled)
        return result


def pooled(features: Tensor) -> Tensor:
    """Gives mean and maximum over the positions of a feature map: `[B, C, h, w]` -> `[B, 2C]`."""
    flat = features.flatten(2)
    return torch.cat([flat.mean(-1), flat.amax(-1)], dim=-1)
