"""Leaves out updates without a finite loss and gradient, counts them, and stops when they are the rule."""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cxrkit.errors import TrainingDivergedError

logger = logging.getLogger(__name__)
SMALLEST_SCALE = 1.0


class FiniteGuard:
    """Watches the losses and gradients of a training.

    Args:
        most_in_a_row: so many updates left out one after the other end the training.

    Attributes:
        skipped: updates left out so far.
    """

    def __init__(self, most_in_a_row: int) -> None:
        self.most_in_a_row = most_in_a_row
        self.skipped = 0
        self.in_a_row = 0
        self._parts: dict[str, Tensor] = {}
        self._buffers: list[Tensor] | None = None
        self._kept: list[Tensor] = []
        self._is_kept = False

    def remember(self, model: nn.Module) -> None:
        """Keeps the buffers from before an update's first forward pass, which changes running statistics."""
        if self._is_kept:
            return
        if self._buffers is None:
            # Looked for once: walking through the modules takes longer than copying.
            self._buffers = [value for value in model.buffers() if value.is_floating_point()]
            self._kept = [torch.empty_like(value) for value in self._buffers]
        _copy(self._kept, self._buffers)
        self._is_kept = True

    def undo(self, model: nn.Module) -> None:
        """Takes an update back before it is made: no gradient is left, and the buffers are as before."""
        # Without gradients the optimizer changes neither a weight nor its moments.
        model.zero_grad(set_to_none=True)
        if self._is_kept and self._buffers is not None:
            _copy(self._buffers, self._kept)

    def forget(self) -> None:
        """Lets the kept buffers go: the update is made or taken back."""
        self._is_kept = False

    def see(self, loss: Tensor, parts: Mapping[str, Tensor]) -> None:
        """Notes the loss of a forward pass and its parts; an update may have several."""
        for name, part in {"loss": loss, **parts}.items():
            bad = ~torch.isfinite(part.detach())
            self._parts[name] = self._parts[name] | bad if name in self._parts else bad

    def must_skip(
        self, grad_norm: Tensor | float | None, accelerator: Any, step: int, scaler: Any = None
    ) -> bool:
        """Tells whether the update must be left out; asked once per update, by every process.

        Args:
            grad_norm: of all parameters, the same in every process.
            accelerator: of the engine; joins what the processes saw.
            step: updates done.
            scaler: scales the losses of fp16; None in other arithmetic.

        Raises:
            TrainingDivergedError: this is the `most_in_a_row`th update in a row that is left out.
        """
        loss_is_bad = self.loss_is_bad(accelerator)
        norm_is_bad = grad_norm is not None and not math.isfinite(float(grad_norm))
        what = self.what() if loss_is_bad else "the gradient"
        self._parts = {}
        if not (loss_is_bad or norm_is_bad):
            self.in_a_row = 0
            return False
        self.skipped += 1
        if not loss_is_bad and _is_finding_scale(scaler):
            return True
        self.in_a_row += 1
        logger.warning("update %d left out: %s is not finite", step + 1, what)
        if self.in_a_row >= self.most_in_a_row:
            raise _diverged(what, self.in_a_row, step)
        return True

    def loss_is_bad(self, accelerator: Any) -> bool:
        """Tells whether any process saw a loss that is not finite since the last update."""
        bad = self._parts.get("loss", torch.zeros(1, dtype=torch.bool)).any()
        return bool(accelerator.reduce(bad.to(accelerator.device).float(), reduction="sum") > 0)

    def what(self) -> str:
        """Names the parts of the loss that were not finite."""
        names = [name for name, bad in self._parts.items() if name != "loss" and bool(bad)]
        return f"the loss ({', '.join(names) or 'as a whole'})"


@torch.no_grad()
def _copy(to: list[Tensor], values: list[Tensor]) -> None:
    # One call for all: on a GPU each of hundreds would be a launch of its own.
    if to:
        torch._foreach_copy_(to, values)


def diverged_before_update(guard: FiniteGuard, step: int) -> TrainingDivergedError:
    """Gives the error for an engine that cannot leave an update out."""
    return _diverged(guard.what(), 1, step)


def diverged_in_update(step: int) -> TrainingDivergedError:
    """Gives the error for an engine that made an update with a gradient that is not finite."""
    return _diverged("the gradient", 1, step, changed="the weights in memory are lost by it")


def _is_finding_scale(scaler: Any) -> bool:
    """Tells whether fp16 is still looking for its loss scale, when overflowing gradients are part of it."""
    return scaler is not None and scaler.is_enabled() and float(scaler.get_scale()) > SMALLEST_SCALE


def _diverged(
    what: str, count: int, step: int, changed: str = "no weight was changed by it"
) -> TrainingDivergedError:
    return TrainingDivergedError(
        f"training stopped: {count} update{'s' if count != 1 else ''} in a row without a finite value",
        expected="a finite loss and gradient",
        found=f"{what} is not finite, after {step} updates; {changed}",
        next_step="lower training.learning_rate, or train in fp32 (--set training.fp16=false); "
        "best_model and the checkpoints hold the model from before",
    )
