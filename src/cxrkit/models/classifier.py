"""The 14-label classifier: any timm backbone with one linear layer.

Importing this module registers model and configuration with `AutoModel` and `AutoConfig`.
"""

from torch import Tensor
from transformers import AutoConfig, AutoModel

from cxrkit.models.backbone import create_backbone
from cxrkit.models.configuration import ClassifierConfig
from cxrkit.models.saved_model import SavedModel
from cxrkit.vocabulary import FINDINGS


class CXRClassifier(SavedModel):
    """Gives a logit for each of the 14 findings of a film.

    Args:
        config: shape of the network.
        pretrained: True (timm's weights), a path, or False (random).
    """

    config: ClassifierConfig
    config_class = ClassifierConfig

    def __init__(self, config: ClassifierConfig, *, pretrained: bool | str = False) -> None:
        super().__init__(config)
        self.network = create_backbone(
            config.visual_backbone,
            pretrained,
            image_size=config.image_size,
            num_classes=len(FINDINGS),
            drop_rate=config.drop_rate,
            drop_path_rate=config.drop_path_rate,
        )
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        """Maps normalised films `[B, 3, H, W]` to logits `[B, 14]`."""
        logits: Tensor = self.network(images)
        return logits


AutoConfig.register(ClassifierConfig.model_type, ClassifierConfig, exist_ok=True)
AutoModel.register(ClassifierConfig, CXRClassifier, exist_ok=True)
