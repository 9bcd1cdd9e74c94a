"""Columns of the prediction tables, and what a table says about itself."""

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from cxrkit.version import __version__
from cxrkit.vocabulary import FINDINGS

Task: TypeAlias = Literal["vqa", "classify"]

SCHEMA_VERSION = 1
METADATA_KEY = b"cxrkit"

_BOXES: pa.DataType = pa.list_(pa.list_(pa.float32()))
_PER_FINDING: pa.DataType = pa.list_(pa.float32(), len(FINDINGS))
_VQA_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("condition", pa.string()),
    ("question_row", pa.int64()),
    ("subject_id", pa.int32()),
    ("study_id", pa.int32()),
    ("dicom_id", pa.string()),
    ("question_id", pa.string()),
    ("question_type", pa.string()),
    ("head", pa.string()),
    ("rating", pa.int8()),
    ("question", pa.string()),
    ("answer_reference", pa.string()),
    ("answer_predicted", pa.string()),
    ("classes_reference", pa.list_(pa.int8())),
    ("classes_predicted", pa.list_(pa.int8())),
    ("probabilities", pa.list_(pa.float32())),
    ("boxes_reference", _BOXES),
    ("has_boxes_reference", pa.bool_()),
    ("boxes_predicted", _BOXES),
    ("box_scores", pa.list_(pa.float32())),
)
_CLASSIFY_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("condition", pa.string()),
    ("subject_id", pa.int32()),
    ("study_id", pa.int32()),
    ("split", pa.string()),
    ("dicom_ids", pa.list_(pa.string())),
    ("labels", _PER_FINDING),
    ("probabilities", _PER_FINDING),
)
VQA_SCHEMA = pa.schema(_VQA_COLUMNS)
CLASSIFY_SCHEMA = pa.schema(_CLASSIFY_COLUMNS)
SCHEMA_OF_TASK: dict[Task, pa.Schema] = {"vqa": VQA_SCHEMA, "classify": CLASSIFY_SCHEMA}


def with_metadata(table: pa.Table, metadata: Mapping[str, Any]) -> pa.Table:
    """Gives the table with what is said about it.

    Args:
        table: a prediction table.
        metadata: JSON values; `schema_version` and `cxrkit_version` are added, `task` is needed.
    """
    content = json.dumps(
        {"schema_version": SCHEMA_VERSION, "cxrkit_version": __version__, **metadata}, sort_keys=True
    )
    return table.replace_schema_metadata({METADATA_KEY: content.encode()})
