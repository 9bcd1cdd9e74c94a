"""Losses in fp32: each answer head divided by its own number of valid targets, graph and grounding terms."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

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


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Gives the mean of the values where the mask is true; 0, with a gradient of 0, where it never is.

    Args:
        values: any shape.
        mask: the same shape, boolean.
    """
    return torch.where(mask, values, torch.zeros_like(values)).sum() / mask.sum().clamp(min=1)


def single_label_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of `[N, C]` logits; a target of -1 is masked."""
    losses = functional.cross_entropy(logits.float(), target.clamp(min=0), reduction="none")
    return masked_mean(losses, target >= 0)


def multi_label_loss(logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Binary cross-entropy of `[N, C]` logits against 0/1 targets, over the questions with `valid [N]`."""
    losses = functional.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none")
    return masked_mean(losses.mean(-1), valid)


def answer_losses(answers: Answers, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Gives the loss of each answer head over the questions that the router sends to it."""
    category = batch["category_valid"] & is_answered_by(batch, Head.CATEGORY)
    region = batch["region_valid"] & is_answered_by(batch, Head.REGION)
    binary = batch["binary_target"].masked_fill(~is_answered_by(batch, Head.BINARY), -1)
    severity = batch["severity_target"].masked_fill(~is_answered_by(batch, Head.SEVERITY), -1)
    return {
        "binary": single_label_loss(answers.binary, binary),
        "category": multi_label_loss(answers.category, batch["category_target"], category),
        "region": multi_label_loss(answers.region, batch["region_target"], region),
        "severity": single_label_loss(answers.severity, severity),
    }


def is_answered_by(batch: Mapping[str, Tensor], head: Head) -> Tensor:
    """Tells which questions `[N]` of a batch the router sends to a head."""
    return batch["head"] == ANSWER_HEADS.index(head)


def chexpert_loss(logits: Tensor, labels: Tensor, *, blank_is_negative: bool) -> Tensor:
    """Binary cross-entropy of the 14 labels.

    Args:
        logits: `[B, 14]`.
        labels: `[B, 14]` 1, 0, -1 (uncertain) or NaN (blank).
        blank_is_negative: count blanks as absent; otherwise they are masked. Uncertain ones are masked.
    """
    if blank_is_negative:
        labels = torch.nan_to_num(labels, nan=0.0)
    known = labels >= 0
    target = torch.where(known, labels, torch.zeros_like(labels))
    losses = functional.binary_cross_entropy_with_logits(logits.float(), target, reduction="none")
    return masked_mean(losses, known)


def scene_graph_losses(
    graph: PredictedGraph, boxes: Tensor, has_box: Tensor, findings: Tensor, valid: Tensor
) -> dict[str, Tensor]:
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
    # Almost every (region, entity) pair is absent: divided by the present ones, these keep their weight.
    present = (findings * valid[:, None, None]).sum().clamp(min=1)
    return {
        "graph_box": masked_mean(distance + overlap, has_box),
        "graph_presence": masked_mean(presence, valid[:, None].expand_as(presence)),
        "graph_findings": (found * valid[:, None, None]).sum() / present,
    }


def grounding_loss(logits: Tensor, target: Tensor, valid: Tensor, exists: Tensor) -> Tensor:
    """Binary cross-entropy of "this node supports the answer", where that is known and the node exists.

    Args:
        logits: `[N, 26]`.
        target: `[N, 26]` 1 where the region supports the answer.
        valid: `[N]` questions whose answer has trustworthy boxes.
        exists: `[N, 26]` nodes of the question's film.
    """
    losses = functional.binary_cross_entropy_with_logits(logits.float(), target.float(), reduction="none")
    return masked_mean(losses, valid[:, None] & exists)
