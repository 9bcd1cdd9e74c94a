"""Which units of work are done, on disk as soon as their films are: what a killed run is taken up from."""

import json
import os
import zlib
from pathlib import Path
from typing import BinaryIO

from cxrkit.data.films.outcomes import FilmResult, Outcomes

_JOURNAL = ".films.journal"


class Journal:
    """Lines of checked JSON, only ever appended: the plan's fingerprint, then one for each finished unit."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    @classmethod
    def open(cls, folder: Path, plan_fingerprint: str, outcomes: Outcomes) -> "Journal":
        """Reads what is there into `outcomes` and gives the journal to go on with.

        A journal of another plan is done away with; a torn last line is cut off.
        """
        path = folder / _JOURNAL
        stream = path.open("r+b" if path.exists() else "w+b")
        journal = cls(stream)
        end = journal._read(plan_fingerprint, outcomes)
        stream.seek(end)
        stream.truncate()
        if end == 0:
            journal._append(plan_fingerprint)
        return journal

    @classmethod
    def start(cls, folder: Path, plan_fingerprint: str, outcomes: Outcomes) -> "Journal":
        """Gives a new journal that holds the done units of `outcomes`; it replaces an old one at once."""
        temporary = folder / f"{_JOURNAL}.new"
        journal = cls(temporary.open("w+b"))
        journal._append(plan_fingerprint)
        for unit in outcomes.done.nonzero()[0].tolist():
            journal._write([unit, outcomes.unit(unit)])
        journal._sync()
        temporary.rename(folder / _JOURNAL)
        sync_folder(folder)
        return journal

    @staticmethod
    def remove(folder: Path) -> None:
        """Removes the journal of a finished store."""
        (folder / _JOURNAL).unlink(missing_ok=True)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, unit: int, results: list[FilmResult]) -> None:
        """Records a finished unit; on return it is on disk."""
        self._append([unit, results])

    def _append(self, content: object) -> None:
        self._write(content)
        self._sync()

    def _write(self, content: object) -> None:
        body = json.dumps(content, separators=(",", ":")).encode()
        self._stream.write(b"%08x %s\n" % (zlib.crc32(body), body))

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _read(self, plan_fingerprint: str, outcomes: Outcomes) -> int:
        """Gives the place behind the last whole line."""
        end = 0
        for number, line in enumerate(self._stream):
            body = line[9:-1]
            if not line.endswith(b"\n") or line[:8] != b"%08x" % zlib.crc32(body):
                break
            content = json.loads(body)
            if number == 0 and content != plan_fingerprint:
                break
            if number:
                outcomes.set_unit(content[0], [FilmResult(*result) for result in content[1]])
            end += len(line)
        return end


def sync_folder(folder: Path) -> None:
    """Brings a folder's list of files to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
