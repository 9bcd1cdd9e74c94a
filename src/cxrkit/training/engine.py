"""The Hugging Face Trainer with our batches, loss parts, validation, best models and whole checkpoints."""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list, gather_object
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from cxrkit.errors import ArtifactError
from cxrkit.models.calibration import ModelCalibration
from cxrkit.training.arithmetic import seed_anew
from cxrkit.training.best_models import AVERAGED, RAW, BestModels, defined_or_none
from cxrkit.training.checkpoints import finish_checkpoint, read_manifest, remove_older, unfinished_path
from cxrkit.training.disk_room import explained, lacks_room, no_room
from cxrkit.training.finite_guard import FiniteGuard, diverged_before_update, diverged_in_update
from cxrkit.training.run_logs import logged_lines, sync_logs, tell_lost_lines
from cxrkit.training.speed import SpeedMeter, speed_of
from cxrkit.training.tracking import Tracking
from cxrkit.training.unlogged import require_parts, unlogged_of, write_unlogged
from cxrkit.training.validation import Validated
from cxrkit.training.weight_average import WeightAverage
from cxrkit.training.weights_file import load_weights, save_weights

Validate = Callable[[nn.Module, torch.device], Validated]
WEIGHTS, AVERAGE, OWN_STATE = "model.safetensors", "average.safetensors", "cxrkit_state.json"
TRAINER_STATE = "trainer_state.json"


@dataclass
class Outcome:
    """What a training judges and keeps.

    Attributes:
        validate: computes validation metrics.
        best: decides which models are kept.
        average: of the weights, validated beside them; None for none.
        run: what the run is, written into each checkpoint's manifest.
        tracking: where else the log goes, with how fast the training is.
        calibrations: of each kind of weights, from its last validation.
    """

    validate: Validate
    best: BestModels
    average: WeightAverage | None
    run: dict[str, Any]
    tracking: Tracking
    calibrations: dict[str, ModelCalibration | None] = field(default_factory=dict)


