"""The workspace folder: what may be in it, one writer at a time, finished parts moved into place."""

import fcntl
import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from cxrkit.data.index.artifact import FINGERPRINT, INDEX_FILES, record_checksum
from cxrkit.errors import ArtifactError

logger = logging.getLogger(__name__)

_OWN_NAMES = frozenset({"index", "images"})
_BUILDING = ".preparing"
_LOCK = ".prepare.lock"
_READY = "ready.json"
_PARTS = ("index", "images")
_INDEX_NAMES = re.compile("|".join(map(re.escape, (*INDEX_FILES, FINGERPRINT))))
_IMAGE_NAMES = re.compile(r"shard-\d{5}\.bin|geometry\.arrow|manifest\.json")


def check_workspace(workspace: Path) -> None:
    """Refuses a folder that holds anything but a workspace, so that nothing foreign is ever replaced.

    Raises:
        ArtifactError: foreign files or folders are in it.
    """
    if workspace.exists() and not workspace.is_dir():
        raise _foreign(workspace, [workspace.name])
    foreign = [path for path in _children(workspace) if path.name not in _OWN_NAMES]
    foreign += [path for path in _children(workspace / "index") if not _INDEX_NAMES.fullmatch(path.name)]
    foreign += [path for path in _children(workspace / "images") if not _IMAGE_NAMES.fullmatch(path.name)]
    if foreign:
        raise _foreign(workspace, sorted(path.relative_to(workspace).as_posix() for path in foreign))


def check_outside_sources(workspace: Path, folders: Iterable[Path]) -> None:
    """Refuses a workspace inside the data sets, which are only ever read.

    Args:
        workspace: resolved.
        folders: resolved folders of the data sets.

    Raises:
        ArtifactError: the workspace is one of them or lies below one.
    """
    inside = next((folder for folder in folders if workspace.is_relative_to(folder)), None)
    if inside is not None:
        raise ArtifactError(
            "the workspace lies inside a data set",
            expected="a folder beside the data sets, whose files are only ever read",
            found=f"{workspace} is in {inside}",
            next_step="choose another folder with --workspace",
        )


def _children(folder: Path) -> list[Path]:
    if not folder.exists():
        return []
    # Hidden files are the system's (.DS_Store, .nfs...) or our own temporary ones.
    return (
        [path for path in folder.iterdir() if not path.name.startswith(".")] if folder.is_dir() else [folder]
    )


def _foreign(workspace: Path, names: list[str]) -> ArtifactError:
    return ArtifactError(
        "the workspace folder holds files that are not a workspace's",
        expected="a new or empty folder, or one that `cxrkit prepare` made",
        found=f"{workspace}: {', '.join(names[:5])}"
        + (f" and {len(names) - 5} more" if len(names) > 5 else ""),
        next_step="choose another folder with --workspace",
    )


@contextmanager
def lock_workspace(workspace: Path) -> Iterator[tuple[Path, bool]]:
    """Gives the folder to build in, and whether an interrupted run's finished work was just published.

    What an interrupted run left unfinished is still in the folder. One process at a time.

    Args:
        workspace: made when it does not exist.

    Raises:
        ArtifactError: another process is preparing the same workspace.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    building = workspace / _BUILDING
    # The system gives the lock back when the process ends, however it ends.
    with (workspace / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArtifactError(
                "another process is preparing this workspace",
                expected="one `cxrkit prepare` at a time",
                found=f"{workspace / _LOCK} is locked",
                next_step="wait until it has finished, or choose another folder with --workspace",
            ) from error
        published = _finish_publishing(building, workspace)
        building.mkdir(exist_ok=True)
        try:
            yield building, published
        finally:
            if building.is_dir() and not any(building.iterdir()):
                building.rmdir()


def tell_unfinished(workspace: Path) -> None:
    """Logs what an interrupted run with other settings left: it takes space until finished or deleted."""
    building = workspace / _BUILDING
    left = folder_bytes(building)
    if left:
        logger.info("%s holds %.1f MB of an interrupted run with other settings", building, left / 1e6)


def publish(building: Path, workspace: Path, fingerprint: dict[str, Any]) -> None:
    """Moves finished parts into place; `fingerprint.json` comes last and says that all is there.

    When it is interrupted, the next `lock_workspace` goes on with it.

    Args:
        building: with `index` and `images`, finished and on disk.
        workspace: checked by `check_workspace`.
        fingerprint: content of `fingerprint.json`, without its checksum.
    """
    for part in _PARTS:
        _sync(building / part)
    record = fingerprint | {"checksum": record_checksum(fingerprint)}
    _write_safely(building / _READY, json.dumps(record, indent=1, sort_keys=True) + "\n")
    _finish_publishing(building, workspace)


def _finish_publishing(building: Path, workspace: Path) -> bool:
    ready = building / _READY
    if not ready.is_file():
        return False
    (workspace / "index" / FINGERPRINT).unlink(missing_ok=True)
    for part in _PARTS:
        if (building / part).is_dir():
            if (workspace / part).exists():
                # Aside, not away: a file of it that is in use may not be removable yet.
                (workspace / part).rename(_free_name(building / f"old-{part}"))
            (building / part).rename(workspace / part)
    _sync(workspace)
    _write_safely(workspace / "index" / FINGERPRINT, ready.read_text(encoding="utf-8"))
    # First the mark: a folder that is half removed must not look like a finished one.
    ready.unlink()
    shutil.rmtree(building, ignore_errors=True)
    return True


def _free_name(path: Path) -> Path:
    numbered = (path.with_name(f"{path.name}-{number}") for number in count(1))
    return path if not path.exists() else next(name for name in numbered if not name.exists())


def _write_safely(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Brings small files of a folder, and the names in it, to the disk; large ones are there already."""
    for path in folder.iterdir():
        if path.is_file() and path.suffix in (".json", ".csv"):
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def folder_bytes(folder: Path) -> int:
    """Gives the disk space that the files below a folder take, in bytes; 0 when there is none."""
    # A block is 512 bytes wherever the system counts them; holes in a file count nothing.
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
