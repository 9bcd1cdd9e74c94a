"""Columns of `transfer_predictions.parquet`."""

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from cxrkit.inference.schema import METADATA_KEY
from cxrkit.version import __version__

EXTERNAL_VERSION = 1
EXTERNAL_SCHEMA = pa.schema(
    (
        pa.field("condition", pa.string(), nullable=False),
        pa.field("question_id", pa.string(), nullable=False),
        pa.field("image_name", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("question_type", pa.string(), nullable=False),
        pa.field("head", pa.string(), nullable=False),
        pa.field("answer_reference", pa.string(), nullable=False),
        pa.field("answer_predicted", pa.string(), nullable=False),
        pa.field("sentence_predicted", pa.string(), nullable=False),
        # Of yes/no questions alone.
        pa.field("probability_yes", pa.float32()),
    )
)


def with_external_metadata(table: pa.Table, metadata: Mapping[str, Any]) -> pa.Table:
    """Gives the table with what is said about it, as JSON."""
    content = {"transfer_version": EXTERNAL_VERSION, "cxrkit_version": __version__, **metadata}
    return table.replace_schema_metadata({METADATA_KEY: json.dumps(content, sort_keys=True).encode()})
