"""DCNv3, the deformable convolution of InternImage, for CPU and GPU, with nothing to compile.

The operator is from Wang et al., "InternImage" (CVPR 2023, arXiv:2211.05778), section 3.1.
"""

from cxrkit.models.ops.dcnv3.backends import BACKENDS, BackendChoice, choose_backend
from cxrkit.models.ops.dcnv3.operator import dcnv3

__all__ = ["BACKENDS", "BackendChoice", "choose_backend", "dcnv3"]
