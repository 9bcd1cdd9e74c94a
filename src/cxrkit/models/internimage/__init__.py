"""InternImage, the convolutional network with DCNv3; importing this registers its sizes with timm.

Wang et al., "InternImage: Exploring Large-Scale Vision Foundation Models with Deformable Convolutions"
(CVPR 2023, arXiv:2211.05778).
"""

from cxrkit.models.internimage.layers import set_dcnv3_backend
from cxrkit.models.internimage.network import InternImage
from cxrkit.models.internimage.presets import PRESETS

__all__ = ["PRESETS", "InternImage", "set_dcnv3_backend"]
