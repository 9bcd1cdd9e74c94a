"""Scene nodes: box, region, entities and ROI feature of each region, whatever the graph's source."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cxrkit.models.backbone import pooled
from cxrkit.models.configuration import BOX_VALUES
from cxrkit.models.outputs import PredictedGraph
from cxrkit.models.scene_graph import cxcywh_to_xyxy, pool_regions
from cxrkit.vocabulary import REGIONS

GRAPH_SOURCES = ("predicted", "anatomy", "oracle", "none")
# How sure the data set's own graph is of what it states, as logits.
PRESENT_LOGIT, ABSENT_LOGIT = 6.0, -6.0


@dataclass(frozen=True)
class DataSetGraph:
    """The data set's scene graph of B films; read by the sources `anatomy` (boxes) and `oracle` only.

    Attributes:
        boxes_xyxy_rel: `[B, 26, 4]` corners as fractions of the square; zeros where there is none.
        findings: `[B, 26, E]` 1 where an entity was found in a region.
        valid: `[B]` films whose study has a scene graph; of the others nothing is known.
    """

    boxes_xyxy_rel: Tensor
    findings: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> "DataSetGraph":
        """Gives the graphs on a device."""
        return DataSetGraph(self.boxes_xyxy_rel.to(device), self.findings.to(device), self.valid.to(device))


@dataclass(frozen=True)
class NodeInputs:
    """What the nodes of B films are made of.

    Attributes:
        boxes_xyxy_rel: `[B, 26, 4]`.
        finding_logits: `[B, 26, E]` evidence for each entity in each region.
        mask: `[B, 26]` True where a node exists.
        has_findings: `[B]` True where the source says what is found; elsewhere the logits say nothing.
    """

    boxes_xyxy_rel: Tensor
    finding_logits: Tensor
    mask: Tensor
    has_findings: Tensor

    def where(self, chosen: Tensor, other: "NodeInputs") -> "NodeInputs":
        """Gives these inputs for the films that are `chosen [B]`, the other's for the rest."""
        return NodeInputs(
            torch.where(chosen[:, None, None], self.boxes_xyxy_rel, other.boxes_xyxy_rel),
            torch.where(chosen[:, None, None], self.finding_logits, other.finding_logits),
            torch.where(chosen[:, None], self.mask, other.mask),
            torch.where(chosen, self.has_findings, other.has_findings),
        )


def node_inputs(source: str, films: int, entities: int, graph: PredictedGraph | None,
                given: DataSetGraph | None, like: Tensor) -> NodeInputs:  # fmt: skip
    """Gives what the nodes are made of, for one source of the graph.

    Args:
        source: one of `GRAPH_SOURCES`.
        films: number of films.
        entities: number of finding entities.
        graph: the predicted graph; read by `predicted` only.
        given: the data set's graph; read by `anatomy` and `oracle` only.
        like: a tensor of the device.

    Raises:
        ValueError: the source is unknown, or needs what was not given.
    """
    nothing = torch.full((films, len(REGIONS), entities), ABSENT_LOGIT, device=like.device)
    flag = torch.zeros(films, dtype=torch.bool, device=like.device)
    if source == "predicted" and graph is not None:
        boxes = cxcywh_to_xyxy(graph.boxes_cxcywh_rel)
        return NodeInputs(boxes, graph.finding_logits.float(), boxes.new_ones(boxes.shape[:2]).bool(), ~flag)
    if source == "none":
        boxes = torch.zeros(films, len(REGIONS), 4, device=like.device)
        return NodeInputs(boxes, nothing, boxes[..., 0].bool(), flag)
    if source not in GRAPH_SOURCES:
        raise ValueError(f"graph source {source!r}; known: {', '.join(GRAPH_SOURCES)}")
    if given is None:
        what = "a predicted graph" if source == "predicted" else "the data set's graph"
        raise ValueError(f"the graph source {source} needs {what}")
    boxes = given.boxes_xyxy_rel.float()
    mask = (boxes[..., 2:] > boxes[..., :2]).all(-1)
    if source == "anatomy":
        return NodeInputs(boxes, nothing, mask, flag)
    logits = ABSENT_LOGIT + given.findings.float() * (PRESENT_LOGIT - ABSENT_LOGIT)
    return NodeInputs(boxes, logits, mask, given.valid.bool())


class SceneNodes(nn.Module):
    """Makes nodes: box (6), region embedding, entity embedding and ROI feature, brought to the hidden size.

    Attributes that carry the answer (polarity, certainty, modifiers) never enter a node.

    Args:
        channels: channels of the feature map and size of the ROI feature.
        entities: number of finding entities.
        region_dim: size of the region embedding.
        entity_dim: size of the entity embedding.
        hidden_size: width of the network.
        roi_source: `roi` pools at the node's box, `global` over the whole film, `both` adds the two.
    """

    def __init__(
        self,
        channels: int,
        entities: int,
        region_dim: int,
        entity_dim: int,
        hidden_size: int,
        roi_source: str,
    ) -> None:
        super().__init__()
        self.roi_source = roi_source
        self.region_embedding = nn.Parameter(torch.randn(len(REGIONS), region_dim))
        self.entity_embedding = nn.Parameter(torch.randn(entities, entity_dim))
        self.roi = nn.Linear(2 * channels, channels)
        self.project = nn.Sequential(
            nn.Linear(BOX_VALUES + region_dim + entity_dim + channels, hidden_size), nn.LayerNorm(hidden_size)
        )

    def forward(self, features: Tensor, inputs: NodeInputs, local: Tensor | None = None) -> Tensor:
        """Gives nodes.

        Args:
            features: `[B, C, h, w]`.
            inputs: boxes and finding logits of the nodes.
            local: `[B, 26, 2C]` features already pooled at the boxes; None pools them here.

        Returns:
            `[B, 26, H]`.
        """
        boxes = inputs.boxes_xyxy_rel
        size = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-4)
        shape = [size.prod(-1, keepdim=True), size[..., :1] / size[..., 1:]]
        geometry = torch.cat([boxes, *shape], dim=-1).clamp(max=4.0)
        # A source without findings has no entity at all, rather than a little of each.
        weights = inputs.finding_logits.sigmoid() * inputs.has_findings[:, None, None]
        entity = weights @ self.entity_embedding
        region = self.region_embedding.expand(len(features), -1, -1)
        roi = self._roi_features(features, boxes, local)
        parts = [part.to(roi.dtype) for part in (geometry, region, entity, roi)]
        nodes: Tensor = self.project(torch.cat(parts, dim=-1))
        return nodes

    def _roi_features(self, features: Tensor, boxes: Tensor, local: Tensor | None) -> Tensor:
        values = pooled(features)[:, None].expand(-1, boxes.shape[1], -1)
        if self.roi_source != "global":
            at_boxes = pool_regions(features, boxes) if local is None else local
            values = values + at_boxes if self.roi_source == "both" else at_boxes
        result: Tensor = self.roi(values)
        return result
