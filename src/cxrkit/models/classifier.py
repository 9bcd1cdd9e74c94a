"""The 14-label classifier: any timm backbone with one linear layer."""

from pathlib import Path
from typing import Self

from torch import Tensor, nn

from cxrkit.models.backbone import create_backbone
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.models.storage import load_weights, save_weights
from cxrkit.vocabulary import FINDINGS


class CXRClassifier(nn.Module):
    """Gives a logit for each of the 14 findings of a film.

    Args:
        config: shape of the network.
        pretrained: True (timm's weights), a path, or False (random).
    """

    def __init__(self, config: ClassifierConfig, *, pretrained: bool | str = False) -> None:
        super().__init__()
        self.config = config
        arguments = {"num_classes": len(FINDINGS), "drop_rate": config.drop_rate}
        if config.drop_path_rate:
            arguments["drop_path_rate"] = config.drop_path_rate
        self.network = create_backbone(
            config.visual_backbone, pretrained, image_size=config.image_size, **arguments
        )

    def forward(self, images: Tensor) -> Tensor:
        """Maps normalised films `[B, 3, H, W]` to logits `[B, 14]`."""
        logits: Tensor = self.network(images)
        return logits

    def save(self, folder: Path) -> None:
        """Writes configuration and weights (safetensors) into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.config.save(folder)
        save_weights(self, folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads a classifier that `save` wrote; a missing or unexpected weight is an error."""
        model = cls(ClassifierConfig.load(folder))
        load_weights(model, folder)
        return model
