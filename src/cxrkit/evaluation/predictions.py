"""The prediction tables on disk: their columns, and writing and reading them with checks.

Parquet with a checksum on every page; the file's metadata key `cxrkit` holds JSON that says what was
predicted, by which checkpoint, on which data.
"""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cxrkit.errors import ArtifactError
from cxrkit.inference.explanation_columns import OPTIONAL_COLUMNS
from cxrkit.inference.schema import METADATA_KEY, SCHEMA_VERSION, TASKS, Task, schema_of
from cxrkit.reporting import write_atomically

PREDICTIONS_FILE = "predictions.parquet"
GRAPHS_FILE = "graph_predictions.parquet"
CONSISTENCY_FILE = "consistency_predictions.parquet"
# What the metadata of each task must hold beside version and task.
_METADATA_KINDS: dict[str, dict[str, type]] = {
    "vqa": {"split": str},
    "classify": {"split": str, "thresholds": dict, "label_policy": str},
    "vqa_graph": {"entities": list},
    "vqa_consistency": {},
}


def read_metadata(table: pa.Table) -> dict[str, Any]:
    """Gives what the table says about itself.

    Raises:
        ArtifactError: there is no such metadata, or it is of another schema version or an unknown task.
    """
    raw = (table.schema.metadata or {}).get(METADATA_KEY)
    if raw is None:
        raise ArtifactError(
            "the prediction table does not say what was predicted",
            expected="Parquet metadata with the key `cxrkit`",
            found="no such key",
            next_step="make the file with `cxrkit evaluate`",
        )
    metadata = _parsed(raw)
    version, task = metadata.get("schema_version"), metadata.get("task")
    if version != SCHEMA_VERSION or task not in TASKS:
        raise ArtifactError(
            "the prediction table is of a kind that this version cannot read",
            expected=f"schema_version {SCHEMA_VERSION}, task {', '.join(TASKS)}",
            found=f"schema_version {version}, task {task}",
            next_step="make it again with `cxrkit evaluate`, or use the cxrkit version that wrote it",
        )
    for name, kind in _METADATA_KINDS[task].items():
        if not isinstance(metadata.get(name), kind):
            raise _damaged_metadata(f"{name} of the kind {kind.__name__}", repr(metadata.get(name)))
    return metadata


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        content = json.loads(raw)
    except ValueError as error:
        raise _damaged_metadata("JSON", str(error)) from error
    if not isinstance(content, dict):
        raise _damaged_metadata("a JSON object", type(content).__name__)
    return content


def _damaged_metadata(expected: str, found: str) -> ArtifactError:
    return ArtifactError(
        "what the prediction table says about itself is damaged",
        expected=expected,
        found=found,
        next_step="make it again with `cxrkit evaluate`",
    )


def conform(table: pa.Table, task: Task) -> pa.Table:
    """Gives the table with the columns of its task first, in order and type; further columns follow.

    Raises:
        ArtifactError: a column is missing, has another type, or has nulls; all such columns are named.
    """
    metadata = read_metadata(table)
    if metadata["task"] != task:
        raise ArtifactError(
            "the table holds predictions of another task",
            expected=f"task {task}",
            found=f"task {metadata['task']}",
        )
    schema = schema_of(metadata)
    mistakes: list[str] = []
    columns: dict[str, Any] = {}
    for field in schema:
        if field.name not in table.column_names:
            mistakes.append(f"{field.name}: missing")
            continue
        column = table.column(field.name)
        if column.null_count:
            mistakes.append(f"{field.name}: {column.null_count} nulls")
        if _is_coded(column.type, field.type):
            columns[field.name] = column
            continue
        try:
            columns[field.name] = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            mistakes.append(f"{field.name}: {column.type} is not {field.type}")
    if task == "vqa":
        _cast_optional(table, columns, mistakes)
    if mistakes:
        raise ArtifactError(
            f"the prediction table does not have the columns of task {task}",
            expected=", ".join(schema.names),
            found="\n".join(mistakes),
            next_step="make it again with `cxrkit evaluate`",
        )
    columns |= {name: table.column(name) for name in table.column_names if name not in columns}
    return pa.table(columns).replace_schema_metadata(table.schema.metadata)


def _is_coded(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Tells whether a column holds each different text once, and numbers in its rows."""
    return isinstance(found, pa.DictionaryType) and found.value_type == wanted


def _cast_optional(table: pa.Table, columns: dict[str, Any], mistakes: list[str]) -> None:
    """Adds the optional columns that are there; Parquet renames the elements of lists, a cast undoes it."""
    for name, kind in OPTIONAL_COLUMNS:
        if name not in table.column_names:
            continue
        try:
            columns[name] = table.column(name).cast(kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            mistakes.append(f"{name}: {table.column(name).type} is not {kind}")


def write_predictions(table: pa.Table, path: Path) -> None:
    """Writes a prediction table whole or not at all, with a checksum on every page.

    Raises:
        ArtifactError: its metadata or columns are not those of a prediction table.
    """
    checked = conform(table, read_metadata(table)["task"])
    stream = BytesIO()
    pq.write_table(checked, stream, compression="zstd", write_page_checksum=True)
    write_atomically(path, stream.getvalue())


def read_predictions(path: Path, task: Task | None = None, *, coded: bool = False) -> pa.Table:
    """Reads a prediction table and verifies checksums, version and columns.

    Args:
        path: the Parquet file.
        task: the task it must be of; any when None.
        coded: keep each different text once, and numbers in the rows: half the memory.

    Raises:
        ArtifactError: the file is missing, damaged, of another version or task, or lacks a column.
    """
    try:
        texts = _text_columns(path) if coded else []
        table = pq.read_table(path, page_checksum_verification=True, read_dictionary=texts)
    except FileNotFoundError as error:
        raise ArtifactError(
            f"no predictions in {path.parent}",
            expected=path.name,
            found="no such file",
            next_step="make it with `cxrkit evaluate`",
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read",
            expected="a whole Parquet file whose page checksums fit",
            found=str(error),
            next_step="make it again with `cxrkit evaluate`",
        ) from error
    found = read_metadata(table)["task"]
    if task is not None and found != task:
        raise ArtifactError(
            f"{path} holds predictions of another task", expected=f"task {task}", found=f"task {found}"
        )
    return conform(table, found)


def _text_columns(path: Path) -> list[str]:
    return [field.name for field in pq.read_schema(path) if pa.types.is_string(field.type)]
