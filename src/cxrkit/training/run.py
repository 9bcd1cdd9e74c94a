"""Runs the engine for either task: arguments, callbacks, best model, publishing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.config import Settings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import make_loader
from cxrkit.data.index import Index
from cxrkit.training.arguments import training_arguments
from cxrkit.training.engine import CxrkitTrainer, MetricsFile, Progress, StepProgress, train
from cxrkit.training.publishing import publish
from cxrkit.training.run_folder import (
    BEST_MODEL,
    Savable,
    TrainedRun,
    defined_or_none,
    write_best_model,
)


class Patience(TrainerCallback):
    """Stops after so many validations without a better one."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.validations = 0
        self.trainer: CxrkitTrainer | None = None
        self._best: float | None = None

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Counts validations since the best one."""
        assert self.trainer is not None
        self.validations = 0 if self.trainer.best != self._best else self.validations + 1
        self._best = self.trainer.best
        if self.validations >= self.patience:
            control.should_training_stop = True


def run_training(
    settings: Settings,
    run_dir: Path,
    index: Index,
    module: nn.Module,
    model: Savable,
    films: FilmDataset,
    collate: Collate,
    *,
    validate: Callable[[nn.Module, torch.device], dict[str, float]],
    callbacks: Sequence[TrainerCallback] = (),
    parameter_groups: list[dict[str, Any]] | None = None,
    progress: Progress | None = None,
) -> TrainedRun:
    """Trains a module and leaves its best model in the run's folder.

    Args:
        settings: resolved settings.
        run_dir: the run's folder.
        index: the index the films come from.
        module: network with loss.
        model: the network, for saving.
        films: the training films.
        collate: makes a batch.
        validate: computes the validation metrics.
        callbacks: of the task.
        parameter_groups: groups of weights with learning rates of their own; None = one rate for all.
        progress: called with (stage, steps done, steps).
    """
    training = settings.training
    loader = _training_batches(settings, films, collate)
    best: dict[str, Any] = {"metrics": {}, "step": 0}

    def keep_best(metrics: dict[str, float], step: int) -> None:
        write_best_model(run_dir, model, settings, index, metrics, step)
        best.update(metrics=metrics, step=step)

    patience = Patience(training.early_stopping_patience)
    steps = max(1, len(loader) // training.gradient_accumulation_steps)
    trainer = CxrkitTrainer(
        module,
        training_arguments(settings, steps),
        loader,
        validate,
        keep_best,
        training.metric_for_best_model,
        [*_callbacks(settings, run_dir, patience, progress), *callbacks],
        max_skipped_steps=training.max_skipped_steps,
        parameter_groups=parameter_groups,
    )
    patience.trainer = trainer
    train(trainer)
    if trainer.best is None:
        best.update(metrics=trainer.latest, step=trainer.state.global_step)
    if trainer.is_world_process_zero():
        if trainer.best is None:
            keep_best(trainer.latest, trainer.state.global_step)
        publish(run_dir / BEST_MODEL, training.hub_model_id)
    metrics, step = defined_or_none(best["metrics"]), best["step"]
    return TrainedRun(run_dir, run_dir / BEST_MODEL, metrics, step, chosen=trainer.best is not None)


def _training_batches(settings: Settings, films: FilmDataset, collate: Collate) -> DataLoader[Any]:
    training = settings.training
    return make_loader(
        films,
        collate,
        batch_size=training.batch_size_per_gpu,
        workers=training.dataloader_num_workers,
        shuffle=True,
        pin_memory=training.dataloader_pin_memory and torch.cuda.is_available(),
    )


def _callbacks(
    settings: Settings, run_dir: Path, patience: Patience, progress: Progress | None
) -> list[TrainerCallback]:
    callbacks: list[TrainerCallback] = [MetricsFile(run_dir)]
    if progress is not None:
        callbacks.append(StepProgress(f"training {settings.task}", progress))
    if settings.training.early_stopping_patience:
        callbacks.append(patience)
    return callbacks
