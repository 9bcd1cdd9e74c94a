"""Columns of the prediction tables, and what a table says about itself."""

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from cxrkit.version import __version__
from cxrkit.vocabulary import FINDINGS, REGIONS

Task: TypeAlias = Literal["vqa", "classify", "vqa_graph", "vqa_consistency"]

SCHEMA_VERSION = 5
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
    ("polarity", pa.int8()),
    ("view", pa.string()),
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
    ("node_scores", pa.list_(pa.float32())),
    ("nodes_reference", pa.list_(pa.int8())),
)
_CLASSIFY_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("condition", pa.string()),
    ("subject_id", pa.int32()),
    ("study_id", pa.int32()),
    ("split", pa.string()),
    ("dicom_ids", pa.list_(pa.string())),
    ("views", pa.list_(pa.string())),
    ("labels", _PER_FINDING),
    ("has_radiologist_labels", pa.bool_()),
    ("radiologist_labels", _PER_FINDING),
    ("probabilities", _PER_FINDING),
)
VQA_SCHEMA = pa.schema(_VQA_COLUMNS)
CLASSIFY_SCHEMA = pa.schema(_CLASSIFY_COLUMNS)
# Probabilities of yes about the film and its 26 regions; NaN where training questions name no such region.
_PER_PLACE: pa.DataType = pa.list_(pa.float32(), 1 + len(REGIONS))
CONSISTENCY_SCHEMA = pa.schema(
    (
        ("subject_id", pa.int32()),
        ("study_id", pa.int32()),
        ("dicom_id", pa.string()),
        ("is_abnormal", _PER_PLACE),
        ("is_normal", _PER_PLACE),
        ("is_abnormal_mirrored", _PER_PLACE),
    )
)
TASKS: tuple[Task, ...] = ("vqa", "classify", "vqa_graph", "vqa_consistency")


def graph_schema(entities: int) -> pa.Schema:
    """Gives the columns of the table of predicted scene graphs.

    Per film: boxes of the 26 regions in original pixels (26 x 4 numbers; zeros where the reference has none),
    presence of each, and the probability of each entity in each region (26 x entities numbers, region by
    region); `findings_reference` are positions in that list.

    Args:
        entities: number of finding entities.
    """
    regions = len(REGIONS)
    return pa.schema(
        (
            ("condition", pa.string()),
            ("subject_id", pa.int32()),
            ("study_id", pa.int32()),
            ("dicom_id", pa.string()),
            ("has_graph_reference", pa.bool_()),
            ("boxes_reference", pa.list_(pa.float32(), 4 * regions)),
            ("has_box_reference", pa.list_(pa.bool_(), regions)),
            ("findings_reference", pa.list_(pa.int32())),
            ("boxes_predicted", pa.list_(pa.float32(), 4 * regions)),
            ("presence_probabilities", pa.list_(pa.float32(), regions)),
            ("finding_probabilities", pa.list_(pa.float32(), regions * entities)),
        )
    )


def schema_of(metadata: Mapping[str, Any]) -> pa.Schema:
    """Gives the columns of the table that some metadata belongs to."""
    if metadata["task"] == "vqa_graph":
        return graph_schema(len(metadata["entities"]))
    return {"vqa": VQA_SCHEMA, "classify": CLASSIFY_SCHEMA, "vqa_consistency": CONSISTENCY_SCHEMA}[
        metadata["task"]
    ]


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
