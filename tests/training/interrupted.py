"""Trainings in processes of their own, which are interrupted at a chosen moment or killed.

The processes are forked from one that has everything imported and has computed nothing: a start takes a
moment, and several of them train together as a launcher's processes would.
"""

import multiprocessing
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["cxrkit.training.classify", "cxrkit.training.vqa", "deepspeed"])
STOPPED = 75


@dataclass(frozen=True)
class Interruption:
    """Sends a signal to its own process.

    Attributes:
        number: of the signal.
        update: after so many updates; None for not.
        write: at this change of the file system, counted from 0 over all saves of a checkpoint; None for not.
        rank: of the process that it happens to.
    """

    number: int = signal.SIGTERM
    update: int | None = None
    write: int | None = None
    rank: int = 0


@dataclass
class Result:
    """Exit codes of the processes, by rank, and the changes of the file system that saves made."""

    codes: list[int]
    writes: int = 0
    logs: list[Path] = field(default_factory=list)


def train(task, settings, log_dir, *, processes=1, interruption=None, kill_after=None, send=None):
    """Trains and waits for the end.

    Args:
        task: vqa or classify.
        settings: keys and values.
        log_dir: folder for what the processes write.
        processes: so many train together.
        interruption: what happens to one of them.
        kill_after: seconds after the start at which all are killed.
        send: called with the processes after their start; sends signals as it likes.
    """
    log_dir.mkdir(parents=True, exist_ok=True)
    port, counter = _free_port(), CONTEXT.Value("i", 0)
    logs = [log_dir / f"{rank}.txt" for rank in range(processes)]
    children = [
        CONTEXT.Process(
            target=_train,
            args=(task, settings, rank, processes, port, interruption, counter, str(logs[rank])),
        )
        for rank in range(processes)
    ]
    for child in children:
        child.start()
    if kill_after is not None:
        time.sleep(kill_after)
        for child in children:
            child.kill()
    if send is not None:
        send(children)
    for child in children:
        child.join(180)
        assert child.exitcode is not None, "it does not end"
    return Result([child.exitcode for child in children], counter.value, logs)


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _train(task, settings, rank, processes, port, interruption, counter, log):
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.environ.update({"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"})
    if processes > 1:
        os.environ.update({
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        })  # fmt: skip
    # As in a process that a user starts: loading processes of a training that was killed end by themselves.
    multiprocessing.set_start_method("fork", force=True)
    import torch

    from cxrkit.config import load_settings
    from cxrkit.errors import CxrkitError
    from cxrkit.training.classify import train_classifier
    from cxrkit.training.vqa import train_vqa

    torch.set_num_threads(1)
    own = interruption if interruption is not None and interruption.rank == rank else None
    if rank == 0:
        _watch_saves(Path(settings["training.output_dir"]), own, counter)

    def progress(_stage, done, _total):
        if own is not None and done == own.update:
            os.kill(os.getpid(), own.number)

    try:
        (train_classifier if task == "classify" else train_vqa)(
            load_settings(None, task, settings), progress=progress
        )
    except CxrkitError as error:
        print(error, flush=True)
        # The engines' threads need not be waited for.
        os._exit(error.exit_code)
    os._exit(0)


def _watch_saves(run_dir, own, counter):
    """Counts the changes that a save makes, and interrupts at one of them."""
    import torch

    from cxrkit.training import engine

    state = {"saving": False}
    changes = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree", "os.truncate"}

    def note():
        if state["saving"]:
            if own is not None and own.write == counter.value:
                os.kill(os.getpid(), own.number)
            counter.value += 1

    def hook(event, arguments):
        if event in changes or (event == "open" and _is_written(arguments, run_dir)):
            note()

    def noting(write):
        def noted(*arguments, **named):
            note()
            write(*arguments, **named)
            note()

        return noted

    plain = engine.CxrkitTrainer._save_checkpoint

    def save(self, *arguments):
        state["saving"] = True
        plain(self, *arguments)
        state["saving"] = False

    engine.CxrkitTrainer._save_checkpoint = save
    # Written by compiled code, of which Python's own hooks see nothing.
    engine.save_file, engine.save_weights = noting(engine.save_file), noting(engine.save_weights)
    torch.save = noting(torch.save)
    sys.addaudithook(hook)


def _is_written(arguments, run_dir):
    path, _, flags = arguments
    return isinstance(path, str) and path.startswith(str(run_dir)) and bool(flags & (os.O_WRONLY | os.O_RDWR))
