"""The scene graph, predicted from the film by one query per anatomical region."""

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from cxrkit.models.attention import Attention
from cxrkit.models.backbone import pooled
from cxrkit.models.outputs import PredictedGraph
from cxrkit.vocabulary import REGIONS

ROI_CELLS = 3
# Few regions hold any one entity: starting at one in a hundred keeps the first steps calm.
RARE_LOGIT = -4.6


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Gives ordered corners, whatever the size says: `[..., 4]` -> `[..., 4]`."""
    centre, half = boxes[..., :2], boxes[..., 2:].abs() / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Gives centre and size of corner boxes: `[..., 4]` -> `[..., 4]`."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def pool_regions(features: Tensor, boxes_xyxy_rel: Tensor) -> Tensor:
    """Pools a live feature map at boxes (RoIAlign), mean and maximum of the cells.

    Args:
        features: `[B, C, h, w]`.
        boxes_xyxy_rel: `[B, R, 4]` corners as fractions; empty boxes are widened to one cell.

    Returns:
        `[B, R, 2C]`.
    """
    height, width = features.shape[-2:]
    extent = torch.tensor([width, height, width, height], device=features.device, dtype=features.dtype)
    corners = boxes_xyxy_rel.detach().to(features.dtype).clamp(0, 1) * extent
    corners = torch.cat([corners[..., :2], torch.maximum(corners[..., 2:], corners[..., :2] + 1.0)], dim=-1)
    cells = roi_align(
        features, list(corners.unbind(0)), output_size=ROI_CELLS, sampling_ratio=2, aligned=True
    )
    values: Tensor = pooled(cells).unflatten(0, boxes_xyxy_rel.shape[:2])
    return values


class SceneGraphHead(nn.Module):
    """Predicts box, presence and findings of each of the 26 regions from the feature map.

    Identity is fixed, one query per region, so there is no matching problem. Boxes are offsets to a
    reference box per region (the training set's mean), kept with the weights.

    Args:
        channels: channels of the feature map.
        entities: number of finding entities.
        heads: attention heads.
        dropout: dropout of attention.
    """

    reference_logits: Tensor

    def __init__(self, channels: int, entities: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(REGIONS), channels) * 0.02)
        self.position = nn.Linear(4, channels)
        self.attention = Attention(channels, heads, dropout)
        self.normalise = nn.LayerNorm(channels)
        self.box = nn.Sequential(nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, 4))
        self.presence = nn.Linear(channels, 1)
        self.findings = nn.Sequential(
            nn.LayerNorm(3 * channels),
            nn.Linear(3 * channels, channels),
            nn.GELU(),
            nn.Linear(channels, entities),
        )
        self.register_buffer("reference_logits", torch.zeros(len(REGIONS), 4))
        self._start_calm()

    def _start_calm(self) -> None:
        last_box, last_finding = self.box[-1], self.findings[-1]
        assert isinstance(last_box, nn.Linear)
        assert isinstance(last_finding, nn.Linear)
        nn.init.zeros_(last_box.weight)
        nn.init.zeros_(last_box.bias)
        nn.init.constant_(last_finding.bias, RARE_LOGIT)

    def set_reference_boxes(self, boxes_xyxy_rel: Tensor) -> None:
        """Sets the reference boxes `[26, 4]`, corners as fractions of the square."""
        boxes = xyxy_to_cxcywh(boxes_xyxy_rel).clamp(0.01, 0.99)
        self.reference_logits.copy_(torch.logit(boxes))

    def forward(self, features: Tensor) -> PredictedGraph:
        """Predicts the graph of each film from its feature map `[B, C, h, w]`."""
        tokens = features.flatten(2).transpose(1, 2) + self.position(_grid(features))
        reference = torch.sigmoid(self.reference_logits)
        queries = (self.queries + self.position(reference)).expand(len(features), -1, -1)
        states = self.normalise(queries + self.attention(queries, tokens))
        boxes = torch.sigmoid((self.reference_logits + self.box(states)).float())
        local = pool_regions(features, cxcywh_to_xyxy(boxes))
        return PredictedGraph(
            boxes_cxcywh_rel=boxes,
            presence_logits=self.presence(states).squeeze(-1),
            finding_logits=self.findings(torch.cat([states, local], dim=-1)),
            pooled=local,
        )


def _grid(features: Tensor) -> Tensor:
    """Gives centre and size of each cell of a feature map as fractions: `[h * w, 4]`."""
    height, width = features.shape[-2:]
    y = (torch.arange(height, device=features.device, dtype=features.dtype) + 0.5) / height
    x = (torch.arange(width, device=features.device, dtype=features.dtype) + 0.5) / width
    centre = torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1], dim=-1).flatten(0, 1)
    size = torch.tensor([1 / width, 1 / height], device=features.device, dtype=features.dtype)
    return torch.cat([centre, size.expand_as(centre)], dim=-1)
