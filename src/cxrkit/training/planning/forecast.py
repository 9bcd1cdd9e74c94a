"""Puts a plan into words: each figure with what it follows from, and what would go wrong."""

from dataclasses import dataclass

from cxrkit.config import Settings
from cxrkit.hardware import GIBIBYTE, Choice, Hardware, choose_precision, make_plan
from cxrkit.training.arguments import strategy, uses_deepspeed
from cxrkit.training.planning.memory import CONTEXT_BYTES, MemoryEstimate, estimate_memory, fitting_batch
from cxrkit.training.planning.room import Room
from cxrkit.training.planning.sizes import Sizes
from cxrkit.training.planning.trial import Trial

# A film that is only looked at takes about a third of one that is learned from: no backward pass.
FORWARD_SHARE = 1 / 3


@dataclass(frozen=True)
class Forecast:
    """What a training will take.

    Attributes:
        rows: value and reason by name: updates, time, memory, checkpoints, shared_memory, strategy.
        hours: estimated; None for a machine that is only described.
        warnings: what would go wrong, each with what to do.
    """

    rows: dict[str, Choice]
    hours: float | None
    warnings: tuple[str, ...]


def make_forecast(
    settings: Settings, sizes: Sizes, trial: Trial, room: Room, hardware: Hardware | None = None
) -> Forecast:
    """Plans.

    Args:
        settings: resolved.
        sizes: of the training.
        trial: some of its updates, on this machine.
        room: of the machine that is planned for.
        hardware: another machine; None = this one.
    """
    warnings: list[str] = []
    hours = None if hardware is not None else training_hours(sizes, trial)
    rows = {
        "updates": _updates(settings, sizes),
        "time": _hours(hours, sizes, trial),
        "memory": _memory(settings, sizes, trial, room, hardware, warnings),
        "checkpoints": _checkpoints(settings, sizes, room, warnings),
        "shared_memory": _shared_memory(sizes, trial, room, warnings),
        "strategy": _strategy(settings, sizes, hardware),
    }
    return Forecast(rows, hours, tuple(warnings))


def training_hours(sizes: Sizes, trial: Trial) -> float:
    """Gives the hours of a training: its updates, and its validations at a third of the time per film."""
    per_film = trial.seconds_per_update / sizes.films_per_update
    films = sizes.validations * sizes.validation_films * sizes.validated_kinds
    validation = films * per_film * sizes.processes * FORWARD_SHARE
    return (sizes.updates * trial.seconds_per_update + validation) / 3600


def gibibytes(count: float) -> str:
    """Gives bytes in words.

    >>> gibibytes(3 * 2**30), gibibytes(2**20)
    ('3.0 GiB', '1 MiB')
    """
    return f"{count / GIBIBYTE:.1f} GiB" if count >= GIBIBYTE / 10 else f"{count / 2**20:.0f} MiB"


def duration(hours: float) -> str:
    """Gives hours in words.

    >>> duration(1.5), duration(0.01), duration(49.2)
    ('1 h 30 min', '36 s', '49 h 12 min')
    """
    minutes = round(hours * 60)
    if hours * 60 < 2:
        return f"{hours * 3600:.0f} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _updates(settings: Settings, sizes: Sizes) -> Choice:
    training = settings.training
    by = (
        "training.max_steps"
        if training.max_steps > 0
        else f"{training.num_epochs} epochs of {sizes.updates_per_epoch:,}"
    )
    parts = f"{training.batch_size_per_gpu} x {training.gradient_accumulation_steps} x {sizes.processes}"
    return Choice(sizes.updates, f"{by}, {sizes.films_per_update} films each: {parts} process(es)")


def _hours(hours: float | None, sizes: Sizes, trial: Trial) -> Choice:
    if hours is None:
        return Choice("unknown", "the time of another machine's updates can only be measured there")
    twice = ", twice: the weights and their average" if sizes.validated_kinds > 1 else ""
    return Choice(
        duration(hours),
        f"{trial.seconds_per_update:.2f} s per update, median of {trial.updates} real ones, "
        f"{trial.data_wait_share:.0%} of it waiting for films; {sizes.validations:,} validations of "
        f"{sizes.validation_films:,} films{twice}",
    )


