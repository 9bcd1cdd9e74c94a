"""A wish to stop, told by a signal: the run saves after the update it is at, and can go on later."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

# SLURM sends what `#SBATCH --signal` names before the time is up, and SIGTERM when it is.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGUSR1") if hasattr(signal, name))


class StopRequest(TrainerCallback):
    """Ends the training after the update that a signal comes in, with a checkpoint of it.

    Attributes:
        signal_name: of the first signal that came; None while there was none.
        stopped: the training was ended by it.
    """

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self.stopped = False
        self.accelerator: Any = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listens for the signals; a second Ctrl-C ends the process at once.

        Other signals may come several times, from SLURM and from the launcher, and say no more than one. A
        launcher sends SIGTERM to all other processes as soon as one has ended: after a stop, which ends all,
        it means nothing any more.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._note) for number in SIGNALS}
        try:
            yield
        finally:
            several = self.accelerator is not None and self.accelerator.num_processes > 1
            for number, handler in before.items():
                ending = self.stopped and several and number == signal.SIGTERM
                signal.signal(number, signal.SIG_IGN if ending else handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal_name is not None:
            raise KeyboardInterrupt
        self.signal_name = self.signal_name or signal.Signals(number).name

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Asks all processes, so that they stop at the same update: a signal may reach only some of them."""
        if self._is_wished():
            self.stopped = control.should_save = control.should_training_stop = True

    def _is_wished(self) -> bool:
        wished = self.signal_name is not None
        if self.accelerator is None or self.accelerator.num_processes == 1:
            return wished
        import torch

        flag = torch.tensor([float(wished)], device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, reduction="sum").item() > 0)
