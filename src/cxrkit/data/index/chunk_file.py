"""One finished chunk of the index on disk: whole and checked, or not there at all."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from cxrkit.data.index.chunk_columns import Array, Column, Columns, Ragged
from cxrkit.data.rejects import Reject

# Length and CRC-32 of the header, in front of it.
_START = struct.Struct("<QI")


class _ArrayPlace(msgspec.Struct, array_like=True):
    dtype: str
    shape: tuple[int, ...]
    offset: int


class ChunkSummary(msgspec.Struct):
    """What a chunk holds beside its columns.

    Attributes:
        rows: number of rows by table, and of texts.
        studies: `(questions, region boxes, observations, has questions, has scene graph)` of each study.
        appended: names that are new to the vocabularies, by kind, in the order in which they were met.
        counts: packed counters of the chunk.
        rejects: what was skipped.
    """

    rows: dict[str, int]
    studies: list[tuple[int, int, int, bool, bool]]
    appended: dict[str, list[str]]
    counts: dict[str, Any]
    rejects: list[Reject]


class _Header(msgspec.Struct):
    summary: ChunkSummary
    arrays: dict[str, _ArrayPlace]
    checksum: int


class ChunkError(Exception):
    """A chunk's file is damaged; it must be made again."""


class ChunkFile(NamedTuple):
    """An opened chunk."""

    path: Path
    summary: ChunkSummary
    arrays: dict[str, _ArrayPlace]
    start: int

    def array(self, name: str) -> Array:
        """Reads one array."""
        place = self.arrays[name]
        count = int(np.prod(place.shape, dtype=np.int64))
        values = np.fromfile(self.path, dtype=place.dtype, count=count, offset=self.start + place.offset)
        return values.reshape(place.shape)

    def column(self, table: str, name: str) -> Column:
        """Reads one column of a table."""
        key = f"{table}/{name}"
        if key in self.arrays:
            return self.array(key)
        return Ragged(self.array(f"{key}/lengths"), self.array(f"{key}/values"))


def write_chunk(path: Path, summary: ChunkSummary, tables: dict[str, Columns], **more: Array) -> None:
    """Writes a chunk under a temporary name and moves it into place once it is safe on the disk.

    Args:
        path: the chunk's file.
        summary: kept in its header.
        tables: columns by table and name.
        more: further arrays by name.
    """
    arrays = dict(more)
    for table, columns in tables.items():
        for name, column in columns.items():
            if isinstance(column, Ragged):
                arrays[f"{table}/{name}/lengths"], arrays[f"{table}/{name}/values"] = column
            else:
                arrays[f"{table}/{name}"] = column
    places, offset, checksum = {}, 0, 0
    for name, values in arrays.items():
        arrays[name] = values = np.ascontiguousarray(values)
        places[name] = _ArrayPlace(values.dtype.str, values.shape, offset)
        checksum = zlib.crc32(values.data.cast("B") if values.size else b"", checksum)
        offset += values.nbytes
    header = msgspec.msgpack.encode(_Header(summary, places, checksum))
    # The name tells writers apart: one whose parent was killed may still be at work.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as stream:
        stream.write(_START.pack(len(header), zlib.crc32(header)))
        stream.write(header)
        for values in arrays.values():
            stream.write(values.data.cast("B") if values.size else b"")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(path)


def open_chunk(path: Path) -> ChunkFile:
    """Opens a chunk and reads its header.

    Raises:
        ChunkError: it is damaged.
    """
    with path.open("rb") as stream:
        start = stream.read(_START.size)
        length, expected = _START.unpack(start) if len(start) == _START.size else (0, 1)
        data = stream.read(length) if length < path.stat().st_size else b""
        if zlib.crc32(data) != expected:
            raise ChunkError(path.name)
        header = msgspec.msgpack.decode(data, type=_Header)
        checksum = 0
        while block := stream.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    if checksum != header.checksum:
        raise ChunkError(path.name)
    return ChunkFile(path, header.summary, header.arrays, _START.size + length)
