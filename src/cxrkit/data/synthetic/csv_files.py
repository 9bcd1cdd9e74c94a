"""CSV text and gzip files whose bytes depend on their content alone: no time stamp, no file name."""

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

_LEVEL = 6


def csv_text(rows: Iterable[Iterable[Any]]) -> str:
    r"""Gives rows as CSV with LF line ends; None becomes a blank cell.

    >>> csv_text([["a", None, 1.0], ["b,c", True, 2]])
    'a,,1.0\n"b,c",True,2\n'
    """
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


def write_gzip(path: Path, data: bytes) -> None:
    """Writes a gzip file without time stamp and name."""
    path.write_bytes(gzip.compress(data, compresslevel=_LEVEL, mtime=0))


class GzipText:
    """A text file written through gzip, without time stamp and name; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raw: IO[bytes] | None = None
        self._file: gzip.GzipFile | None = None

    def __enter__(self) -> "GzipText":
        """Opens the file."""
        self._raw = self._path.open("wb")
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=self._raw, mtime=0)
        return self

    def write(self, text: str) -> None:
        """Appends text.

        Raises:
            ValueError: outside the `with` block.
        """
        if self._file is None:
            raise ValueError("the file is not open")
        self._file.write(text.encode())

    def __exit__(self, *error: object) -> None:
        """Closes the file."""
        if self._file is not None and self._raw is not None:
            self._file.close()
            self._raw.close()