class CxrkitTrainer(Trainer):
    """Trains a module that maps a batch to a loss with named parts.

    Args:
        module: a module giving `{"loss": ..., "parts": {...}}`.
        arguments: the engine's arguments.
        loader: the training batches.
        outcome: what is judged and kept.
        callbacks: told of every step.
        parameter_groups: groups of weights with learning rates of their own; None = the engine's.
        max_skipped_steps: updates in a row without a finite loss and gradient before training stops.
    """

    def __init__(
        self,
        module: nn.Module,
        arguments: TrainingArguments,
        loader: DataLoader[Any],
        outcome: Outcome,
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
        # `compute_loss` divides by the targets of the whole update, not by the number of batches.
        self.loss_is_scaled_for_ga = True
        # Unwrapped; the engine's own way to it costs milliseconds each time, and imports DeepSpeed.
        self.module = module
        self.loader = loader
        self.outcome = outcome
        self.latest: dict[str, float] = {}
        self._part_sums: dict[str, Tensor] = {}
        self._part_updates = 0
        self.guard = FiniteGuard(max_skipped_steps)
        self.parameter_groups = parameter_groups
        self._unlogged: dict[str, Any] | None = None
        self._scaler_state: dict[str, Any] | None = None
        self.meter = SpeedMeter()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Makes the optimizer, over our own groups of weights when there are any."""
        if self.parameter_groups is not None and self.optimizer is None:
            kind, arguments = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = kind(self.parameter_groups, **arguments)
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        return optimizer

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Gives our own loader."""
        prepared: DataLoader[Any] = self.accelerator.prepare(self.loader)
        return prepared

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], Any]:
        """Gives the batches of an update, with the number of targets that all processes have in it."""
        with self.meter.waiting():
            batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        for batch in batches:
            self.meter.count(batch)
        return batches, self._targets_of(batches) if batches else None

    def _targets_of(self, batches: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        module: Any = self.module
        each = [module.counts(batch) for batch in batches]
        sums = torch.stack([torch.stack([own[name].double() for own in each]).sum() for name in each[0]])
        everyones = self.accelerator.reduce(sums.to(self.args.device), reduction="sum").float()
        return dict(zip(each[0], everyones, strict=True))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Runs the module on a batch and remembers the parts of its loss for the log.

        Args:
            model: the module, perhaps wrapped.
            inputs: a batch.
            return_outputs: give what the module gave too.
            num_items_in_batch: targets of the whole update, by part of the loss.
        """
        self.guard.remember(model)
        outputs = model(inputs, num_items_in_batch)
        self.guard.see(outputs["loss"], outputs["parts"])
        # DeepSpeed's backward pass makes the update: it cannot be left out any more afterwards.
        if self.is_deepspeed_enabled and self.guard.loss_is_bad(self.accelerator):
            raise diverged_before_update(self.guard, self.state.global_step)
        for name, part in outputs["parts"].items():
            before = self._part_sums.get(name, torch.zeros((), device=part.device))
            self._part_sums[name] = before + _finite_or_zero(part.detach())
        # The engines take the mean of the processes' gradients; their losses are shares of one sum.
        loss = outputs["loss"] * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """Does a forward and backward pass; a loss that is not finite would stay in the engine's mean."""
        return _finite_or_zero(super().training_step(*args, **kwargs))

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:
        """Gives the gradient's norm before an update, which is left out when it or the loss is not finite.

        Raises:
            TrainingDivergedError: too many updates in a row were left out.
        """
        self._part_updates += 1
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[no-untyped-call]
        scaler = self._loss_scaler()
        if self.is_deepspeed_enabled and scaler is None and not math.isfinite(norm):
            raise diverged_in_update(self.state.global_step)
        if self.guard.must_skip(norm, self.accelerator, self.state.global_step, scaler):
            self.guard.undo(model)
        self.guard.forget()
        return norm

    def _loss_scaler(self) -> Any:
        """Gives what scales the losses of fp16, which leaves out updates by itself; None without it."""
        if self.is_deepspeed_enabled:
            return getattr(self.model_wrapped.optimizer, "torch_autocast_gradscaler", None)
        return getattr(self.accelerator, "scaler", None)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the mean of each loss part over the updates since the last log."""
        if "loss" in logs and self._part_updates:
            logs = logs | self._mean_parts() | self._rates() | self._average_distance()
            self._part_sums, self._part_updates = {}, 0
            logs = logs | ({"skipped_steps": float(self.guard.skipped)} if self.guard.skipped else {})
            self._track_speed()
        super().log(logs, start_time)
        # The engine writes its history into each checkpoint, as JSON.
        history: list[Any] = self.state.log_history
        history[-1] = defined_or_none(history[-1])

    def _mean_parts(self) -> dict[str, float]:
        everyones = gather_object([{name: float(value) for name, value in self._part_sums.items()}])
        names = dict.fromkeys(name for own in everyones for name in own)
        return {
            f"loss_{name}": sum(own.get(name, 0.0) for own in everyones) / self._part_updates
            for name in names
        }

    def _rates(self) -> dict[str, float]:
        """Gives the lowest and highest learning rate of the groups of weights, where there are several."""
        if self.parameter_groups is None or self.lr_scheduler is None:
            return {}
        rates = [float(rate) for rate in self.lr_scheduler.get_last_lr()]
        return {"learning_rate": max(rates), "learning_rate_lowest": min(rates)}

    def _average_distance(self) -> dict[str, float]:
        average = self.outcome.average
        if average is None:
            return {}
        return {"average_distance": average.distance(self.module)}

    def _track_speed(self) -> None:
        everyones = gather_object([self.meter.take()])
        # A run that goes on may log before it has made an update of its own.
        if all(everyones) and self.is_world_process_zero():
            self.outcome.tracking.speed(speed_of(everyones), self.state.global_step)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Validates each kind of weights, logs, and keeps what is the best so far."""
        module = self.module
        validated = {}
        for kind in self.outcome.best.kinds:
            with self._weights(kind):
                found = self.outcome.validate(module, self.args.device)
            validated[kind], self.outcome.calibrations[kind] = found
        # Running statistics differ a little between processes; all must keep and stop alike.
        validated = broadcast_object_list([validated])[0]
        self.latest = validated[RAW]
        named = {f"eval_{name}": value for name, value in validated[RAW].items()}
        named |= {f"eval_average_{name}": value for name, value in validated.get(AVERAGED, {}).items()}
        self.log(named)
        self.outcome.best.see(validated, self.state.global_step, write=self._weights)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, named)
        module.train()
        return named

    def _weights(self, kind: str) -> AbstractContextManager[None]:
        if kind == RAW or self.outcome.average is None:
            return nullcontext()
        return self.outcome.average.applied(self.module)

    @property
    def run_dir(self) -> Path:
        """The run's folder."""
        return Path(str(self.args.output_dir))

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Writes a checkpoint beside its place and moves it there when every process is done with its part.

        The engine's own way writes in place, and its arguments, with the hub's token, into a pickle.

        Raises:
            ArtifactError: the disk has no room for it, or the processes have folders of their own.
        """
        run_dir, what = self.run_dir, f"the checkpoint after {self.state.global_step} updates"
        if broadcast_object_list([lacks_room(run_dir, self._checkpoint_bytes())])[0]:
            raise no_room(run_dir, self._checkpoint_bytes(), what)
        folder = unfinished_path(run_dir, self.state.global_step)
        try:
            with explained(run_dir, self._checkpoint_bytes(), what):
                self._write_checkpoint(folder)
        except ArtifactError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.accelerator.wait_for_everyone()

    def _write_checkpoint(self, folder: Path) -> None:
        run_dir, step = self.run_dir, self.state.global_step
        if self.is_world_process_zero():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self._save_optimizer_and_scheduler(str(folder))
        self._save_scaler(str(folder))
        self._save_rng_state(str(folder))
        self._save_unlogged(folder)
        if self.is_world_process_zero():
            self._save_own_parts(folder)
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            require_parts(folder, self.args.world_size)
            sync_logs(run_dir)
            finish_checkpoint(run_dir, step, self.outcome.run)
            remove_older(run_dir, self.args.save_total_limit or 1, step)

    def _checkpoint_bytes(self) -> int:
        """Gives about how large a checkpoint is: the weights, two moments of each, and their average."""
        own = sum(int(value.nbytes) for value in self.module.state_dict().values())
        return own * (4 if self.outcome.average is not None else 3)

    def _save_own_parts(self, folder: Path) -> None:
        save_weights(self.module, folder / WEIGHTS)
        if self.outcome.average is not None:
            save_file(self.outcome.average.state(), folder / AVERAGE)
        self.state.save_to_json(str(folder / TRAINER_STATE))
        scaler = self._loss_scaler()
        own = {
            "best": self.outcome.best.state(),
            "skipped": [self.guard.skipped, self.guard.in_a_row],
            "logged": logged_lines(self.run_dir),
            # Without DeepSpeed the engine saves it itself.
            "scaler": scaler.state_dict() if self.is_deepspeed_enabled and scaler is not None else None,
        }
        (folder / OWN_STATE).write_text(json.dumps(own) + "\n", encoding="utf-8")

    def _save_unlogged(self, folder: Path) -> None:
        """Writes this process's own sums of losses since the last log."""
        sums = {
            "loss": float(self._tr_loss),
            "last_logged": self._globalstep_last_logged,
            "updates": self._part_updates,
            "parts": {name: float(value) for name, value in self._part_sums.items()},
        }
        write_unlogged(folder, self.args.process_index, sums)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        self.load_weights_of(Path(resume_from_checkpoint))

    def load_weights_of(self, checkpoint: Path) -> None:
        """Loads the weights of a checkpoint; every one must be there, which the engine does not ask for."""
        load_weights(self.module, checkpoint / WEIGHTS)

    def load_own_state(self, checkpoint: Path) -> None:
        """Loads what the engine does not know of: best models, average, left out updates.

        Args:
            checkpoint: a whole one, of this run.
        """
        own = json.loads((checkpoint / OWN_STATE).read_text(encoding="utf-8"))
        self.outcome.best.load(own["best"])
        self.guard.skipped, self.guard.in_a_row = own["skipped"]
        self._scaler_state = own["scaler"]
        if self.is_world_process_zero():
            tell_lost_lines(self.run_dir, own["logged"])
        self._unlogged = unlogged_of(checkpoint, self.args.process_index, self.args.world_size)
        if self.outcome.average is not None:
            self.outcome.average.load(load_file(checkpoint / AVERAGE))

    def go_on(self) -> None:
        """Takes up what the checkpoint held for a training that has begun."""
        scaler = self._loss_scaler()
        if self._scaler_state is not None and scaler is not None:
            scaler.load_state_dict(self._scaler_state)
        if self._unlogged is None:
            return
        sums = self._unlogged
        # Losses that were not logged before the checkpoint.
        self._tr_loss += sums["loss"]
        self._globalstep_last_logged, self._part_updates = sums["last_logged"], sums["updates"]
        self._part_sums = {
            name: torch.tensor(value, device=self.args.device) for name, value in sums["parts"].items()
        }

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Loads this process's random numbers; other processes than before get new ones, each its own."""
        super()._load_rng_state(checkpoint)
        if checkpoint is None or not Path(checkpoint).is_dir():
            return
        before = read_manifest(Path(checkpoint))["run"]["processes"]
        if before != self.args.world_size:
            seed_anew(self.args.seed, self.state.global_step, self.args.process_index)


def _finite_or_zero(value: Tensor) -> Tensor:
    return torch.where(torch.isfinite(value), value, torch.zeros_like(value))
