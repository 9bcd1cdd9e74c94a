"""Columns of the index's tables; `docs/index_format.md` says what they mean."""

import json

import pyarrow as pa

from cxrkit.vocabulary import FINDINGS

SCHEMA_VERSION = 1
# From this localization quality on a box is one of the region itself, not of a part or a guess.
MINIMUM_BOX_QUALITY = 3
LABEL_SOURCES = ("chexpert", "negbio", "radiologist")
_LABELS = pa.list_(pa.float32(), len(FINDINGS))
_I8, _I16, _I32, _I64 = pa.int8(), pa.int16(), pa.int32(), pa.int64()
_F32, _BOOL, _TEXT = pa.float32(), pa.bool_(), pa.string()

_CORNERS: list[tuple[str, pa.DataType]] = [("x1", _F32), ("y1", _F32), ("x2", _F32), ("y2", _F32)]
_BOX_QUALITY: list[tuple[str, pa.DataType]] = [("is_fallback", _BOOL), ("localization_quality", _I8)]

_COLUMNS: dict[str, list[tuple[str, pa.DataType]]] = {
    "images": [
        ("dicom_id", _TEXT),
        ("subject_id", _I32),
        ("study_id", _I32),
        ("study_row", _I32),
        ("view", _I8),
        ("view_position", _TEXT),
        ("rows", _I32),
        ("columns", _I32),
        ("path", _TEXT),
    ],
    "studies": [
        ("subject_id", _I32),
        ("study_id", _I32),
        ("split", _I8),
        ("first_image", _I32),
        ("num_images", _I32),
        ("first_question", _I64),
        ("num_questions", _I32),
        ("first_region_box", _I64),
        ("num_region_boxes", _I32),
        ("first_observation", _I64),
        ("num_observations", _I32),
        ("has_questions", _BOOL),
        ("has_scene_graph", _BOOL),
        *((f"has_{name}", _BOOL) for name in LABEL_SOURCES),
        *((name, _LABELS) for name in LABEL_SOURCES),
    ],
    "questions": [
        ("study_row", _I32),
        ("question_id_text", _I32),
        ("question_type", _I8),
        ("rating", _I8),
        ("question_text", _I32),
        ("answer_text", _I32),
        ("head", _I8),
        ("polarity", _I8),
        ("binary_target", _I8),
        ("severity_target", _I8),
        ("category_target", _I32),
        ("category_valid", _BOOL),
        ("region_target", _I32),
        ("region_valid", _BOOL),
        ("node_target", _I32),
        ("node_valid", _BOOL),
        ("first_box", _I64),
        ("num_boxes", _I32),
    ],
    "answer_boxes": [("question_row", _I64), ("image_row", _I32), *_CORNERS, *_BOX_QUALITY],
    "region_boxes": [
        ("study_row", _I32),
        ("image_row", _I32),
        ("region", _I16),
        ("node", _I8),
        *_CORNERS,
        *_BOX_QUALITY,
    ],
    "observations": [
        ("study_row", _I32),
        ("obs_id", _TEXT),
        ("parent", _I32),
        ("child_level", _I8),
        ("entities", pa.list_(_I16)),
        ("regions", pa.list_(_I16)),
        ("finding_bits", _I32),
        ("node_bits", _I32),
        ("positiveness", _I8),
        ("severity", _I8),
        ("from_report", _BOOL),
    ],
    "texts": [("text", pa.large_string())],
}
TABLES: tuple[str, ...] = tuple(_COLUMNS)


def table_schema(table: str) -> pa.Schema:
    """Gives the Arrow schema of a table, its name and the schema version in the metadata."""
    mark = json.dumps({"schema_version": SCHEMA_VERSION, "table": table}, sort_keys=True)
    return pa.schema(_COLUMNS[table], metadata={"cxrkit": mark})
