"""Checks the films and tables of MIMIC-CXR-JPG, as they lie on disk, against its list of checksums."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cxrkit.data.films.sums import SUMS_NAME, find_sums, read_sums
from cxrkit.data.worker_pool import run_units

_FILM_ENDINGS = (".jpg", ".jpeg", ".png", ".dcm")
_FILES_PER_UNIT = 64


class RawReport(NamedTuple):
    """What the check of a data set found; paths are relative to the release root, sorted.

    Attributes:
        listed: number of files in the list.
        checked: number of them that are there and were read.
        mismatched: files with another content than listed.
        unreadable: files that are there and cannot be read.
        missing: listed files that are not there.
        unlisted: films that are there and not listed.
    """

    listed: int
    checked: int
    mismatched: tuple[str, ...]
    unreadable: tuple[str, ...]
    missing: tuple[str, ...]
    unlisted: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every listed file is there as listed, and no film besides."""
        return not (self.mismatched or self.unreadable or self.missing or self.unlisted)


class _RawFile(NamedTuple):
    name: str
    path: Path
    sha256: str


def verify_raw(
    mimic_cxr_root: Path,
    image_folder: Path,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> RawReport:
    """Reads every listed file that is there and compares its SHA-256.

    Args:
        mimic_cxr_root: what the user passed as `--mimic_cxr_path`.
        image_folder: the folder that holds p10 .. p19.
        progress: called with (files done, files that are there).
        workers: number of processes.

    Raises:
        DataLayoutError: the list of checksums is missing or damaged.
    """
    sums_path = find_sums(mimic_cxr_root)
    sums = read_sums(sums_path)
    present, missing = [], []
    for name, digest in sums.items():
        path = _place(name, sums_path.parent, image_folder)
        if path.is_file():
            present.append(_RawFile(name, path, digest))
        elif name != SUMS_NAME:
            missing.append(name)
    mismatched: list[str] = []
    unreadable: list[str] = []
    units = [present[first : first + _FILES_PER_UNIT] for first in range(0, len(present), _FILES_PER_UNIT)]
    done = 0
    for position, faults in run_units(_no_state, (), _check_unit, units, workers):
        for name, kind in faults:
            (mismatched if kind == "mismatched" else unreadable).append(name)
        done += len(units[position])
        if progress:
            progress(done, len(present))
    unlisted = sorted(name for name in _films_below(image_folder) if name not in sums)
    return RawReport(
        listed=len(sums),
        checked=len(present),
        mismatched=tuple(sorted(mismatched)),
        unreadable=tuple(sorted(unreadable)),
        missing=tuple(sorted(missing)),
        unlisted=tuple(unlisted),
    )


def _place(name: str, root: Path, image_folder: Path) -> Path:
    """A copy without `files/` has its films in the root: `image_folder` says where they are."""
    return image_folder / name.removeprefix("files/") if name.startswith("files/") else root / name


def _films_below(image_folder: Path) -> Iterator[str]:
    for folder, _, names in os.walk(image_folder):
        group = Path(folder).relative_to(image_folder).parts
        if group and group[0].startswith("p1"):
            yield from (
                "/".join(("files", *group, name)) for name in names if name.lower().endswith(_FILM_ENDINGS)
            )


def _no_state() -> None:
    """The check of a file needs nothing but the file."""


def _check_unit(_: None, files: list[_RawFile]) -> list[tuple[str, str]]:
    faults = []
    for file in files:
        try:
            with file.path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError:
            faults.append((file.name, "unreadable"))
            continue
        if found != file.sha256:
            faults.append((file.name, "mismatched"))
    return faults
