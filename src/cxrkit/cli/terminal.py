"""The console: progress and messages on standard error, results on standard output."""

import logging
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from cxrkit.data.prepare import Estimate

LOG_WIDTH = 110  # columns where output goes to a file, which has no width of its own


class RateColumn(ProgressColumn):
    """Shows how many items are done per second, once there has been a second."""

    def render(self, task: Task) -> Text:
        """Gives the rate as text, blank while it says nothing."""
        speed = task.finished_speed or task.speed
        known = speed is not None and (task.elapsed or 0) >= 1
        return Text(f"{speed:8,.1f}/s" if known else " " * 10)


class ProgressBars(AbstractContextManager["ProgressBars"]):
    """One bar per stage, with rate and remaining time; drawn from the first report to the context's end."""

    def __init__(self, console: Console) -> None:
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            RateColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )

    def __enter__(self) -> Self:
        """Gives the bars; nothing is drawn before the first report."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops to draw; the bars stay where they are."""
        if self._bars:
            self._progress.stop()

    def report(self, stage: str, done: int, total: int) -> None:
        """Moves the bar of a stage, which appears with its first report."""
        if not self._bars:
            self._progress.start()
        if stage not in self._bars:
            self._bars[stage] = self._progress.add_task(stage, total=total)
        self._progress.update(self._bars[stage], completed=done, total=total)

    def announce(self, estimate: "Estimate") -> None:
        """Prints what preparing will take, before it starts."""
        for line in estimate_lines(estimate):
            self._progress.console.print(line, markup=False, soft_wrap=True)

    def counter(self, stage: str) -> Callable[[int, int], None]:
        """Gives a `progress(done, total)` function for one stage."""

        def report(done: int, total: int) -> None:
            self.report(stage, done, total)

        return report


def estimate_lines(estimate: "Estimate") -> list[str]:
    """Gives an estimate in words.

    Args:
        estimate: from a sample of films and members.
    """
    processes = f"{estimate.workers} process{'es' if estimate.workers > 1 else ''}"
    asked = f" and about {estimate.questions:,} questions" if estimate.questions else ""
    lines = [
        f"to do: {estimate.films:,} films{asked} of {estimate.studies:,} studies, with {processes}",
        f"estimate: {_duration(estimate.film_seconds)} for the films, "
        f"{_duration(estimate.index_seconds)} for the index; "
        f"{_bytes(estimate.memory_bytes)} of memory; "
        f"{_bytes(estimate.disk_bytes)} of disk ({_bytes(estimate.free_bytes)} free)",
    ]
    if estimate.left_bytes:
        lines.append(
            f"an interrupted run left {_bytes(estimate.left_bytes)}: what fits is kept and takes no time"
        )
    return lines


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(count / 1e6, 1):.0f} MB"


class Terminal:
    """What a command talks through.

    Attributes:
        messages: console on standard error.
        results: console on standard output.

    Of several processes that a launcher started, the first one talks for all.
    """

    def __init__(self) -> None:
        quiet = os.environ.get("RANK", "0") != "0"
        self.messages = _console(stderr=True, quiet=quiet)
        self.results = _console(stderr=False, quiet=quiet)

    def bars(self) -> ProgressBars:
        """Gives progress bars; use them in a `with` statement."""
        return ProgressBars(self.messages)

    def say(self, text: str) -> None:
        """Prints one line of result, whole, whatever the width of the terminal."""
        self.results.print(text, markup=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Prints one line beside the results, on standard error."""
        self.messages.print(text, markup=False, soft_wrap=True)


def _console(*, stderr: bool, quiet: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, quiet=quiet)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


def open_terminal() -> Terminal:
    """Gives the terminal of a command, with the package's log going to it."""
    terminal = Terminal()
    handler = RichHandler(
        console=terminal.messages, show_path=False, show_level=False, markup=False, log_time_format="%H:%M:%S"
    )
    handler.setFormatter(logging.Formatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("cxrkit").setLevel(logging.INFO)
    return terminal
