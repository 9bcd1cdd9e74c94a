"""Typed outputs of the networks; None where a part is absent."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cxrkit.models.attention import KeysValues
from cxrkit.vocabulary import REGIONS


@dataclass(frozen=True)
class PredictedGraph:
    """The scene graph read from the film alone.

    Attributes:
        boxes_cxcywh_rel: `[B, 26, 4]` centre and size as fractions of the square input.
        presence_logits: `[B, 26]` whether the region has a visible place of its own.
        finding_logits: `[B, 26, E]` which entities are found in each region.
        pooled: `[B, 26, 2C]` the feature map pooled at the boxes.
    """

    boxes_cxcywh_rel: Tensor
    presence_logits: Tensor
    finding_logits: Tensor
    pooled: Tensor


@dataclass(frozen=True)
class EncodedImages:
    """What the network keeps of B films for any number of questions.

    The R nodes are the 26 regions in their order; nodes may be permuted or padded without changing an answer,
    since each carries the region that it stands for.

    Attributes:
        visual: per fusion layer, keys and values of the visual tokens `[B, heads, P, D]`.
        nodes: `[B, R, H]` scene nodes.
        node_mask: `[B, R]` True where a node exists; all False for the graph source `none`.
        node_regions: `[B, R]` the region of each node, -1 for padding.
        node_boxes_xyxy_rel: `[B, R, 4]` the boxes the nodes stand for.
        finding_logits: `[B, R, E]` evidence for each entity in each region, from the graph's source.
        has_findings: `[B]` True where that evidence says something.
        edges: `[B, kinds, R, R]` edges between the nodes; None without edges.
        chexpert_logits: `[B, 14]`.
        graph: the predicted scene graph; None when the graph's source is not the film.
    """

    visual: tuple[KeysValues, ...]
    nodes: Tensor
    node_mask: Tensor
    node_regions: Tensor
    node_boxes_xyxy_rel: Tensor
    finding_logits: Tensor
    has_findings: Tensor
    edges: Tensor | None
    chexpert_logits: Tensor
    graph: PredictedGraph | None

    def __len__(self) -> int:
        """Number of films."""
        return len(self.nodes)

    def with_nodes(self, order: Tensor) -> "EncodedImages":
        """Gives the same films with the nodes at `[R']` positions, in that order."""
        edges = None if self.edges is None else self.edges[:, :, order][:, :, :, order]
        names = ("nodes", "node_mask", "node_regions", "node_boxes_xyxy_rel", "finding_logits")
        return replace(self, edges=edges, **{name: getattr(self, name)[:, order] for name in names})

    def padded(self, count: int) -> "EncodedImages":
        """Gives the same films with `count` nodes more, none of which exists; what they hold is no answer."""
        order = torch.cat([torch.arange(self.nodes.shape[1]), torch.zeros(count, dtype=torch.long)])
        longer = self.with_nodes(order.to(self.nodes.device))
        exists = torch.arange(len(order), device=self.nodes.device) < self.nodes.shape[1]
        return replace(
            longer,
            node_mask=longer.node_mask & exists,
            node_regions=longer.node_regions.masked_fill(~exists, -1),
        )

    def without_nodes(self, removed: Tensor) -> "EncodedImages":
        """Gives the same films without the nodes that are `removed [B, R]`: as if their graph had none there.

        The regions stay visible among the visual tokens.
        """
        return replace(
            self,
            node_mask=self.node_mask & ~removed,
            node_regions=self.node_regions.masked_fill(removed, -1),
        )


def by_region(values: Tensor, node_regions: Tensor, absent: float) -> Tensor:
    """Brings values of nodes into the order of the 26 regions.

    Args:
        values: `[B, R, ...]`.
        node_regions: `[B, R]` region of each node, -1 for padding.
        absent: what a region without a node gets.

    Returns:
        `[B, 26, ...]`.
    """
    # Padding is written to a row of its own, which is cut off again.
    place = node_regions.masked_fill(node_regions < 0, len(REGIONS))
    place = place.view(*place.shape, *(1,) * (values.dim() - 2)).expand_as(values)
    table = values.new_full((len(values), len(REGIONS) + 1, *values.shape[2:]), absent)
    return table.scatter(1, place, values)[:, : len(REGIONS)]


@dataclass(frozen=True)
class EncodedQuestions:
    """What the network keeps of questions; rows may be repeated with `rows`.

    Attributes:
        words: `[U, T, H]` tokens; the first stands for the question.
        mask: `[U, T]` True where a token is not padding.
        entity_scores: `[U, E]` how well the question names each entity.
        region_scores: `[U, 26]` how well it names each region.
    """

    words: Tensor
    mask: Tensor
    entity_scores: Tensor
    region_scores: Tensor

    def __len__(self) -> int:
        """Number of questions."""
        return len(self.words)

    def rows(self, index: Tensor) -> "EncodedQuestions":
        """Gives the questions at `[N]` positions, so that equal texts need encoding once."""
        return EncodedQuestions(
            self.words[index], self.mask[index], self.entity_scores[index], self.region_scores[index]
        )


@dataclass(frozen=True)
class Answers:
    """Answers to N questions.

    Attributes:
        binary: `[N, 2]` logits of no, yes.
        category: `[N, 14]` logits, one per finding (a set).
        region: `[N, 26]` logits, one per region (a set).
        severity: `[N, 4]` logits.
        grounding: `[N, R]` logits: does this node support the answer; very small where no node exists.
        visual_attention: `[N, P]` attention of the answer over the visual tokens, or None when not asked for.
        node_attention: `[N, R]` attention of the answer over the nodes, or None likewise.
        sim_attention: `[N, R, T]` attention of the nodes over the question's tokens, or None likewise.
    """

    binary: Tensor
    category: Tensor
    region: Tensor
    severity: Tensor
    grounding: Tensor
    visual_attention: Tensor | None = None
    node_attention: Tensor | None = None
    sim_attention: Tensor | None = None


@dataclass(frozen=True)
class SSGVQAOutput:
    """All that the network says about B films and N questions about them.

    Attributes:
        answers: head logits, grounding scores and attention of the N questions.
        chexpert_logits: `[B, 14]`.
        graph: the predicted scene graph (boxes, presence, findings); None when the graph's source is not
            the film.
    """

    answers: Answers
    chexpert_logits: Tensor
    graph: PredictedGraph | None