def _memory(
    settings: Settings,
    sizes: Sizes,
    trial: Trial,
    room: Room,
    hardware: Hardware | None,
    warnings: list[str],
) -> Choice:
    estimate = _estimate(settings, sizes, trial, hardware)
    reason = (
        f"estimated: {gibibytes(estimate.states)} for {sizes.parameters:,} weights, gradients and moments, "
        f"{gibibytes(estimate.activations)} kept for the backward pass of "
        f"{settings.training.batch_size_per_gpu} films"
    )
    if trial.gpu_bytes is not None and hardware is None:
        reason += f"; measured: {gibibytes(trial.gpu_bytes)}"
    if room.gpu_bytes is not None:
        reason += f"; {room.gpu_name} has {gibibytes(room.gpu_bytes)}"
        if estimate.total + CONTEXT_BYTES > room.gpu_bytes:
            warnings.append(_too_much(settings, estimate, room.gpu_bytes))
    return Choice(gibibytes(estimate.total), reason)


def _estimate(settings: Settings, sizes: Sizes, trial: Trial, hardware: Hardware | None) -> MemoryEstimate:
    is_divided = settings.deepspeed.enabled if hardware is not None else uses_deepspeed(settings)
    tried_in_half = choose_precision(half_precision=settings.training.fp16).name != "fp32"
    planned_in_half = choose_precision(hardware, half_precision=settings.training.fp16).name != "fp32"
    return estimate_memory(
        sizes,
        trial,
        has_average=bool(settings.training.ema_decay),
        divided_among=sizes.processes if is_divided else 1,
        is_half_precision=planned_in_half and not tried_in_half,
    )


def _too_much(settings: Settings, estimate: MemoryEstimate, gpu_bytes: int) -> str:
    fits = fitting_batch(estimate, settings.training.batch_size_per_gpu, gpu_bytes)
    needed = gibibytes(estimate.total + CONTEXT_BYTES)
    if fits == 0:
        return f"about {needed} are needed on a GPU with {gibibytes(gpu_bytes)}: take a smaller model"
    return (
        f"about {needed} are needed on a GPU with {gibibytes(gpu_bytes)}: batches of {fits} films fit "
        "(training.batch_size_per_gpu), with training.gradient_accumulation_steps raised as much"
    )


def _checkpoints(settings: Settings, sizes: Sizes, room: Room, warnings: list[str]) -> Choice:
    keep = settings.training.save_total_limit
    free = "the free disk of that machine is unknown"
    if room.disk_bytes is not None:
        free = f"{gibibytes(room.disk_bytes)} are free"
    if room.disk_bytes is not None and sizes.disk_bytes > room.disk_bytes:
        warnings.append(
            f"checkpoints and best models take up to {gibibytes(sizes.disk_bytes)}, "
            f"{free}: lower training.save_total_limit ({keep}), or name a "
            "larger disk with --output_dir"
        )
    return Choice(
        gibibytes(sizes.disk_bytes),
        f"at most: {keep + 1} of {gibibytes(sizes.checkpoint_bytes)} and the best models; {free}",
    )


def _shared_memory(sizes: Sizes, trial: Trial, room: Room, warnings: list[str]) -> Choice:
    needed = sizes.waiting_batches * trial.batch_bytes
    if needed == 0:
        return Choice("none", "no loading processes (training.dataloader_num_workers 0)")
    if room.shared_bytes is not None and needed > room.shared_bytes:
        warnings.append(
            f"batches on their way take up to {gibibytes(needed)} of shared memory, "
            f"{gibibytes(room.shared_bytes)} are free: give the container more (--shm-size), or "
            "lower training.dataloader_num_workers"
        )
    free = "" if room.shared_bytes is None else f"; {gibibytes(room.shared_bytes)} are free in /dev/shm"
    return Choice(
        gibibytes(needed), f"{sizes.waiting_batches} batches of {gibibytes(trial.batch_bytes)}{free}"
    )


def _strategy(settings: Settings, sizes: Sizes, hardware: Hardware | None) -> Choice:
    if hardware is not None:
        return make_plan(hardware, has_deepspeed=True).strategy
    if uses_deepspeed(settings):
        return Choice(strategy(settings), f"{sizes.processes} processes share gradients and optimizer")
    return Choice(
        "DDP" if sizes.processes > 1 else "one process", f"{sizes.processes} process(es) share an update"
    )
