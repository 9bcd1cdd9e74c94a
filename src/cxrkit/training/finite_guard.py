"""Leaves out updates without a finite loss and gradient, counts them, and stops when they are the rule."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from cxrkit.errors import TrainingDivergedError

logger = logging.getLogger(__name__)
SMALLEST_SCALE = 1.0


class FiniteGuard:
    """Watches the losses and gradients of a training.

    Args:
        most_in_a_row: updates that may be left out one after the other.

    Attributes:
        skipped: updates left out so far.
    """

    def __init__(self, most_in_a_row: int) -> None:
        self.most_in_a_row = most_in_a_row
        self.skipped = 0
        self.in_a_row = 0
        self._parts: dict[str, Tensor] = {}

    def see(self, loss: Tensor, parts: Mapping[str, Tensor]) -> None:
        """Notes the loss of a forward pass and its parts; an update may have several."""
        for name, part in {"loss": loss, **parts}.items():
            bad = ~torch.isfinite(part.detach())
            self._parts[name] = self._parts[name] | bad if name in self._parts else bad

    def must_skip(self, grad_norm: Tensor | float | None, accelerator: Any, step: int) -> bool:
        """Tells whether the update must be left out; asked once per update, by every process.

        Args:
            grad_norm: of all parameters, the same in every process.
            accelerator: of the engine; joins what the processes saw, knows the loss scale of fp16.
            step: updates done.

        Raises:
            TrainingDivergedError: more than `most_in_a_row` updates in a row were left out.
        """
        bad_loss = self._parts.get("loss", torch.zeros(1, dtype=torch.bool)).any()
        bad_loss = accelerator.reduce(bad_loss.to(accelerator.device).float(), reduction="sum") > 0
        loss_is_bad = bool(bad_loss)
        norm_is_bad = grad_norm is not None and not math.isfinite(float(grad_norm))
        names = [name for name, bad in self._parts.items() if name != "loss" and bool(bad)]
        self._parts = {}
        if not (loss_is_bad or norm_is_bad):
            self.in_a_row = 0
            return False
        self.skipped += 1
        if not loss_is_bad and _is_finding_scale(accelerator):
            return True
        self.in_a_row += 1
        what = f"the loss ({', '.join(names) or 'as a whole'})" if loss_is_bad else "the gradient"
        logger.warning("update %d left out: %s is not finite", step + 1, what)
        if self.in_a_row >= self.most_in_a_row:
            raise _diverged(what, self.in_a_row, step)
        return True


def _is_finding_scale(accelerator: Any) -> bool:
    """Tells whether fp16 is still looking for its loss scale, when overflowing gradients are part of it."""
    scaler = getattr(accelerator, "scaler", None)
    return scaler is not None and scaler.is_enabled() and float(scaler.get_scale()) > SMALLEST_SCALE


def _diverged(what: str, count: int, step: int) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"training stopped: {count} update{'s' if count != 1 else ''} in a row without a finite value",
        expected="a finite loss and gradient",
        found=f"{what} is not finite, after {step} updates; no weight was changed by it",
        next_step="lower training.learning_rate, or train in fp32 (--set training.fp16=false); "
        "best_model and the checkpoints hold the model from before",
    )
