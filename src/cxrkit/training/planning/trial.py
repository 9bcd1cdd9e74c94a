"""Tries a training: some real updates, timed, that leave weights and statistics as they were."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from cxrkit.errors import CxrkitError
from cxrkit.hardware import choose_precision
from cxrkit.training.job import Job
from cxrkit.training.validation import to_device

# The first updates find kernels, start loading processes and get memory.
WARM_UP = 2
MOST_SECONDS = 120.0


@dataclass(frozen=True)
class Trial:
    """What some updates of this process took.

    Attributes:
        updates: that were timed.
        seconds_per_update: median, of all batches of an update.
        data_wait_share: share of the time spent waiting for films, 0..1.
        batch_bytes: of one batch as it is loaded.
        activation_bytes: kept for the backward pass of one batch.
        gpu_bytes: the most memory allocated on the GPU; None on the CPU.
    """

    updates: int
    seconds_per_update: float
    data_wait_share: float
    batch_bytes: int
    activation_bytes: int
    gpu_bytes: int | None


def try_updates(
    job: Job,
    loader: DataLoader[Any],
    updates: int = 6,
    clock: Callable[[], float] = time.perf_counter,
) -> Trial:
    """Makes updates with a learning rate of 0, as large as those of the training.

    Args:
        job: what is trained; its module is on the training's device afterwards.
        loader: its batches; as many are used as the updates need.
        updates: to time, besides the first ones; fewer when they take minutes.
        clock: gives seconds.

    Raises:
        CxrkitError: the GPU's memory is not enough.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module = job.module.to(device).train()
    before = {name: value.clone() for name, value in module.named_buffers()}
    try:
        with _told_when_full(job):
            return _timed(job, module, device, _without_end(loader), updates, clock)
    finally:
        module.zero_grad(set_to_none=True)
        with torch.no_grad():
            for name, value in module.named_buffers():
                value.copy_(before[name])


def _timed(
    job: Job,
    module: nn.Module,
    device: torch.device,
    batches: Iterator[dict[str, Tensor]],
    updates: int,
    clock: Callable[[], float],
) -> Trial:
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.0, weight_decay=0.0, fused=True)
    accumulation = job.settings.training.gradient_accumulation_steps
    kept = _SavedBytes(module)
    seconds: list[float] = []
    waits: list[float] = []
    began, sizes = clock(), []
    while len(seconds) < WARM_UP + updates:
        start, waited = clock(), 0.0
        for _ in range(accumulation):
            asked = clock()
            batch = next(batches)
            waited += clock() - asked
            sizes.append(sum(value.nbytes for value in batch.values()))
            with kept.counting(once=not seconds):
                loss = _loss(job, module, to_device(batch, device), device)
            loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(module.parameters(), job.settings.training.max_grad_norm)
        # Even with a learning rate of 0 a gradient that is not finite would make the weights so.
        if torch.isfinite(norm):
            optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(clock() - start)
        waits.append(waited)
        if clock() - began > MOST_SECONDS and len(seconds) > 1:
            break
    counted = slice(min(WARM_UP, len(seconds) - 1), None)
    return Trial(
        updates=len(seconds[counted]),
        seconds_per_update=statistics.median(seconds[counted]),
        data_wait_share=sum(waits[counted]) / sum(seconds[counted]),
        batch_bytes=max(sizes),
        activation_bytes=kept.most,
        gpu_bytes=torch.cuda.max_memory_allocated() if device.type == "cuda" else None,
    )


def _loss(job: Job, module: nn.Module, batch: Mapping[str, Tensor], device: torch.device) -> Tensor:
    precision = choose_precision(half_precision=job.settings.training.fp16).name
    kind = torch.float16 if precision == "fp16" else torch.bfloat16
    with torch.autocast(device.type, dtype=kind, enabled=precision != "fp32"):
        loss: Tensor = module(batch)["loss"]
    return loss


class _SavedBytes:
    """Counts what a forward pass keeps for the backward pass, weights left out, each memory once."""

    def __init__(self, module: nn.Module) -> None:
        self.most = 0
        self._known = {value.untyped_storage().data_ptr() for value in module.parameters()}

    @contextmanager
    def counting(self, *, once: bool) -> Iterator[None]:
        """Counts inside, when `once` is true."""
        if not once:
            yield
            return
        seen: dict[int, int] = {}

        def see(value: Tensor) -> Tensor:
            memory = value.untyped_storage()
            if memory.data_ptr() not in self._known:
                seen[memory.data_ptr()] = memory.nbytes()
            return value

        with torch.autograd.graph.saved_tensors_hooks(see, lambda value: value):
            yield
        self.most = max(self.most, sum(seen.values()))


def _without_end(loader: DataLoader[Any]) -> Iterator[dict[str, Tensor]]:
    while True:
        yield from loader


@contextmanager
def _told_when_full(job: Job) -> Iterator[None]:
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        training = job.settings.training
        raise CxrkitError(
            "the GPU's memory is not enough for this training",
            expected=f"room for batches of {training.batch_size_per_gpu} films",
            found=str(error).partition(". ")[0],
            next_step="halve training.batch_size_per_gpu and double training.gradient_accumulation_steps: "
            "the updates stay the same",
        ) from error
