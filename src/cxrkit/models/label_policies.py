"""What uncertain (-1) and blank labels of the 14 findings count as in training."""

import torch
from torch import Tensor
from torch.nn import functional

from cxrkit.models.loss_parts import Part
from cxrkit.vocabulary import LABEL_POLICIES


def targets_of_labels(labels: Tensor, policy: str) -> tuple[Tensor, Tensor]:
    """Turns labels into targets.

    Args:
        labels: `[B, 14]`: 1, 0, -1 for uncertain, NaN for blank.
        policy: one of `LABEL_POLICIES`.

    Returns:
        Targets `[B, 14]`, 0 or 1, and whether each counts.

    Raises:
        ValueError: there is no such policy.
    """
    if policy not in LABEL_POLICIES:
        raise ValueError(f"label_policy: {policy!r} is none of {', '.join(LABEL_POLICIES)}")
    uncertain = labels == -1
    target = (labels == 1) | uncertain if policy == "ones" else labels == 1
    counted = torch.ones_like(target)
    if policy in ("ignore", "blank_ignore"):
        counted = ~uncertain
    if policy == "blank_ignore":
        counted = counted & ~labels.isnan()
    return target.to(torch.float32), counted


def balanced_weights(labels: Tensor, policy: str) -> Tensor:
    """Gives the weight of positives with which either value of a finding counts alike: negatives / positives.

    Args:
        labels: `[N, 14]`, see `targets_of_labels`.
        policy: one of `LABEL_POLICIES`.

    Returns:
        `[14]`; 1 for a finding without positives or without negatives, which cannot be balanced.
    """
    target, counted = targets_of_labels(labels, policy)
    positives, negatives = (target * counted).sum(0), ((1 - target) * counted).sum(0)
    both = (positives > 0) & (negatives > 0)
    return torch.where(both, negatives / positives.clamp(min=1), torch.ones_like(positives))


def label_loss(logits: Tensor, labels: Tensor, policy: str, pos_weight: Tensor | None = None) -> Part:
    """Gives the binary cross-entropy over the labels that count.

    Args:
        logits: `[B, 14]`.
        labels: see `targets_of_labels`.
        policy: one of `LABEL_POLICIES`.
        pos_weight: `[14]` weight of the positives of each finding; None for 1.
    """
    target, counted = targets_of_labels(labels, policy)
    losses = functional.binary_cross_entropy_with_logits(
        logits.float(), target, reduction="none", pos_weight=pos_weight
    )
    return Part((losses * counted).sum(), counted.sum())
