"""A part of a loss before it is divided: an update divides by the targets of all its batches."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Part:
    """The sum of a loss over its targets, and their number.

    The mean over a batch is not what an update of several batches, or of several processes, needs: a batch
    with one target would weigh as much as one with hundred.

    Attributes:
        total: scalar; 0, with a gradient of 0, where there is no target.
        count: scalar, the number of targets.
    """

    total: Tensor
    count: Tensor

    def mean(self, count: Tensor | None = None) -> Tensor:
        """Gives the total divided by `count`, the targets of the whole update; None = by its own."""
        return self.total / (self.count if count is None else count).clamp(min=1)


def masked_sum(values: Tensor, mask: Tensor) -> Part:
    """Sums the values where the mask is true.

    Args:
        values: any shape.
        mask: the same shape, boolean.
    """
    return Part(torch.where(mask, values, torch.zeros_like(values)).sum(), mask.sum())


def means(parts: Mapping[str, Part], counts: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """Divides every part by the targets of the whole update; `counts` None = by those of its own batch."""
    return {name: part.mean(None if counts is None else counts[name]) for name, part in parts.items()}
