"""How large a training is, counted without running it: updates, weights, checkpoints."""

from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader

from cxrkit.training.arguments import intervals
from cxrkit.training.job import Job, updates_in_all, updates_per_epoch

# Adam's two moments in float32.
MOMENT_BYTES = 8
# A loading process has so many batches waiting; PyTorch's own default.
PREFETCHED = 2


@dataclass(frozen=True)
class Sizes:
    """A training in numbers.

    Attributes:
        processes: that share an update.
        films_per_update: all processes together.
        updates_per_epoch: in one pass over the training films.
        updates: of the whole training.
        validations: of the whole training, the one at the end included.
        validation_films: in each of them, for each kind of weights.
        validated_kinds: of weights: the raw ones, and their average where there is one.
        parameters: weights of the network.
        trained: those with a gradient.
        weight_bytes: of weights and running statistics.
        checkpoint_bytes: of one checkpoint: weights, their average, the optimizer's moments.
        disk_bytes: the most that checkpoints and best models take at once.
        waiting_batches: batches of all loading processes that lie in shared memory at once.
    """

    processes: int
    films_per_update: int
    updates_per_epoch: int
    updates: int
    validations: int
    validation_films: int
    validated_kinds: int
    parameters: int
    trained: int
    weight_bytes: int
    checkpoint_bytes: int
    disk_bytes: int
    waiting_batches: int


def sizes_of(job: Job, loader: DataLoader[Any], processes: int) -> Sizes:
    """Counts.

    Args:
        job: what is trained.
        loader: its training batches.
        processes: that shall share an update.
    """
    training = job.settings.training
    per_epoch, updates = updates_per_epoch(job, loader, processes), updates_in_all(job, loader, processes)
    eval_steps, _ = intervals(job.settings, per_epoch)
    weights = list(job.module.parameters())
    trained = sum(value.numel() for value in weights if value.requires_grad)
    weight_bytes = sum(value.nbytes for value in job.module.state_dict().values())
    kinds = 2 if training.ema_decay else 1
    checkpoint = kinds * weight_bytes + MOMENT_BYTES * trained
    # One more while the oldest still waits to be removed; a best model is replaced by one beside it.
    models = (1 if kinds == 1 else 1 + kinds) + 1
    return Sizes(
        processes=processes,
        films_per_update=training.batch_size_per_gpu * training.gradient_accumulation_steps * processes,
        updates_per_epoch=per_epoch,
        updates=updates,
        validations=-(-updates // eval_steps),
        validation_films=job.validation_films,
        validated_kinds=kinds,
        parameters=sum(value.numel() for value in weights),
        trained=trained,
        weight_bytes=weight_bytes,
        checkpoint_bytes=checkpoint,
        disk_bytes=(training.save_total_limit + 1) * checkpoint + models * weight_bytes,
        waiting_batches=processes * training.dataloader_num_workers * PREFETCHED,
    )
