"""What every benchmark needs: memory of the whole process tree, and the last line as JSON."""

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def process_tree(root: int) -> list[int]:
    """Gives a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            parent = int(status.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        process = waiting.pop()
        found.append(process)
        waiting += children.get(process, [])
    return found


def tree_pss_mb(root: int | None = None) -> float:
    """Gives the proportional set size of a process tree in MiB: shared pages count once over all sharers."""
    total = 0
    for process in process_tree(root or os.getpid()):
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return total / 1024


class Peak:
    """The largest memory seen, in MiB."""

    megabytes = 0.0


@contextmanager
def peak_memory(root: int | None = None, every_s: float = 0.05) -> Iterator[Peak]:
    """Samples the memory of a process tree; what lasts less than `every_s` may be missed."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(every_s):
            peak.megabytes = max(peak.megabytes, tree_pss_mb(root))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def run_in_own_process(words: list[object]) -> dict[str, float]:
    """Runs a script of this folder in a process of its own and gives the JSON object of its last line."""
    command = [sys.executable, *(str(word) for word in words)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def sides_in_turn(words: list[object], rate: str, rounds: int) -> tuple[dict[str, dict[str, float]], float]:
    """Runs a script once for the baseline and once for ours, in turn, with `--side guide` and `--side ours`.

    Args:
        words: script and options.
        rate: the figure whose ratio, ours over the baseline's of the same round, is taken.
        rounds: times each side is run.

    Returns:
        The medians of each side's figures, and the median ratio.
    """
    runs = [
        {side: run_in_own_process([*words, "--side", side]) for side in ("guide", "ours")}
        for _ in range(rounds)
    ]
    medians = {
        side: {name: statistics.median(run[side][name] for run in runs) for name in runs[0][side]}
        for side in ("guide", "ours")
    }
    return medians, statistics.median(run["ours"][rate] / run["guide"][rate] for run in runs)


def show(figures: dict[str, object], as_json: bool) -> None:
    """Prints a table, and with `as_json` one JSON object as the last line."""
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(
            f"{name:<{width}}  {value:>14,.2f}"
            if isinstance(value, float)
            else f"{name:<{width}}  {value!s:>14}"
        )
    if as_json:
        print(json.dumps(figures))
