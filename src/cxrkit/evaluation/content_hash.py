"""A hash of what a table says, whatever file it lay in: order of rows, chunks and encoding leave no trace."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_KEYS = ("condition", "question_row", "study_id", "dicom_id")


def content_hash(table: pa.Table) -> str:
    """Gives the SHA-256 of a prediction table's columns and metadata, as 64 hexadecimal digits.

    Args:
        table: whose rows are told apart by condition and question, study or film.
    """
    keys: list[tuple[str, Literal["ascending", "descending"]]] = [
        (name, "ascending") for name in _KEYS if name in table.column_names
    ]
    sorted_by = pa.table({name: _plain(table.column(name)) for name, _ in keys})
    order = pc.sort_indices(sorted_by, sort_keys=keys) if keys else None
    digest = hashlib.sha256()
    for key, value in sorted((table.schema.metadata or {}).items()):
        _add(digest, key, value)
    # Column by column: the whole table in another order would take as much memory again.
    for name in sorted(table.column_names):
        column = _plain(table.column(name))
        array: Any = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
        _add(digest, name.encode(), str(array.type).encode())
        _add_array(digest, array if order is None else array.take(order))
    return digest.hexdigest()


def hash_of_ids(ids: Sequence[object]) -> str:
    """Gives the SHA-256 of a set of ids, whatever their order."""
    digest = hashlib.sha256()
    for text in sorted({str(one) for one in ids}):
        _add(digest, text.encode())
    return digest.hexdigest()


def _add(digest: Any, *parts: bytes) -> None:
    for part in parts:
        # With its length, so that no two lists of parts run into the same bytes.
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)


def _plain(column: Any) -> Any:
    """Gives a column as its values: what a file says does not depend on how its texts are kept in memory."""
    coded = isinstance(column.type, pa.DictionaryType)
    return column.cast(column.type.value_type) if coded else column


def _add_array(digest: Any, array: Any) -> None:
    _add(digest, np.asarray(pc.is_null(array)).tobytes())
    if pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        _add(digest, np.asarray(lengths).astype(np.int64).tobytes())
        _add_array(digest, pc.list_flatten(array))
        return
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        filled = pc.fill_null(array, "")
        _add(digest, np.asarray(pc.binary_length(filled)).astype(np.int64).tobytes())
        _add(digest, "".join(filled.to_pylist()).encode())
        return
    filled = pc.fill_null(array, False if pa.types.is_boolean(array.type) else 0)
    _add(digest, np.ascontiguousarray(filled.to_numpy(zero_copy_only=False)).tobytes())
