"""Arrow IPC files with a single batch, written piece by piece in any order of columns.

One batch means that every column is one contiguous array on the disk: it can be memory-mapped and read in
place, however many rows there are. Arrow's own writer needs such a batch in memory; here it writes the file
with empty (sparse) columns of the right length, and the values are then put in their places.
"""

import io
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.data.index.schemas import table_schema

Array = npt.NDArray[Any]
_SPARSE_BYTES = 1 << 16


class ColumnFile:
    """One table of the index, its columns to be filled in.

    Args:
        folder: where `<table>.arrow` goes.
        table: a key of the schemas.
        rows: number of rows.
        values: number of values of each ragged column (items of lists, bytes of texts).
    """

    def __init__(self, folder: Path, table: str, rows: int, values: dict[str, int] | None = None) -> None:
        self._path = folder / f"{table}.arrow"
        self._schema = table_schema(table)
        self._filled: dict[str, tuple[int, int]] = dict.fromkeys(self._schema.names, (0, 0))
        _write_empty(self._path, self._schema, rows, values or {})
        self._places = _buffer_places(self._path, self._schema) if rows else {}
        self._stream = self._path.open("r+b")

    def __enter__(self) -> "ColumnFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
        self._stream.close()

    def append(self, name: str, values: Array) -> None:
        """Puts the next rows of a fixed-width column in their place, converted to its type."""
        rows, _ = self._filled[name]
        kind = self._schema.field(name).type
        self._put(self._places.get(name), rows, values.astype(kind.to_pandas_dtype(), copy=False))
        self._filled[name] = (rows + len(values), 0)

    def append_ragged(self, name: str, lengths: Array, values: Array) -> None:
        """Puts the next rows of a column of lists or texts in their place."""
        rows, items = self._filled[name]
        ends = items + np.cumsum(lengths, dtype=np.int64)
        # The first offset is the zero that is there already.
        self._put(self._places.get(f"{name}/offsets"), rows + 1, ends)
        self._put(self._places.get(name), items, values)
        self._filled[name] = (rows + len(lengths), items + len(values))

    def _put(self, place: int | None, start: int, values: Array) -> None:
        if place is not None and len(values):
            self._stream.seek(place + start * values.itemsize)
            self._stream.write(np.ascontiguousarray(values).data.cast("B"))


def _write_empty(path: Path, schema: pa.Schema, rows: int, values: dict[str, int]) -> None:
    arrays = [_empty_array(field.type, rows, values.get(field.name, 0)) for field in schema] if rows else []
    with path.open("wb") as stream, pa.ipc.new_file(_SparseFile(stream), schema) as writer:
        if arrays:
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _empty_array(kind: pa.DataType, rows: int, values: int) -> "pa.Array[Any]":
    if pa.types.is_large_string(kind):
        return pa.Array.from_buffers(kind, rows, [None, _offsets(rows, values), _zeros(values)])
    if pa.types.is_large_list(kind):
        items = _empty_array(kind.value_type, values, 0)
        return pa.Array.from_buffers(kind, rows, [None, _offsets(rows, values)], children=[items])
    return pa.Array.from_buffers(kind, rows, [None, _zeros(rows * kind.bit_width // 8)])


def _zeros(count: int) -> pa.Buffer:
    # Pages of such a map that are only read take no memory.
    return pa.py_buffer(mmap.mmap(-1, max(count, 1)))[:count] if count else pa.py_buffer(b"")


def _offsets(rows: int, values: int) -> pa.Buffer:
    offsets = mmap.mmap(-1, (rows + 1) * 8)
    # Arrow writes as many values as the last offset says.
    offsets[-8:] = values.to_bytes(8, "little")
    return pa.py_buffer(offsets)


class _SparseFile(io.RawIOBase):
    """Passes writes on, but leaves a hole for long runs of zeros, which are all columns' values."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        size = view.nbytes
        if size < _SPARSE_BYTES:
            return self._stream.write(view)
        # The last bytes may be an offset; they are written as they are.
        self._stream.seek(size - 8, os.SEEK_CUR)
        self._stream.write(view[size - 8 :])
        return size

    def tell(self) -> int:
        return self._stream.tell()


def _buffer_places(path: Path, schema: pa.Schema) -> dict[str, int]:
    """Gives where the values of each column start in the file, and the offsets of ragged ones."""
    with pa.memory_map(str(path), "r") as source:
        base = source.read_buffer().address
        source.seek(0)
        batch = pa.ipc.open_file(source).get_batch(0)
        places: dict[str, int] = {}
        for field, column in zip(schema, batch.columns, strict=True):
            buffers = [None if buffer is None else buffer.address - base for buffer in column.buffers()]
            places[field.name] = _known(buffers[-1])
            if pa.types.is_large_list(field.type) or pa.types.is_large_string(field.type):
                places[f"{field.name}/offsets"] = _known(buffers[1])
        return places


def _known(place: int | None) -> int:
    return 0 if place is None else place
