"""How fast a training goes: time per update, the share of it spent waiting for films, memory of the GPU."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

GIBIBYTE = 2**30


@dataclass
class _Update:
    began: float
    waited: float = 0.0


class SpeedMeter:
    """Measures updates of one process, from the first batch asked for to the update's end.

    What happens between updates, validation and saving, is not counted.

    Args:
        clock: gives seconds.

    Attributes:
        batch_bytes: of the largest batch so far.
    """

    def __init__(self, clock: Any = time.perf_counter) -> None:
        self._clock = clock
        self._update: _Update | None = None
        self._seconds: list[float] = []
        self._waits: list[float] = []
        self._films = self._questions = 0
        self.batch_bytes = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time inside as waiting for films; the first one begins an update."""
        began = self._clock()
        if self._update is None:
            self._update = _Update(began)
        yield
        self._update.waited += self._clock() - began

    def count(self, batch: Mapping[str, Tensor]) -> None:
        """Counts the films and questions of a batch."""
        self._films += len(batch["images"])
        self._questions += len(batch.get("image_of_question", ()))
        self.batch_bytes = max(self.batch_bytes, sum(value.nbytes for value in batch.values()))

    def end_update(self) -> None:
        """Ends the update that began with the first wait."""
        if self._update is not None:
            self._seconds.append(self._clock() - self._update.began)
            self._waits.append(self._update.waited)
            self._update = None

    def share_so_far(self) -> float:
        """Gives the share of the time spent waiting since the last `take`, 0..1; 0 without an update."""
        seconds = sum(self._seconds)
        return sum(self._waits) / seconds if seconds else 0.0

    def take(self) -> dict[str, float]:
        """Gives sums since the last call, for `speed_of`, and begins anew; empty without an update."""
        if not self._seconds:
            return {}
        seconds, waited = sum(self._seconds), sum(self._waits)
        shares = [wait / whole for wait, whole in zip(self._waits, self._seconds, strict=True)]
        taken = {
            "updates": float(len(self._seconds)),
            "seconds": seconds,
            "waited": waited,
            "highest_share": max(shares),
            "films": float(self._films),
            "questions": float(self._questions),
        }
        if torch.cuda.is_available():
            taken["gpu_bytes"] = float(torch.cuda.max_memory_allocated())
        self._seconds, self._waits, self._films, self._questions = [], [], 0, 0
        return taken


def speed_of(everyones: list[dict[str, float]]) -> dict[str, float]:
    """Gives the speed of all processes together.

    Args:
        everyones: what each process's meter took, of the same updates.

    Returns:
        `seconds_per_update`; `data_wait_share` and `data_wait_share_highest`, the mean over the updates and
        the highest of one, 0..1, of the process that waited most; `films_per_second`,
        `questions_per_second` where there are any; `gpu_memory_gib`, the largest allocated so far on a GPU.
    """
    slowest = max(own["seconds"] for own in everyones)
    speed = {
        "seconds_per_update": slowest / everyones[0]["updates"],
        "data_wait_share": max(own["waited"] / own["seconds"] for own in everyones),
        "data_wait_share_highest": max(own["highest_share"] for own in everyones),
        "films_per_second": sum(own["films"] for own in everyones) / slowest,
    }
    if any(own["questions"] for own in everyones):
        speed["questions_per_second"] = sum(own["questions"] for own in everyones) / slowest
    memory = max(own.get("gpu_bytes", 0.0) for own in everyones)
    return speed | ({"gpu_memory_gib": memory / GIBIBYTE} if memory else {})
