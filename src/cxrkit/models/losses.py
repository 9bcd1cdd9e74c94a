"""Losses in fp32: answer heads, graph and grounding, each summed over its own valid targets."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from cxrkit.models.loss_parts import Part, masked_sum
from cxrkit.models.outputs import Answers, PredictedGraph
from cxrkit.models.scene_graph import cxcywh_to_xyxy, xyxy_to_cxcywh
from cxrkit.vocabulary import ANSWER_HEADS, Head


@dataclass(frozen=True)
class LossWeights:
    """Weights of the parts of the VQA loss."""

    vqa: float = 1.0
    chexpert: float = 0.3
    scene_graph: float = 1.0
    grounding: float = 0.5

    def of(self, part: str) -> float:
        """Gives the weight of a part of the loss by its name."""
        if part.startswith("graph_"):
            return self.scene_graph
        return {"chexpert": self.chexpert, "grounding": self.grounding}.get(part, self.vqa)


def single_label_loss(logits: Tensor, target: Tensor) -> Part:
    """Cross-entropy of `[N, C]` logits; a target of -1 is masked."""
    losses = functional.cross_entropy(logits.float(), target.clamp(min=0), reduction="none")
    return masked_sum(losses, target >= 0)


def multi_label_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Part:
    """Binary cross-entropy of `[N, C]` logits against 0/1 targets, over the questions with `valid [N]`."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none")
    return masked_sum(losses.mean(-1), valid)


def answer_losses(answers: Answers, batch: Mapping[str, Tensor]) -> dict[str, Part]:
    """Gives the loss of each answer head over the questions that the router sends to it."""
    valid = _valid_answers(batch)
    binary = batch["binary_target"].masked_fill(~valid["binary"], -1)
    severity = batch["severity_target"].masked_fill(~valid["severity"], -1)
    return {
        "binary": single_label_loss(answers.binary, binary),
        "category": multi_label_loss(answers.category, batch["category_target"], valid["category"]),
        "region": multi_label_loss(answers.region, batch["region_target"], valid["region"]),
        "severity": single_label_loss(answers.severity, severity),
    }


def _valid_answers(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        "binary": (batch["binary_target"] >= 0) & is_answered_by(batch, Head.BINARY),
        "category": batch["category_valid"] & is_answered_by(batch, Head.CATEGORY),
        "region": batch["region_valid"] & is_answered_by(batch, Head.REGION),
        "severity": (batch["severity_target"] >= 0) & is_answered_by(batch, Head.SEVERITY),
    }


def is_answered_by(batch: Mapping[str, Tensor], head: Head) -> Tensor:
    """Tells which questions `[N]` of a batch the router sends to a head."""
    return batch["head"] == ANSWER_HEADS.index(head)


def chexpert_loss(logits: Tensor, labels: Tensor, *, blank_is_negative: bool) -> Part:
    """Binary cross-entropy of the 14 labels.

    Args:
        logits: `[B, 14]`.
        labels: `[B, 14]` 1, 0, -1 (uncertain) or NaN (blank).
        blank_is_negative: count blanks as absent; otherwise they are masked. Uncertain ones are masked.
    """
    known = _known_labels(labels, blank_is_negative=blank_is_negative)
    target = (labels == 1).float()
    losses = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return masked_sum(losses, known)


def _known_labels(labels: Tensor, *, blank_is_negative: bool) -> Tensor:
    return (labels >= 0) | labels.isnan() if blank_is_negative else labels >= 0


def scene_graph_losses(
    graph: PredictedGraph, boxes: Tensor, has_box: Tensor, findings: Tensor, valid: Tensor
) -> dict[str, Part]:
    """Gives box (L1 + GIoU), presence and finding losses of the predicted graph.

    Args:
        graph: the prediction.
        boxes: `[B, 26, 4]` the data set's boxes, corners as fractions.
        has_box: `[B, 26]` where a box exists.
        findings: `[B, 26, E]` 1 where an entity was found in a region.
        valid: `[B]` films that have a scene graph.
    """
    predicted = graph.boxes_cxcywh_rel.float()
    has_box = has_box & valid[:, None]
    distance = (predicted - xyxy_to_cxcywh(boxes)).abs().sum(-1)
    overlap = generalized_box_iou_loss(cxcywh_to_xyxy(predicted), boxes, reduction="none")
    presence = functional.binary_cross_entropy_with_logits(
        graph.presence_logits.float(), has_box.float(), reduction="none"
    )
    found = functional.binary_cross_entropy_with_logits(
        graph.finding_logits.float(), findings, reduction="none"
    )
    pairs = findings * valid[:, None, None]
    return {
        "graph_box": masked_sum(distance + overlap, has_box),
        "graph_presence": masked_sum(presence, valid[:, None].expand_as(presence)),
        # Almost every (region, entity) pair is absent: divided by the present ones, these keep their weight.
        "graph_findings": Part((found * valid[:, None, None]).sum(), pairs.sum()),
    }


def grounding_loss(logits: Tensor, target: Tensor, valid: Tensor, exists: Tensor) -> Part:
    """Binary cross-entropy of "this node supports the answer", where that is known and the node exists.

    Every question counts alike, however many nodes its film has.

    Args:
        logits: `[N, 26]`.
        target: `[N, 26]` 1 where the region supports the answer.
        valid: `[N]` questions whose answer has trustworthy boxes.
        exists: `[N, 26]` nodes of the question's film.
    """
    losses = functional.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none")
    of_question = torch.where(exists, losses, torch.zeros_like(losses)).sum(-1)
    return masked_sum(of_question / exists.sum(-1).clamp(min=1), valid)


def target_counts(batch: Mapping[str, Tensor], *, blank_is_negative: bool) -> dict[str, Tensor]:
    """Gives the number of targets of every part of the loss, before the network has seen the batch.

    Args:
        batch: a batch of films and questions.
        blank_is_negative: as for `chexpert_loss`.
    """
    valid = batch["graph_valid"].bool()
    has_box = batch["node_has_box"] & valid[:, None]
    known = _known_labels(batch["chexpert"], blank_is_negative=blank_is_negative)
    return {name: mask.sum() for name, mask in _valid_answers(batch).items()} | {
        "chexpert": known.sum(),
        "grounding": batch["node_valid"].sum(),
        "graph_box": has_box.sum(),
        "graph_presence": valid.sum() * has_box.shape[1],
        "graph_findings": (batch["node_findings"] * valid[:, None, None]).sum(),
    }
