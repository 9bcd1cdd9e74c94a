"""Hands what is logged to the trackers of a run, and writes its speed."""

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from cxrkit.training.best_models import defined_or_none
from cxrkit.training.run_folder import SPEED_FILE
from cxrkit.training.tracking.data_use import sendable

logger = logging.getLogger(__name__)
# SLURM warns minutes before the end; a stopped training must be gone by then.
CLOSE_SECONDS = 60.0


class Tracker(Protocol):
    """Shows the course of a training elsewhere."""

    def send(self, values: Mapping[str, float], step: int) -> None:
        """Takes numbers by name, as they are after `step` updates."""

    def close(self) -> None:
        """Ends, with all that was sent written."""


class Tracking(TrainerCallback):
    """The trackers of a run, opened when training begins; a training never ends because of one of them.

    Args:
        run_dir: the run's folder.
        open_trackers: makes the trackers, given the update that training begins after.
    """

    def __init__(self, run_dir: Path, open_trackers: Callable[[int], Sequence[Tracker]]) -> None:
        self.path = run_dir / SPEED_FILE
        self._open_trackers = open_trackers
        self._trackers: list[Tracker] = []

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Opens the trackers, in the first process."""
        if state.is_world_process_zero:
            self._trackers = list(self._open_trackers(state.global_step))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Passes on what was logged, validation apart from training."""
        # The engine's summary at the end is of this process, not of the run.
        if logs and "train_runtime" not in logs:
            self._send({_grouped(name): value for name, value in logs.items()}, state.global_step)

    def speed(self, values: Mapping[str, float], step: int) -> None:
        """Writes how fast the training is to `speed.jsonl`, which is never the same twice, and passes it on.

        Args:
            values: from `speed_of`.
            step: updates done.
        """
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **defined_or_none(values)}) + "\n")
        self._send({f"speed/{name}": value for name, value in values.items()}, step)

    def close(self) -> None:
        """Ends all trackers; one that takes long, such as behind a slow network, is not waited for."""
        for tracker in self._trackers:
            ending = threading.Thread(target=_try, args=(tracker.close,), daemon=True)
            ending.start()
            ending.join(CLOSE_SECONDS)
            if ending.is_alive():
                logger.warning("a tracker was not done after %.0f s and is left alone", CLOSE_SECONDS)
        self._trackers = []

    def _send(self, values: Mapping[str, float], step: int) -> None:
        numbers = sendable(values)
        self._trackers = [each for each in self._trackers if _try(lambda t=each: t.send(numbers, step))]  # type: ignore[misc]


def _grouped(name: str) -> str:
    return f"eval/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"train/{name}"


def _try(call: Callable[[], None]) -> bool:
    """Tells whether a tracker did what it was asked; one that cannot is left out from then on."""
    try:
        call()
    except Exception as error:  # noqa: BLE001
        # Whatever a tracker dies of, hours of training are worth more.
        logger.warning("a tracker failed and is left out (%s: %s)", type(error).__name__, error)
        return False
    return True
