"""Columns of one chunk of the index: fixed-width arrays, and ragged ones as lengths and values."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.data.index.schemas import table_schema

Array = npt.NDArray[Any]


class Ragged(NamedTuple):
    """A column of lists or texts: `lengths [rows]` int32 and `values [sum of lengths]`."""

    lengths: Array
    values: Array


Column = Array | Ragged
Columns = dict[str, Column]


def ragged(lists: Iterable[Sequence[int]], dtype: npt.DTypeLike) -> Ragged:
    """Gives a column of lists of numbers."""
    rows = list(lists)
    lengths = np.fromiter(map(len, rows), dtype=np.int32, count=len(rows))
    values = np.fromiter((value for row in rows for value in row), dtype=dtype, count=int(lengths.sum()))
    return Ragged(lengths, values)


def ragged_bytes(encoded: Sequence[bytes]) -> Ragged:
    """Gives a column of texts out of their UTF-8."""
    lengths = np.fromiter(map(len, encoded), dtype=np.int32, count=len(encoded))
    return Ragged(lengths, np.frombuffer(b"".join(encoded), dtype=np.uint8))


def columns_of_rows(table: str, rows: Sequence[Sequence[Any]]) -> Columns:
    """Gives the columns of a table from its rows, values in the order of the schema."""
    schema = table_schema(table)
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return {field.name: _column(field.type, values) for field, values in zip(schema, columns, strict=True)}


def _column(kind: pa.DataType, values: Sequence[Any]) -> Column:
    if pa.types.is_large_list(kind):
        return ragged(values, kind.value_type.to_pandas_dtype())
    if pa.types.is_large_string(kind):
        return ragged_bytes([text.encode() for text in values])
    return np.array(values, dtype=kind.to_pandas_dtype())
