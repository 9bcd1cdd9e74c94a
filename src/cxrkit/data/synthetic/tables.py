"""The seven metadata tables of MIMIC-Ext-CXR-QBA, as `.csv.gz` and as parquet in pandas' manner.

In the parquet files the ID columns form the index: they come last, and pandas' metadata says so. pandas
itself is not needed. Rows are handed over in chunks, so that a set of any size is written in little memory.
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cxrkit.data.synthetic.csv_files import GzipText, csv_text

Row = tuple[Any, ...]
_TEXT, _INTEGER, _NUMBER, _TRUTH = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_PANDAS_TYPES = {
    _TEXT: ("unicode", "object"),
    _INTEGER: ("int64", "int64"),
    _NUMBER: ("float64", "float64"),
    _TRUTH: ("bool", "bool"),
    pa.list_(_INTEGER): ("list[int64]", "object"),
}
_PANDAS_VERSION = "2.2.3"  # the metadata's format is that of this version


@dataclass(frozen=True)
class Table:
    """Columns of one table: ID columns, then value columns with their types, in the order of the CSV."""

    ids: tuple[tuple[str, pa.DataType], ...]
    values: tuple[tuple[str, pa.DataType], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """All column names in the order of the CSV and of the rows."""
        return tuple(name for name, _ in (*self.ids, *self.values))

    @property
    def schema(self) -> pa.Schema:
        """The parquet schema: values first, ID columns last, with pandas' metadata."""
        fields = [pa.field(name, kind) for name, kind in (*self.values, *self.ids)]
        return pa.schema(fields, metadata={b"pandas": json.dumps(self._pandas_metadata()).encode()})

    def _pandas_metadata(self) -> dict[str, Any]:
        columns = [
            {
                "name": name,
                "field_name": name,
                "pandas_type": _PANDAS_TYPES[kind][0],
                "numpy_type": _PANDAS_TYPES[kind][1],
                "metadata": None,
            }
            for name, kind in (*self.values, *self.ids)
        ]
        header = {
            "name": None,
            "field_name": None,
            "pandas_type": "unicode",
            "numpy_type": "object",
            "metadata": {"encoding": "UTF-8"},
        }
        return {
            "index_columns": [name for name, _ in self.ids],
            "column_indexes": [header],
            "columns": columns,
            "attributes": {},
            "creator": {"library": "pyarrow", "version": pa.__version__},
            "pandas_version": _PANDAS_VERSION,
        }


_PATIENT = (("patient_id", _TEXT),)
_STUDY = (*_PATIENT, ("study_id", _TEXT))
_QUESTION = (*_STUDY, ("question_id", _TEXT))
_ANSWER = (*_QUESTION, ("answer_id", _INTEGER))
_IMAGE_ID = ("image_id", _TEXT)
TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "patient_metadata": Table(
            _PATIENT,
            (
                ("split", _TEXT),
                ("patient.total_studies", _INTEGER),
                ("patient.total_study_timespan", _NUMBER),
            ),
        ),
        "study_metadata": Table(
            _STUDY,
            (
                ("study.procedure", _TEXT),
                ("study.num_images", _INTEGER),
                ("study.num_observations", _INTEGER),
                ("study.timestamp_since_first", _NUMBER),
                ("study.timespan_since_prev", _NUMBER),
                ("study.quality.extraction_rating", _TEXT),
            ),
        ),
        "image_metadata": Table(
            (*_STUDY, _IMAGE_ID),
            (
                ("img.view_position", _TEXT),
                ("img.patient_orientation", _TEXT),
                ("img.size", pa.list_(_INTEGER)),
                ("img.localization_quality", _INTEGER),
            ),
        ),
        "question_metadata": Table(
            _QUESTION,
            (
                ("question.question_type", _TEXT),
                ("question.question_strategy", _TEXT),
                ("question.contains_report_answers", _TRUTH),
                ("question.contains_template_answers", _TRUTH),
                ("question.num_answers", _INTEGER),
                ("question.quality.rating", _TEXT),
            ),
        ),
        "question_image_metadata": Table(
            (*_QUESTION, _IMAGE_ID), (("question_img.localization_quality", _INTEGER),)
        ),
        "answer_metadata": Table(
            _ANSWER,
            (
                ("answer.answer_type", _TEXT),
                ("answer.answer_level", _INTEGER),
                ("answer.positiveness", _TEXT),
                ("answer.from_report", _TRUTH),
                ("answer.quality.rating", _TEXT),
            ),
        ),
        "answer_image_metadata": Table(
            (*_ANSWER, _IMAGE_ID),
            (
                ("answer_img.is_localization_missing", _TRUTH),
                ("answer_img.num_regions", _INTEGER),
                ("answer_img.has_bboxes", _TRUTH),
                ("answer_img.has_masks", _TRUTH),
                ("answer_img.quality.localization_quality", _INTEGER),
            ),
        ),
    }
)


@dataclass(frozen=True)
class TableChunk:
    """Some rows of a table in both forms; made by workers, written by the one writer."""

    csv: str
    batch: pa.RecordBatch


def make_chunk(name: str, rows: list[Row]) -> TableChunk:
    """Gives rows (ID columns first) of a table in both forms."""
    table = TABLES[name]
    columns = dict(
        zip(table.names, zip(*rows, strict=True) if rows else [()] * len(table.names), strict=True)
    )
    arrays = [pa.array(columns[column.name], column.type) for column in table.schema]
    return TableChunk(csv_text(rows), pa.RecordBatch.from_arrays(arrays, schema=table.schema))


class TableFiles:
    """Writes the seven tables below a folder, chunk by chunk; a context manager."""

    _ROWS_PER_GROUP = 100_000

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._csv: dict[str, GzipText] = {}
        self._parquet: dict[str, pq.ParquetWriter] = {}
        self._waiting: dict[str, list[pa.RecordBatch]] = {name: [] for name in TABLES}

    def __enter__(self) -> "TableFiles":
        """Opens the files and writes the headers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for name, table in TABLES.items():
            self._csv[name] = self._stack.enter_context(GzipText(self._folder / f"{name}.csv.gz"))
            self._csv[name].write(csv_text([table.names]))
            writer = pq.ParquetWriter(self._folder / f"{name}.parquet", table.schema)
            self._parquet[name] = self._stack.enter_context(writer)
        return self

    def add(self, name: str, chunk: TableChunk) -> None:
        """Adds rows to a table."""
        self._csv[name].write(chunk.csv)
        waiting = self._waiting[name]
        waiting.append(chunk.batch)
        if sum(batch.num_rows for batch in waiting) >= self._ROWS_PER_GROUP:
            self._flush(name)

    def _flush(self, name: str) -> None:
        if self._waiting[name]:
            self._parquet[name].write_table(pa.Table.from_batches(self._waiting[name]).combine_chunks())
            self._waiting[name] = []

    def __exit__(self, *error: object) -> None:
        """Writes what waits and closes the files."""
        with self._stack:
            for name in TABLES:
                self._flush(name)
