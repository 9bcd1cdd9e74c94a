"""One JSON file per study, out of a zip archive or a folder, in (subject, study) order."""

import re
import zipfile
import zlib
from pathlib import Path
from typing import Protocol

from cxrkit.data.rejects import Reject, RejectLog
from cxrkit.errors import DataLayoutError

StudyKey = tuple[int, int]
_LIMIT_BYTES = 1 << 28
_ENCRYPTED = 0x1


class MemberError(Exception):
    """One study's file cannot be read; becomes a reject, never reaches the user as such."""


class StudyFiles(Protocol):
    """The files of one kind (`qa` or `scene_graph`), keyed by patient and study number."""

    suffix: str
    origin: Path

    @property
    def keys(self) -> list[StudyKey]:
        """All (subject_id, study_id), sorted."""

    def read(self, key: StudyKey) -> bytes:
        """Gives the bytes of one file.

        Raises:
            MemberError: it is damaged or unreadable.
        """

    def signature(self) -> list[tuple[str, int, int]]:
        """Gives name, size and modification time of what is on disk, to notice changes cheaply."""


def member_place(key: StudyKey, suffix: str) -> str:
    """Gives the name of a study's file for `where` in rejects, the same for archive and folder."""
    patient = f"p{key[0]}"
    return f"{patient[:3]}/{patient}/s{key[1]}.{suffix}.json"


class _NameIndex:
    """Sorts names of the form .../p1x/p1xxxxxxx/s5xxxxxxx.<suffix>.json, with or without leading folder."""

    def __init__(self, suffix: str, rejects: RejectLog) -> None:
        self._pattern = re.compile(rf"(?:^|/)p1\d/p(1\d{{7}})/s(\d{{8}})\.{suffix}\.json$")
        self._suffix = suffix
        self._rejects = rejects
        self.names: dict[StudyKey, str] = {}

    def add(self, name: str) -> None:
        if not name.endswith(f".{self._suffix}.json") or name.rpartition("/")[2].startswith("._"):
            return
        match = self._pattern.search(name)
        if match is None:
            tail = "/".join(name.split("/")[-3:])
            self._rejects.add(Reject("unexpected_member", "member", where=tail))
            return
        key = (int(match[1]), int(match[2]))
        if key in self.names:
            place = member_place(key, self._suffix)
            self._rejects.add(Reject("duplicate_member", "member", *key, where=place))
            return
        self.names[key] = name


class ZippedStudies:
    """Study files in a zip archive; members are read lazily.

    Args:
        path: the archive.
        suffix: `qa` or `scene_graph`.
        rejects: takes members with unexpected or repeated names.

    Raises:
        DataLayoutError: the archive is damaged or encrypted.
    """

    def __init__(self, path: Path, suffix: str, rejects: RejectLog) -> None:
        self.origin = path
        self.suffix = suffix
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataLayoutError(
                f"the archive {path.name} is damaged",
                expected="a complete zip archive",
                found=f"{path}: {error}",
                next_step="download it again and compare it with SHA256SUMS.txt",
            ) from error
        index = _NameIndex(suffix, rejects)
        for info in self._archive.infolist():
            if info.flag_bits & _ENCRYPTED:
                raise DataLayoutError(
                    f"the archive {path.name} is encrypted",
                    expected="the archive as released",
                    found=f"{path}: member {info.filename} needs a password",
                    next_step="download it again",
                )
            index.add(info.filename)
        self._names = index.names

    @property
    def keys(self) -> list[StudyKey]:
        """All (subject_id, study_id), sorted."""
        return sorted(self._names)

    def read(self, key: StudyKey) -> bytes:
        """Gives the bytes of one member; see `StudyFiles.read`."""
        name = self._names[key]
        if self._archive.getinfo(name).file_size > _LIMIT_BYTES:
            raise MemberError("larger than 256 MiB")
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
            raise MemberError(type(error).__name__) from error

    def signature(self) -> list[tuple[str, int, int]]:
        """Gives name, size and modification time of the archive."""
        state = self.origin.stat()
        return [(self.origin.name, state.st_size, state.st_mtime_ns)]


class ExtractedStudies:
    """Study files below a folder that holds p10 .. p19.

    Args:
        folder: holds the group folders.
        suffix: `qa` or `scene_graph`.
        rejects: takes files with unexpected names.
    """

    def __init__(self, folder: Path, suffix: str, rejects: RejectLog) -> None:
        self.origin = folder
        self.suffix = suffix
        index = _NameIndex(suffix, rejects)
        for path in sorted(folder.glob(f"p1[0-9]/*/*.{suffix}.json")):
            index.add(path.relative_to(folder).as_posix())
        self._names = index.names

    @property
    def keys(self) -> list[StudyKey]:
        """All (subject_id, study_id), sorted."""
        return sorted(self._names)

    def read(self, key: StudyKey) -> bytes:
        """Gives the bytes of one file; see `StudyFiles.read`."""
        path = self.origin / self._names[key]
        try:
            if path.stat().st_size > _LIMIT_BYTES:
                raise MemberError("larger than 256 MiB")
            return path.read_bytes()
        except OSError as error:
            raise MemberError(type(error).__name__) from error

    def signature(self) -> list[tuple[str, int, int]]:
        """Gives name, size and modification time of every file."""
        states = ((name, (self.origin / name).stat()) for name in sorted(self._names.values()))
        return [(name, state.st_size, state.st_mtime_ns) for name, state in states]
