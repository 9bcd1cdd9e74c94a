"""Edges of the scene graph between region nodes: parent, child, mirrored side, found together.

They bias the attention among nodes: each head learns how much each kind of edge counts.
"""

import torch
from torch import Tensor, nn

from cxrkit.vocabulary import PARENT_OF_REGION, REGION_INDEX, REGIONS, mirrored_region

EDGE_KINDS = ("parent", "child", "mirror", "located_at")


class GraphEdges(nn.Module):
    """Gives the edges between region nodes.

    `parent`, `child` and `mirror` are anatomy and always there; `located_at` joins two regions at which the
    same finding is located, as strongly as the graph believes in both.
    """

    anatomy: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("anatomy", _anatomy(), persistent=True)

    def forward(self, node_regions: Tensor, finding_probabilities: Tensor) -> Tensor:
        """Gives the edges of each film.

        Args:
            node_regions: `[B, R]` which region each node is; -1 for padding, which has no edge.
            finding_probabilities: `[B, R, E]`.

        Returns:
            `[B, kinds, R, R]` in 0..1, from the row's node to the column's.
        """
        known = node_regions >= 0
        region = node_regions.clamp(min=0)
        fixed = self.anatomy[:, region[:, :, None], region[:, None, :]].transpose(0, 1)
        fixed = fixed * (known[:, None, :, None] & known[:, None, None, :])
        # The expected number of common findings, brought to 0..1.
        located = finding_probabilities * known[..., None]
        common = 1 - torch.exp(-(located @ located.transpose(-1, -2)))
        return torch.cat([fixed.to(common.dtype), common[:, None]], dim=1)


class EdgeBias(nn.Module):
    """Turns edges into a bias of attention scores, one weight per head and kind of edge."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(heads, len(EDGE_KINDS)))

    def forward(self, edges: Tensor) -> Tensor:
        """Maps edges `[B, kinds, R, R]` to biases `[B, heads, R, R]`."""
        return torch.einsum("hk,bkij->bhij", self.weight, edges)


def _anatomy() -> Tensor:
    size = len(REGIONS)
    edges = torch.zeros(3, size, size)
    for index, name in enumerate(REGIONS):
        parent = PARENT_OF_REGION.get(name)
        if parent is not None:
            edges[0, index, REGION_INDEX[parent]] = 1.0
            edges[1, REGION_INDEX[parent], index] = 1.0
        mirrored = mirrored_region(index)
        if mirrored != index:
            edges[2, index, mirrored] = 1.0
    return edges
