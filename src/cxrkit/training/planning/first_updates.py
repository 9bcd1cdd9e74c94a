"""Tells what a training will take by its own first updates."""

import itertools
import logging
import statistics
import time
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.config import Settings
from cxrkit.errors import CxrkitError
from cxrkit.training.planning.forecast import gibibytes, make_forecast
from cxrkit.training.planning.room import find_room
from cxrkit.training.planning.sizes import Sizes
from cxrkit.training.planning.trial import WARM_UP, Trial
from cxrkit.training.speed import SpeedMeter

logger = logging.getLogger(__name__)
TIMED = 6
# On the CPU nobody measured the memory; `cxrkit plan` estimates it.
_TOLD = ("updates", "time", "checkpoints", "shared_memory")


class TellForecast(TrainerCallback):
    """Looks for room before the first update, and tells hours, memory and disk after some.

    Args:
        settings: resolved.
        sizes: of the training.
        meter: knows how large batches are and how long they were waited for.
    """

    def __init__(self, settings: Settings, sizes: Sizes, meter: SpeedMeter) -> None:
        self.settings = settings
        self.sizes = sizes
        self.meter = meter
        self._ends: list[float] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Refuses a disk without room for a checkpoint: a training that cannot save is lost.

        Raises:
            CxrkitError: there is none.
        """
        run_dir = self.settings.training.output_dir
        needed, free = self.sizes.checkpoint_bytes + self.sizes.weight_bytes, find_room(run_dir).disk_bytes
        if free is not None and free < needed:
            raise CxrkitError(
                "the disk has no room for a checkpoint and a best model",
                expected=f"{gibibytes(needed)} free",
                found=f"{gibibytes(free)} free in {run_dir}",
                next_step="make room, or name a larger disk with --output_dir",
            )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Counts the first updates, and tells when there are enough of them."""
        if len(self._ends) > WARM_UP + TIMED or not state.is_world_process_zero:
            return
        self._ends.append(time.perf_counter())
        if len(self._ends) == WARM_UP + TIMED + 1:
            self._tell()

    def _tell(self) -> None:
        ends = self._ends[WARM_UP:]
        # A validation or a save in between is no update: the median does not see it.
        seconds = [end - begin for begin, end in itertools.pairwise(ends)]
        trial = Trial(
            updates=len(seconds),
            seconds_per_update=statistics.median(seconds),
            data_wait_share=self.meter.share_so_far(),
            batch_bytes=self.meter.batch_bytes,
            activation_bytes=0,
            gpu_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None,
        )
        room = find_room(self.settings.training.output_dir)
        forecast = make_forecast(self.settings, self.sizes, trial, room)
        for name in _TOLD:
            value, reason = forecast.rows[name]
            logger.info("%s: %s (%s)", name.replace("_", " "), value, reason)
        if trial.gpu_bytes is not None and room.gpu_bytes is not None:
            logger.info(
                "GPU memory: %s of %s, measured", gibibytes(trial.gpu_bytes), gibibytes(room.gpu_bytes)
            )
        for warning in forecast.warnings:
            logger.warning("%s", warning)
