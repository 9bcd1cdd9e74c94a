"""Checkpoints that are whole or not there: a manifest with the hash of every file is written last."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrkit.data.films.journal import sync_folder
from cxrkit.errors import ArtifactError
from cxrkit.reporting import write_atomically
from cxrkit.training.versions import installed_versions

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1
NO_STEP = -1
# What all checkpoints of a run have in common, on how many processes it ever ran.
OF_THE_RUN = ("task", "index_fingerprint", "films_per_update", "strategy", "settings")
_NAME = re.compile(r"checkpoint-(\d+)$")


@dataclass(frozen=True)
class Rejected:
    """A checkpoint that cannot be used, and why."""

    path: Path
    reason: str


def checkpoint_path(run_dir: Path, step: int) -> Path:
    """Gives where the checkpoint after an update is."""
    return run_dir / f"checkpoint-{step}"


def checkpoints_of(run_dir: Path) -> list[Path]:
    """Gives the checkpoint folders of a run, latest update first, whole or not."""
    found = [path for path in run_dir.glob("checkpoint-*") if _NAME.search(path.name)]
    return sorted(found, key=step_of, reverse=True)


def unfinished_path(run_dir: Path, step: int) -> Path:
    """Gives where a checkpoint is written before it has its place."""
    return run_dir / f".checkpoint-{step}.part"


def finish_checkpoint(run_dir: Path, step: int, run: dict[str, Any]) -> Path:
    """Closes what was written into `unfinished_path` and moves it to its place.

    Args:
        run_dir: the run's folder.
        step: number of updates.
        run: what the checkpoint belongs to, kept in the manifest.
    """
    folder, final = unfinished_path(run_dir, step), checkpoint_path(run_dir, step)
    write_manifest(folder, {"step": step, "run": run, "versions": installed_versions()})
    if final.exists():
        # Of the same update, from before a resume; it is either whole and equal or was rejected.
        shutil.rmtree(final)
    os.replace(folder, final)
    sync_folder(run_dir)
    return final


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    """Writes the manifest of a folder: `content`, and size and SHA-256 of every file in it."""
    files = {str(path.relative_to(folder)): _entry(path, sync=True) for path in _files(folder)}
    whole = {"schema_version": SCHEMA_VERSION, **content, "files": files}
    write_atomically(folder / MANIFEST, (json.dumps(whole, indent=1) + "\n").encode())
    sync_folder(folder)


def read_manifest(checkpoint: Path) -> dict[str, Any]:
    """Reads what a folder belongs to (`run`, `step`, `versions`) and checks every file against its hash.

    Raises:
        ArtifactError: the folder is not whole.
    """
    try:
        content: dict[str, Any] = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        files, step = dict(content["files"]), int(content["step"])
        content["run"] = dict(content["run"])
        version = content["schema_version"]
    except FileNotFoundError as error:
        reason = f"no {MANIFEST}" if checkpoint.is_dir() else "no such folder"
        raise _not_whole(checkpoint, reason) from error
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _not_whole(checkpoint, f"{MANIFEST} cannot be read ({error!r})") from error
    if version != SCHEMA_VERSION:
        raise _not_whole(checkpoint, f"schema_version {version}, this version writes {SCHEMA_VERSION}")
    if step_of(checkpoint) not in (step, NO_STEP):
        raise _not_whole(checkpoint, f"it was written after update {step}, and renamed")
    for name, entry in files.items():
        path = checkpoint / name
        if not path.is_file():
            raise _not_whole(checkpoint, f"{name} is missing")
        if _entry(path) != entry:
            raise _not_whole(checkpoint, f"{name} is not as it was written (size or SHA-256 differs)")
    return content


def newest_whole(run_dir: Path, run: Mapping[str, Any] | None = None) -> tuple[Path | None, list[Rejected]]:
    """Gives the latest checkpoint of a run that can be used, and the later ones that cannot.

    Args:
        run_dir: the run's folder.
        run: what the folder's run is; a checkpoint of another one cannot be used. None = nobody knows.
    """
    rejected: list[Rejected] = []
    for path in checkpoints_of(run_dir):
        reason = why_unusable(path, run)
        if not reason:
            return path, rejected
        rejected.append(Rejected(path, reason))
    return None, rejected


def why_unusable(checkpoint: Path, run: Mapping[str, Any] | None) -> str:
    """Gives why a checkpoint is not whole or not of the run; empty when it is both."""
    try:
        own = read_manifest(checkpoint)["run"]
    except ArtifactError as error:
        return error.found
    others = [] if run is None else [key for key in OF_THE_RUN if own.get(key) != run.get(key)]
    return f"it is of another run ({', '.join(others)})" if others else ""


def step_of(checkpoint: Path) -> int:
    """Gives the update that a checkpoint's folder is named after."""
    match = _NAME.search(checkpoint.name)
    return int(match[1]) if match else NO_STEP


def remove_older(run_dir: Path, keep: int, step: int) -> None:
    """Removes all but the latest `keep` checkpoints, and what unfinished ones left behind.

    Args:
        run_dir: the run's folder.
        keep: so many stay.
        step: the update just saved; a damaged checkpoint takes no place of a whole one, and a later one,
            which can only be damaged, stays to be looked at.
    """
    written = [path for path in checkpoints_of(run_dir) if step_of(path) <= step]
    usable = [path for path in written if _has_manifest(path)]
    kept = set(usable[:keep])
    for path in [*(path for path in written if path not in kept), *run_dir.glob(".checkpoint-*.part")]:
        shutil.rmtree(path)


def _has_manifest(checkpoint: Path) -> bool:
    """Tells whether all files of a checkpoint have the size that its manifest names; hashes take minutes."""
    try:
        files = dict(json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))["files"])
        return all((checkpoint / name).stat().st_size == entry["bytes"] for name, entry in files.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def _entry(path: Path, *, sync: bool = False) -> dict[str, Any]:
    with path.open("rb") as stream:
        if sync:
            os.fsync(stream.fileno())
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        size = os.fstat(stream.fileno()).st_size
    return {"bytes": size, "sha256": digest}


def _not_whole(checkpoint: Path, reason: str) -> ArtifactError:
    return ArtifactError(
        f"{checkpoint} is no whole checkpoint",
        expected=f"the files that its {MANIFEST} lists, as they were written",
        found=reason,
        next_step="--resume_from_checkpoint auto takes the newest whole one",
    )
