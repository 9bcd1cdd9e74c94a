"""Typed outputs of the networks; None where a part is absent."""

from dataclasses import dataclass

from torch import Tensor


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
class EncodedFilms:
    """What the network keeps of films for any number of questions.

    Attributes:
        patches: `[B, P, H]` visual tokens.
        nodes: `[B, 26, H]` scene nodes.
        node_mask: `[B, 26]` True where a node exists; all False for the graph source `none`.
        node_boxes_xyxy_rel: `[B, 26, 4]` the boxes the nodes stand for.
        finding_logits: `[B, 26, E]` evidence for each entity in each region, from the graph's source.
        chexpert_logits: `[B, 14]`.
        graph: the predicted scene graph; None when the graph's source is not the film.
    """

    patches: Tensor
    nodes: Tensor
    node_mask: Tensor
    node_boxes_xyxy_rel: Tensor
    finding_logits: Tensor
    chexpert_logits: Tensor
    graph: PredictedGraph | None


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
        grounding: `[N, 26]` logits: does this node support the answer.
        attention: `[N, P]` attention of the answer over the visual tokens, or None when not asked for.
    """

    binary: Tensor
    category: Tensor
    region: Tensor
    severity: Tensor
    grounding: Tensor
    attention: Tensor | None = None
