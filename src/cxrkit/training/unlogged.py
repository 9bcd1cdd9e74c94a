"""Sums of losses since the last log line, kept in a checkpoint so that the next line is the same."""

import json
from pathlib import Path
from typing import Any

from cxrkit.training.agreement import other_folder, sees_files


def write_unlogged(checkpoint: Path, process: int, sums: dict[str, Any]) -> None:
    """Writes one process's own sums: `loss`, `last_logged`, `updates`, `parts`."""
    _path(checkpoint, process).write_text(json.dumps(sums) + "\n", encoding="utf-8")


def require_parts(checkpoint: Path, processes: int) -> None:
    """Returns when every process wrote its part of a checkpoint.

    Raises:
        ArtifactError: a part is missing, as when a process writes to a disk of its own.
    """
    parts = tuple(_path(checkpoint, process).name for process in range(processes))
    missing = [process for process, name in enumerate(parts) if not sees_files(checkpoint, (name,))]
    if missing:
        raise other_folder(checkpoint.parent, missing)


def unlogged_of(checkpoint: Path, process: int, processes: int) -> dict[str, Any]:
    """Gives the sums that a process goes on with.

    Args:
        checkpoint: a whole one.
        process: its number.
        processes: how many there are now; when there were others, each takes an equal share.
    """
    written = len(list(checkpoint.glob("unlogged_*.json")))
    if written == processes:
        return _read(checkpoint, process)
    everyones = [_read(checkpoint, number) for number in range(written)]
    names = dict.fromkeys(name for own in everyones for name in own["parts"])
    return everyones[0] | {
        # The loss is logged as the mean of the processes, its parts as their sum.
        "loss": sum(own["loss"] for own in everyones) / written,
        "parts": {name: sum(own["parts"].get(name, 0.0) for own in everyones) / processes for name in names},
    }


def _read(checkpoint: Path, process: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_path(checkpoint, process).read_text(encoding="utf-8"))
    return content


def _path(checkpoint: Path, process: int) -> Path:
    return checkpoint / f"unlogged_{process}.json"
