"""All processes of a training must begin at the same place: what each of them found is compared."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from accelerate.utils import gather_object

from cxrkit.errors import ArtifactError

# Network file systems remember for up to a minute that a file was not there.
SEEN_WITHIN_SECONDS = 65.0
BEGINNING = "the beginning"


def require_same_start(
    accelerator: Any,
    run_dir: Path,
    checkpoint: Path | None,
    run: Mapping[str, Any],
    *,
    accumulation: int,
    marks: tuple[str, ...],
) -> None:
    """Returns when all processes begin the same run at the same update, in the same folder.

    A process with a folder of its own, or with another plan for its machine, would make another number of
    collective operations than the others, and all would wait for ever.

    Args:
        accelerator: connects the processes.
        run_dir: the run's folder.
        checkpoint: that this process found to go on from.
        run: what the run is, to this process.
        accumulation: batches per update.
        marks: files that process 0 wrote into the folder.

    Raises:
        ArtifactError: the processes differ, or one does not see the folder of process 0; all say so.
    """
    if accelerator.num_processes == 1:
        return
    content = json.dumps(run, sort_keys=True, default=str)
    own = {
        "goes on from": BEGINNING if checkpoint is None else checkpoint.name,
        "batch size": run["batch_size"],
        "batches per update": accumulation,
        "data and settings": hashlib.sha256(content.encode()).hexdigest()[:12],
    }
    everyones = gather_object([own])
    different = [name for name in own if len({str(each[name]) for each in everyones}) > 1]
    if different:
        raise _refusal(everyones, different)
    blind = [rank for rank, sees in enumerate(gather_object([sees_files(run_dir, marks)])) if not sees]
    if blind:
        raise other_folder(run_dir, blind)


def sees_files(
    folder: Path,
    names: tuple[str, ...],
    seconds: float = SEEN_WITHIN_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Tells whether a folder has files, which another machine has just written, within some seconds."""
    until = time.monotonic() + seconds
    while not all((folder / name).is_file() for name in names):
        if time.monotonic() > until:
            return False
        sleep(0.5)
    return True


def other_folder(run_dir: Path, ranks: list[int]) -> ArtifactError:
    """Gives what to say when processes write into folders of their own."""
    who = ", ".join(map(str, ranks))
    return ArtifactError(
        "not all processes see the same folder of the run",
        expected=f"{run_dir} on a file system that all machines share",
        found=f"process(es) {who}: the files of process 0 are not there, or the other way round",
        next_step="pass an --output_dir on the shared file system, not on one machine's own disk",
    )


def _refusal(everyones: list[dict[str, Any]], different: list[str]) -> ArtifactError:
    found = [
        f"process {rank}: " + ", ".join(f"{name} {own[name]}" for name in different)
        for rank, own in enumerate(everyones)
    ]
    return ArtifactError(
        "the processes of this training would not begin alike",
        expected="the same settings, data and checkpoint in every process",
        found="\n".join(found),
        next_step="start all with the same command and a folder that all machines share; on machines with "
        "different GPUs name --batch_size instead of --auto",
    )
