"""The logs of a run, `metrics.jsonl` and `speed.jsonl`, as a training that goes on finds and leaves them."""

import json
import logging
import os
from pathlib import Path

from cxrkit.errors import ArtifactError
from cxrkit.reporting import write_atomically
from cxrkit.training.run_folder import METRICS_FILE, SPEED_FILE, is_first_process

logger = logging.getLogger(__name__)


def cut_logs(run_dir: Path, step: int) -> None:
    """Takes what was logged after the checkpoint out of the run's logs: it will be logged again.

    Raises:
        ArtifactError: the log of the metrics is damaged.
    """
    if is_first_process():
        _cut_log(run_dir / METRICS_FILE, step, is_record=True)
        _cut_log(run_dir / SPEED_FILE, step, is_record=False)


def _cut_log(path: Path, step: int, *, is_record: bool) -> None:
    if not path.is_file():
        return
    kept = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(True), 1):
        # A line that was cut off while it was written is the last one.
        if not line.endswith("\n"):
            break
        found = _step_of(line)
        if found is None and is_record:
            raise _damaged(path, number)
        if found is not None and found > step:
            break
        kept += [line] if found is not None else []
    write_atomically(path, "".join(kept).encode())


def _step_of(line: str) -> int | None:
    try:
        return int(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return None


def _damaged(path: Path, number: int) -> ArtifactError:
    return ArtifactError(
        f"line {number} of {path.name} is damaged",
        expected="one JSON object with a step per line, as the training writes it",
        found=str(path),
        next_step="take that line out, or put the file back from a copy; the weights do not depend on it",
    )


def logged_lines(run_dir: Path) -> int:
    """Gives how many lines the log of the metrics has."""
    path = run_dir / METRICS_FILE
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def sync_logs(run_dir: Path) -> None:
    """Waits until what was logged is on the disk; a checkpoint that follows says that it is."""
    for name in (METRICS_FILE, SPEED_FILE):
        if (run_dir / name).is_file():
            with (run_dir / name).open("rb") as file:
                os.fsync(file.fileno())


def tell_lost_lines(run_dir: Path, lines: int) -> None:
    """Warns when the log of the metrics is shorter than a checkpoint says that it was."""
    lost = lines - logged_lines(run_dir)
    if lost > 0:
        logger.warning("%d lines of %s from before the checkpoint are lost", lost, run_dir / METRICS_FILE)
