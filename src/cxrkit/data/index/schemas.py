"""Columns of the index's tables; `docs/index_format.md` says what they mean."""

import json

import pyarrow as pa

from cxrkit.vocabulary import FINDINGS

SCHEMA_VERSION = 2
# From this localization quality on a box is one of the region itself, not of a part or a guess.
MINIMUM_BOX_QUALITY = 3
LABEL_SOURCES = ("chexpert", "negbio", "radiologist")
_LABELS = pa.list_(pa.float32(), len(FINDINGS))
_I8, _I16, _I32, _I64 = pa.int8(), pa.int16(), pa.int32(), pa.int64()
_F32, _TEXT = pa.float32(), pa.string()
# 64-bit offsets: the texts of the whole data set are larger than 2 GiB would allow.
_LONG_TEXT = pa.large_string()
# One byte, 0 or 1: Arrow packs its own flags into bits, which cannot be read in place as an array.
FLAG = pa.uint8()

_CORNERS: list[tuple[str, pa.DataType]] = [("x1", _F32), ("y1", _F32), ("x2", _F32), ("y2", _F32)]
_BOX_QUALITY: list[tuple[str, pa.DataType]] = [("is_fallback", FLAG), ("localization_quality", _I8)]

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
        ("has_questions", FLAG),
        ("has_scene_graph", FLAG),
        *((f"has_{name}", FLAG) for name in LABEL_SOURCES),
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
        ("category_valid", FLAG),
        ("region_target", _I32),
        ("region_valid", FLAG),
        ("node_target", _I32),
        ("node_valid", FLAG),
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
        ("obs_id", _LONG_TEXT),
        ("parent", _I32),
        ("child_level", _I8),
        ("entities", pa.large_list(_I16)),
        ("regions", pa.large_list(_I16)),
        ("finding_bits", _I32),
        ("node_bits", _I32),
        ("positiveness", _I8),
        ("severity", _I8),
        ("from_report", FLAG),
    ],
    "texts": [("text", _LONG_TEXT)],
}
TABLES: tuple[str, ...] = tuple(_COLUMNS)


def table_schema(table: str) -> pa.Schema:
    """Gives the Arrow schema of a table, its name and the schema version in the metadata."""
    mark = json.dumps({"schema_version": SCHEMA_VERSION, "table": table}, sort_keys=True)
    return pa.schema(_COLUMNS[table], metadata={"cxrkit": mark})
