"""`transfer_predictions.parquet`: reading with checks."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cxrkit.errors import ArtifactError
from cxrkit.inference.external_schema import EXTERNAL_SCHEMA, EXTERNAL_VERSION
from cxrkit.inference.schema import METADATA_KEY
from cxrkit.reporting import write_atomically


def read_external_metadata(table: pa.Table) -> dict[str, Any]:
    """Gives what a table of external answers says about itself.

    Raises:
        ArtifactError: it is not such a table, or lacks a column.
    """
    raw = (table.schema.metadata or {}).get(METADATA_KEY)
    try:
        content = {} if raw is None else json.loads(raw)
    except ValueError:
        content = {}
    metadata: dict[str, Any] = content if isinstance(content, dict) else {}
    missing = [name for name in EXTERNAL_SCHEMA.names if name not in table.column_names]
    version = metadata.get("transfer_version")
    if version != EXTERNAL_VERSION or missing:
        raise ArtifactError(
            "the table holds no answers to an external question set",
            expected=f"transfer_version {EXTERNAL_VERSION}, columns {', '.join(EXTERNAL_SCHEMA.names)}",
            found=f"transfer_version {version}; missing: {', '.join(missing) or 'none'}",
            next_step="make it with `cxrkit transfer`",
        )
    return metadata


def write_external(table: pa.Table, path: Path) -> None:
    """Writes a table whole or not at all."""
    stream = BytesIO()
    pq.write_table(table, stream, compression="zstd", write_page_checksum=True)
    write_atomically(path, stream.getvalue())


def read_external(path: Path) -> pa.Table:
    """Reads a table.

    Raises:
        ArtifactError: it is missing or damaged.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read", expected="a whole Parquet file", found=str(error)
        ) from error
    read_external_metadata(table)
    return table
