"""One JSON file per study, out of a zip archive or a folder: where each lies, kept in few bytes."""

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cxrkit.data.qba.member_reader import METHODS, ExtractedPlace, MemberReader, Place, ZippedPlace
from cxrkit.data.rejects import Reject, RejectLog
from cxrkit.errors import DataLayoutError

StudyKey = tuple[int, int]
_ENCRYPTED = 0x1
# subject_id and study_id in one number, so that sorting the numbers sorts the studies.
_SUBJECT = np.int64(2**32)


class StudyFiles(Protocol):
    """The files of one kind (`qa` or `scene_graph`), sorted by patient and study number."""

    suffix: str
    origin: Path
    codes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Gives the number of files."""

    def place(self, row: int) -> Place:
        """Gives where the file of a row of `codes` lies; small, to be sent to other processes."""

    def reader(self) -> MemberReader:
        """Opens the archive or folder for reading."""


def study_code(subject_id: int, study_id: int) -> int:
    """Gives the number under which `StudyFiles.codes` holds a study.

    >>> study_key(study_code(10000032, 50414267))
    (10000032, 50414267)
    """
    return subject_id * int(_SUBJECT) + study_id


def study_key(code: int) -> StudyKey:
    """Gives (subject_id, study_id) of a study code."""
    return divmod(int(code), int(_SUBJECT))


def find_place(files: StudyFiles | None, code: int) -> Place | None:
    """Gives where a study's file lies, None when there is none."""
    if files is None:
        return None
    row = int(np.searchsorted(files.codes, code))
    return files.place(row) if row < len(files.codes) and files.codes[row] == code else None


def member_place(key: StudyKey, suffix: str) -> str:
    """Gives the name of a study's file for `where` in rejects, the same for archive and folder."""
    patient = f"p{key[0]}"
    return f"{patient[:3]}/{patient}/s{key[1]}.{suffix}.json"


class _NameSorter:
    """Sorts names of the form .../p1x/p1xxxxxxx/s5xxxxxxx.<suffix>.json, with or without leading folder."""

    def __init__(self, suffix: str, rejects: RejectLog) -> None:
        self._pattern = re.compile(rf"(?:^|/)p1\d/p(1\d{{7}})/s(\d{{8}})\.{suffix}\.json$")
        self._suffix = suffix
        self._rejects = rejects
        self._seen: set[int] = set()

    def code(self, name: str) -> int | None:
        """Gives the study's code; None for other files, and for a study's second one."""
        if not name.endswith(f".{self._suffix}.json") or name.rpartition("/")[2].startswith("._"):
            return None
        match = self._pattern.search(name)
        if match is None:
            tail = "/".join(name.split("/")[-3:])
            self._rejects.add(Reject("unexpected_member", "member", where=tail))
            return None
        key = (int(match[1]), int(match[2]))
        code = study_code(*key)
        if code in self._seen:
            place = member_place(key, self._suffix)
            self._rejects.add(Reject("duplicate_member", "member", *key, where=place))
            return None
        self._seen.add(code)
        return code


class ZippedStudies:
    """Study files in a zip archive. Its directory is read once and kept as some 35 bytes per member.

    Args:
        path: the archive.
        suffix: `qa` or `scene_graph`.
        rejects: takes members with unexpected or repeated names.

    Raises:
        DataLayoutError: the archive is damaged, encrypted, or compressed in an unusual way.
    """

    def __init__(self, path: Path, suffix: str, rejects: RejectLog) -> None:
        self.origin = path
        self.suffix = suffix
        sorter = _NameSorter(suffix, rejects)
        rows = []
        for info in _directory(path):
            code = sorter.code(info.filename)
            if code is not None:
                _check_readable(path, info)
                sizes = (info.compress_size, info.file_size)
                rows.append((code, info.header_offset, *sizes, info.CRC, info.compress_type))
        table = np.array(rows, dtype=np.int64).reshape(-1, 6)
        table = table[np.argsort(table[:, 0])]
        self.codes = np.ascontiguousarray(table[:, 0])
        self._places = table[:, 1:]

    def __len__(self) -> int:
        return len(self.codes)

    def place(self, row: int) -> ZippedPlace:
        """Gives where a member lies; see `StudyFiles.place`."""
        return ZippedPlace(*self._places[row].tolist())

    def reader(self) -> MemberReader:
        """Opens the archive for reading."""
        return MemberReader(self.origin)


def _directory(path: Path) -> Iterable[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, OSError) as error:
        raise DataLayoutError(
            f"the archive {path.name} is damaged",
            expected="a complete zip archive",
            found=f"{path}: {error}",
            next_step="download it again and compare it with SHA256SUMS.txt",
        ) from error


def _check_readable(path: Path, info: zipfile.ZipInfo) -> None:
    if info.flag_bits & _ENCRYPTED:
        wrong, found = "encrypted", "needs a password"
    elif info.compress_type not in METHODS:
        wrong, found = "compressed in an unusual way", f"has compression method {info.compress_type}"
    else:
        return
    raise DataLayoutError(
        f"the archive {path.name} is {wrong}",
        expected="the archive as released",
        found=f"{path}: member {info.filename} {found}",
        next_step="download it again",
    )


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
        sorter = _NameSorter(suffix, rejects)
        named = []
        for path in sorted(folder.glob(f"p1[0-9]/*/*.{suffix}.json")):
            name = path.relative_to(folder).as_posix()
            code = sorter.code(name)
            if code is not None:
                named.append((code, name))
        named.sort()
        self.codes = np.array([code for code, _ in named], dtype=np.int64)
        self._names: Sequence[str] = [name for _, name in named]

    def __len__(self) -> int:
        return len(self.codes)

    def place(self, row: int) -> ExtractedPlace:
        """Gives where a file lies; see `StudyFiles.place`."""
        return ExtractedPlace(self._names[row])

    def reader(self) -> MemberReader:
        """Opens the folder for reading."""
        return MemberReader(self.origin)

    def signature(self) -> list[tuple[str, int, int]]:
        """Gives name, size and modification time of every file."""
        states = ((name, (self.origin / name).stat()) for name in sorted(self._names))
        return [(name, state.st_size, state.st_mtime_ns) for name, state in states]
