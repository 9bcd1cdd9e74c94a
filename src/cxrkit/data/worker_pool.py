"""Runs independent units of work in several processes that never outlive their parent."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from cxrkit.errors import CxrkitError

# So many units wait for a free worker: none idles, and neither units nor results pile up.
_AHEAD = 2
_Unit = TypeVar("_Unit")
_Result = TypeVar("_Result")

_state: Any = None


def run_units(
    start: Callable[..., Any],
    arguments: tuple[Any, ...],
    task: Callable[[Any, _Unit], _Result],
    units: Sequence[_Unit],
    workers: int,
) -> Iterator[tuple[int, _Result]]:
    """Gives (position, result) of every unit as they are done, in any order.

    With one worker or one unit everything runs in this process. Otherwise processes are spawned, each with
    a state of its own; they end when this process ends, however it ends.

    Args:
        start: makes the state of a process: a function at the top level of a module.
        arguments: of `start`; must pickle.
        task: gets the state and a unit; at the top level of a module.
        units: must pickle; small, for each one is sent.
        workers: number of processes, at least 1.

    Raises:
        CxrkitError: a worker process died.
        Exception: what `start` or `task` raises.
    """
    if min(workers, len(units)) <= 1:
        state = start(*arguments) if units else None
        yield from ((position, task(state, unit)) for position, unit in enumerate(units))
        return
    pool = ProcessPoolExecutor(
        min(workers, len(units)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(start, arguments),
    )
    try:
        yield from _as_completed(pool, task, units, workers)
    except BrokenProcessPool as error:
        raise CxrkitError(
            "a worker process died",
            expected=f"{workers} processes that work to the end",
            found="one was killed or crashed; the system does so when memory runs out",
            next_step="run the command again, it goes on where it was; with fewer processes: --workers 1",
        ) from error
    finally:
        # A second Ctrl-C would leave the pool half shut down, and the process waiting for it for ever.
        with _interrupts_ignored():
            pool.shutdown(wait=True, cancel_futures=True)


def _as_completed(
    pool: ProcessPoolExecutor, task: Callable[[Any, _Unit], _Result], units: Sequence[_Unit], workers: int
) -> Iterator[tuple[int, _Result]]:
    running: dict[Future[_Result], int] = {}
    for position, unit in enumerate(units):
        with _interrupts_ignored():
            running[pool.submit(_work, task, unit)] = position
        if len(running) >= workers * _AHEAD:
            yield from _take_finished(running)
    while running:
        yield from _take_finished(running)


def _take_finished(running: dict[Future[_Result], int]) -> Iterator[tuple[int, _Result]]:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        yield running.pop(future), future.result()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Lets processes start, or end, without Ctrl-C, which reaches the whole group: the parent decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _begin(start: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    global _state
    _state = start(*arguments)


def _end_with_parent() -> None:
    """Ends this process when its parent does, even by SIGKILL; otherwise it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: Callable[[Any, _Unit], _Result], unit: _Unit) -> _Result:
    return task(_state, unit)
