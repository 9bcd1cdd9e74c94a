"""`python -m cxrkit.training.launcher`: torchrun, with the exit code of the processes and with their signals.

torchrun itself ends with 1 however its processes ended, and on SIGTERM gives them 30 seconds; a job script
must know whether a training stopped as asked (75), and a large model needs longer to be saved.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import psutil

from cxrkit.errors import ProcessLostError, TrainingStopped

# A training takes these as the wish to stop after the update it is at.
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_OF_OTHERS = (ProcessLostError.exit_code,)
LEFT_TO_TORCHRUN = "SIGHUP,SIGQUIT"


def main(arguments: Sequence[str] | None = None) -> None:
    """Starts the processes, waits for them, and ends with their exit code.

    Args:
        arguments: torchrun's options, the program and its arguments; None = those of this process.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # What it says of its processes, they said themselves; those that could not are named below.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    options = run.parse_args(arguments)
    options.signals_to_handle = LEFT_TO_TORCHRUN
    for number in PASSED_ON:
        signal.signal(number, _pass_on)
    try:
        run.run(options)
    except ChildFailedError as error:
        sys.exit(exit_code_of({rank: failure.exitcode for rank, failure in error.failures.items()}))


def exit_code_of(codes: dict[int, int]) -> int:
    """Gives the exit code of all from those of the processes that did not end with 0, by rank.

    A process that a signal ended has a negative code, and is named: it could not say anything itself. When
    the first one has ended, torchrun ends the others with SIGTERM, which says nothing about them.
    """
    own = {rank: code for rank, code in sorted(codes.items()) if code != -signal.SIGTERM} or codes
    for rank, code in own.items():
        if code < 0:
            print(f"error: process {rank} was ended by {signal.Signals(-code).name}", file=sys.stderr)
    if set(own.values()) == {TrainingStopped.exit_code}:
        return TrainingStopped.exit_code
    if set(own.values()) <= {TrainingStopped.exit_code, -signal.SIGUSR1}:
        # As of a single process, which the warning of SLURM ended before it listened to it.
        return 128 + signal.SIGUSR1
    causes = [code for code in own.values() if code not in (TrainingStopped.exit_code, *_OF_OTHERS)]
    return next((code for code in causes if code > 0), ProcessLostError.exit_code)


def _pass_on(number: int, _frame: FrameType | None) -> None:
    """Tells the processes of this launcher; a second Ctrl-C reaches them as such and ends them."""
    for child in psutil.Process().children():
        if _rank_of(child) is not None:
            child.send_signal(number)


def _rank_of(process: Any) -> str | None:
    try:
        rank: str | None = process.environ().get("RANK")
    except psutil.Error:
        # It has just ended.
        return None
    return rank


if __name__ == "__main__":
    main()
