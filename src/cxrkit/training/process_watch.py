"""Several processes watch each other: one that died or was stopped is named, instead of waited for."""

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch

from cxrkit.errors import CxrkitError, ProcessLostError

logger = logging.getLogger(__name__)
BEAT_SECONDS = 1.0
STORE_SECONDS = 20.0
# Importing and building what is trained come before the first word, on some machines later than on others.
FIRST_WORD_SECONDS = 600.0
# After a broken connection, or a signal of the launcher, the dead one shows itself within this time.
SHORT_SILENCE_SECONDS = 8.0
# What collective operations raise when another process is gone. Exactly these: an exhausted memory, which
# derives from the first, is this process's own.
_BROKEN_CONNECTION = (RuntimeError, torch.distributed.DistBackendError, torch.distributed.DistNetworkError)
RUNNING, FINISHED = "running", "finished"


@dataclass
class Heard:
    """What was last heard of a process, and when (in seconds of the monotonic clock)."""

    text: str = ""
    at: float = field(default_factory=time.monotonic)

    @property
    def who(self) -> str:
        """Its machine and number there, as it said."""
        host, _, rest = self.text.partition(" ")
        return f"process id {rest.partition(' ')[0]} on {host}" if self.text else "never heard of"

    @property
    def state(self) -> str:
        """What it last said it does."""
        return self.text.split(" ", 3)[-1] if self.text else RUNNING


class ProcessWatch:
    """Says of itself that it runs, and notices who does not say so any more.

    A process that waits for another inside a collective operation cannot be told anything: this one's own
    threads end it, with words, when another has been silent for too long.

    Args:
        rank: number of this process.
        processes: how many there are; nothing is done for one.
        silence_seconds: a process that said nothing for so long is lost.
        is_ending: tells that the launcher asked this process to end: then the wait is short.
        end: called with the error when a process is lost; None = writes it and ends this process.
    """

    def __init__(
        self,
        rank: int,
        processes: int,
        silence_seconds: float,
        *,
        is_ending: Callable[[], bool] = lambda: False,
        end: Callable[[ProcessLostError], None] | None = None,
    ) -> None:
        self.rank = rank
        self.processes = processes
        self.silence_seconds = silence_seconds
        self.is_ending = is_ending
        self.end = end or _end_at_once
        self.state = RUNNING
        self.heard = {other: Heard() for other in range(processes) if other != rank}
        self._last_round = time.monotonic()
        self._has_met = False
        self._closing = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watches while the block runs; a failed collective operation in it is explained.

        Raises:
            ProcessLostError: the block failed because another process had died, was stopped, or failed.
        """
        if self.processes == 1:
            yield
            return
        threads = [threading.Thread(target=part, daemon=True) for part in (self._beat, self._look)]
        for thread in threads:
            thread.start()
        try:
            yield
            self.state = FINISHED
        except Exception as error:
            # A broken collective operation raises no more than this; a lost process makes the difference.
            lost = self._wait_for_lost() if type(error) in _BROKEN_CONNECTION else None
            self.state = f"ended: {error.problem if isinstance(error, CxrkitError) else repr(error)}"
            if lost is None:
                raise
            raise lost from error
        finally:
            self._closing.set()
            threads[0].join(STORE_SECONDS)

    def lost(self, silence_seconds: float) -> ProcessLostError | None:
        """Gives who is lost; None while all are there."""
        now = time.monotonic()
        first = max(silence_seconds, FIRST_WORD_SECONDS)
        if now - self._last_round > (max(silence_seconds, 5 * BEAT_SECONDS) if self._has_met else first):
            where = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
            return _lost([f"the meeting point {where}, kept by the launcher or by process 0"])
        failed = [(rank, heard) for rank, heard in self.heard.items() if heard.state.startswith("ended")]
        silent = [
            (rank, heard)
            for rank, heard in self.heard.items()
            if heard.state == RUNNING and now - heard.at > (silence_seconds if heard.text else first)
        ]
        names = [
            f"process {rank} of {self.processes} ({heard.who}): silent for {now - heard.at:.0f} s"
            for rank, heard in silent
        ]
        names += [
            f"process {rank} of {self.processes} ({heard.who}) {heard.state}"
            for rank, heard in failed
            if now - heard.at > BEAT_SECONDS
        ]
        return _lost(names) if names else None

    def _wait_for_lost(self) -> ProcessLostError | None:
        until = time.monotonic() + SHORT_SILENCE_SECONDS + 4 * BEAT_SECONDS
        while time.monotonic() < until:
            lost = self.lost(SHORT_SILENCE_SECONDS)
            if lost is not None:
                return lost
            time.sleep(BEAT_SECONDS / 4)
        return None

    def _beat(self) -> None:
        """Says and hears until the end; a connection that broke is made anew, as long as `lost` lets it."""
        count, is_last = 0, False
        while not is_last:
            try:
                store = _meeting_point()
                while not is_last:
                    is_last = self._closing.wait(BEAT_SECONDS if count else 0)
                    count += 1
                    store.set(_key(self.rank), f"{socket.gethostname()} {os.getpid()} {count} {self.state}")
                    self._listen(store)
                    self._last_round, self._has_met = time.monotonic(), True
            except RuntimeError as error:
                # Who keeps the meeting point may be gone, which `lost` notices by the time of the last round.
                if self._closing.is_set():
                    return
                if self._has_met:
                    logger.warning("the processes' meeting point does not answer: %s", error)
                is_last = self._closing.wait(BEAT_SECONDS)

    def _listen(self, store: Any) -> None:
        for rank, heard in self.heard.items():
            if store.check([_key(rank)]):
                text = store.get(_key(rank)).decode()
                if text != heard.text:
                    heard.text, heard.at = text, time.monotonic()

    def _look(self) -> None:
        before = time.monotonic()
        while not self._closing.wait(BEAT_SECONDS):
            now = time.monotonic()
            if now - before > 5 * BEAT_SECONDS:
                # This process itself stood still, perhaps together with all others.
                self._start_anew(now)
            before = now
            silence = self.silence_seconds
            if self.is_ending():
                silence = min(silence, SHORT_SILENCE_SECONDS)
            lost = self.lost(silence)
            if lost is not None and not self._closing.is_set():
                self.end(lost)
                return

    def _start_anew(self, now: float) -> None:
        self._last_round = now
        for heard in self.heard.values():
            heard.at = now


def _meeting_point() -> Any:
    """Connects to the store that the launcher's variables name; each thread needs a connection of its own."""
    return torch.distributed.TCPStore(  # type: ignore[attr-defined]
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        wait_for_workers=False,
        timeout=timedelta(seconds=STORE_SECONDS),
    )


def _key(rank: int) -> str:
    return f"cxrkit/process/{rank}"


def _lost(names: list[str]) -> ProcessLostError:
    return ProcessLostError(
        "another process of this training died or was stopped",
        expected="all processes to work until the end",
        found="\n".join(names),
        next_step="look at what that process wrote and at its machine (memory, GPU); the same command with "
        "--resume_from_checkpoint auto goes on from the last checkpoint",
    )


def _end_at_once(error: ProcessLostError) -> None:
    """Ends the process from a thread: the main one waits inside an operation that never ends."""
    sys.stderr.write(f"{error.label}: {error}\n")
    sys.stderr.flush()
    os._exit(error.exit_code)
