"""What is trained: network with loss, films, validation; the same for both tasks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import TrainerCallback

from cxrkit.config import Settings
from cxrkit.data.batches.dataset import Collate, FilmDataset
from cxrkit.data.batches.loading import make_loader
from cxrkit.data.index import Index
from cxrkit.errors import DataLayoutError
from cxrkit.training.arguments import films_per_update, processes
from cxrkit.training.engine import Validate
from cxrkit.training.run_folder import Savable


@dataclass(frozen=True)
class Job:
    """What is trained.

    Attributes:
        settings: resolved settings.
        index: the index the films come from.
        module: network with loss.
        model: the network, for saving.
        films: the training films.
        collate: makes a batch.
        validate: computes the validation metrics.
        validation_films: it looks at so many.
        backbone: the part of the network that `training.freeze_backbone_epochs` is about.
        head: parts inside the backbone that are trained all the same.
        callbacks: of the task.
        parameter_groups: groups of weights with learning rates of their own; None = one rate for all.
    """

    settings: Settings
    index: Index
    module: nn.Module
    model: Savable
    films: FilmDataset
    collate: Collate
    validate: Validate
    validation_films: int
    backbone: nn.Module
    head: tuple[nn.Module, ...] = ()
    callbacks: Sequence[TrainerCallback] = ()
    parameter_groups: list[dict[str, Any]] | None = None


def training_batches(job: Job) -> DataLoader[Any]:
    """Gives the loader of the training films.

    Raises:
        DataLayoutError: there are fewer films than one batch for each process.
    """
    training = job.settings.training
    _require_films(len(job.films), training.batch_size_per_gpu)
    return make_loader(
        job.films,
        job.collate,
        batch_size=training.batch_size_per_gpu,
        workers=training.dataloader_num_workers,
        shuffle=True,
        pin_memory=training.dataloader_pin_memory and torch.cuda.is_available(),
        films_per_update=films_per_update(job.settings),
        persistent_workers=training.dataloader_persistent_workers,
    )


def _require_films(films: int, batch_size: int) -> None:
    # The engine would fill up the batches of the last processes with films of the first ones.
    if processes() > 1 and films < batch_size * processes():
        raise DataLayoutError(
            "there are fewer films than one batch for each process",
            expected=f"at least {batch_size * processes()}, {batch_size} for each of {processes()} processes",
            found=f"{films} training films",
            next_step="start fewer processes, or lower training.batch_size_per_gpu",
        )


def updates_per_epoch(job: Job, loader: DataLoader[Any], processes: int) -> int:
    """Gives the updates of one pass over the training films, which `processes` share."""
    return math.ceil(len(loader) / processes / job.settings.training.gradient_accumulation_steps)


def updates_in_all(job: Job, loader: DataLoader[Any], processes: int) -> int:
    """Gives the updates of the whole training."""
    training = job.settings.training
    if training.max_steps > 0:
        return training.max_steps
    return training.num_epochs * updates_per_epoch(job, loader, processes)
