"""The Hugging Face Trainer with our batches, loss parts, validation and best model."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from cxrkit.training.finite_guard import FiniteGuard, diverged_before_update
from cxrkit.training.run_folder import METRICS_FILE, defined_or_none

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
Validate = Callable[[nn.Module, torch.device], dict[str, float]]
LOWER_IS_BETTER = frozenset({"loss"})


class CxrkitTrainer(Trainer):
    """Trains a module that maps a batch to a loss with named parts.

    Args:
        module: a module giving `{"loss": ..., "parts": {...}}`.
        arguments: the engine's arguments.
        loader: the training batches.
        validate: computes validation metrics; None when there is no validation film.
        keep_best: writes the best model; called with the metrics that made it the best.
        metric: name of the validation metric that decides.
        callbacks: told of every step.
        parameter_groups: groups of weights with learning rates of their own; None = the engine's.
        max_skipped_steps: updates in a row without a finite loss and gradient before training stops.
    """

    def __init__(
        self,
        module: nn.Module,
        arguments: TrainingArguments,
        loader: DataLoader[Any],
        validate: Validate,
        keep_best: Callable[[dict[str, float], int], None],
        metric: str,
        callbacks: list[TrainerCallback],
        *,
        max_skipped_steps: int,
        parameter_groups: list[dict[str, Any]] | None = None,
    ) -> None:
        # The engine insists on a data set for validation although `evaluate` below has batches of its own.
        super().__init__(
            model=module,
            args=arguments,
            train_dataset=loader.dataset,
            eval_dataset=loader.dataset,
            callbacks=callbacks,
        )
        self.remove_callback(PrinterCallback)
        self.loader = loader
        self.validate = validate
        self.keep_best = keep_best
        self.metric = metric
        self.best: float | None = None
        self.latest: dict[str, float] = {}
        self._part_sums: dict[str, Tensor] = {}
        self._part_steps = 0
        self.guard = FiniteGuard(max_skipped_steps)
        self.parameter_groups = parameter_groups

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Makes the optimizer, over our own groups of weights when there are any."""
        if self.parameter_groups is not None and self.optimizer is None:
            kind, arguments = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = kind(self.parameter_groups, **arguments)
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        return optimizer

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Gives our own loader; its sampler is told the epoch by the engine."""
        prepared: DataLoader[Any] = self.accelerator.prepare(self.loader)
        return prepared

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Runs the module on a batch and remembers the parts of its loss for the log."""
        self.guard.remember(model)
        outputs = model(inputs)
        self.guard.see(outputs["loss"], outputs["parts"])
        # DeepSpeed's backward pass makes the update: it cannot be left out any more afterwards.
        if self.is_deepspeed_enabled and self.guard.loss_is_bad(self.accelerator):
            raise diverged_before_update(self.guard, self.state.global_step)
        for name, part in outputs["parts"].items():
            before = self._part_sums.get(name, torch.zeros((), device=part.device))
            self._part_sums[name] = before + _finite_or_zero(part.detach())
        self._part_steps += 1
        return (outputs["loss"], outputs) if return_outputs else outputs["loss"]

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """Does a forward and backward pass; a loss that is not finite would stay in the engine's mean."""
        return _finite_or_zero(super().training_step(*args, **kwargs))

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """Gives the gradient's norm before an update, which is left out when it or the loss is not finite.

        Raises:
            TrainingDivergedError: too many updates in a row were left out.
        """
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        if self.guard.must_skip(norm, self.accelerator, self.state.global_step):
            self.guard.undo(model)
        self.guard.forget()
        return norm

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the mean of each loss part since the last log."""
        if "loss" in logs and self._part_steps:
            logs = logs | {f"loss_{name}": float(s) / self._part_steps for name, s in self._part_sums.items()}
            self._part_sums, self._part_steps = {}, 0
            logs = logs | ({"skipped_steps": float(self.guard.skipped)} if self.guard.skipped else {})
        super().log(logs, start_time)
        # The engine writes its history into each checkpoint, as JSON.
        history: list[Any] = self.state.log_history
        history[-1] = defined_or_none(history[-1])

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validates, logs, and keeps the model when it is the best so far."""
        module = self.accelerator.unwrap_model(self.model)
        metrics = self.validate(module, self.args.device)
        self.latest = metrics
        named = {f"eval_{name}": value for name, value in metrics.items()}
        self.log(named)
        # A head without validation questions has no value: then no model is better than another. The answers
        # of a network whose loss is not finite mean nothing.
        is_sound = math.isfinite(metrics["loss"])
        value = metrics.get(self.metric, float("nan")) if is_sound else float("nan")
        sign = -1 if self.metric in LOWER_IS_BETTER else 1
        if value == value and (self.best is None or sign * value > sign * self.best):
            self.best = value
            if self.is_world_process_zero():
                self.keep_best(metrics, self.state.global_step)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        module.train()
        return named


def _finite_or_zero(value: Tensor) -> Tensor:
    return torch.where(torch.isfinite(value), value, torch.zeros_like(value))


class MetricsFile(TrainerCallback):
    """Appends everything that is logged to `metrics.jsonl`."""

    def __init__(self, run_dir: Path) -> None:
        self.path = run_dir / METRICS_FILE

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Writes one line."""
        if state.is_world_process_zero and logs:
            with self.path.open("a", encoding="utf-8") as file:
                line = {"step": state.global_step, **defined_or_none(logs)}
                file.write(json.dumps(line, allow_nan=False) + "\n")


class StepProgress(TrainerCallback):
    """Reports every step to whoever shows progress."""

    def __init__(self, stage: str, progress: Progress) -> None:
        self.stage = stage
        self.progress = progress

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Tells the steps done and their number."""
        self.progress(self.stage, state.global_step, state.max_steps)


def train(trainer: CxrkitTrainer) -> dict[str, float]:
    """Trains to the end and validates once more when the last step was not validated.

    Returns:
        The metrics of the last validation.
    """
    trainer.train()
    last = trainer.state.log_history[-2:] if trainer.state.log_history else []
    validated = any(entry.get("step") == trainer.state.global_step and "eval_loss" in entry for entry in last)
    if not validated:
        trainer.evaluate()
    if trainer.best is None:
        logger.warning("no validation value of %s: the last model is kept", trainer.metric)
    else:
        logger.info("best %s on the validation split: %.4f", trainer.metric, trainer.best)
    return trainer.latest
