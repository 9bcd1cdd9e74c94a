"""Joins the finished chunks to the tables of the index, one chunk in memory at a time."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.index.chunk_columns import Ragged
from cxrkit.data.index.chunk_file import ChunkFile
from cxrkit.data.index.column_file import ColumnFile
from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.schemas import table_schema
from cxrkit.data.index.text_join import TextNumbers
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.rejects import RejectLog

Array = npt.NDArray[Any]
JOINED = ("questions", "answer_boxes", "region_boxes", "observations")
_RAGGED = {"observations": ("obs_id", "entities", "regions"), "texts": ("text",)}
_TEXT_COLUMNS = ("question_id_text", "question_text", "answer_text")
# Columns that hold numbers of a vocabulary.
_NAME_COLUMNS = {
    ("region_boxes", "region"): "regions",
    ("observations", "entities"): "entities",
    ("observations", "regions"): "regions",
}
# Columns that hold rows of another table, counted from the start of the chunk.
_ROW_COLUMNS = {("questions", "first_box"): "answer_boxes", ("answer_boxes", "question_row"): "questions"}


class ChunkJoin:
    """Joins chunks in their order.

    Args:
        folder: for the tables' files.
        chunks: all chunks, in order.
        names: the listed vocabularies; names that only the files have are appended.
        counts: takes the chunks' counts.
        rejects: takes the chunks' rejects.
    """

    def __init__(
        self,
        folder: Path,
        chunks: Sequence[ChunkFile],
        names: dict[str, NameTable],
        counts: IndexCounts,
        rejects: RejectLog,
    ) -> None:
        self._folder = folder
        self._chunks = chunks
        self._texts = TextNumbers([chunk.array("digests") for chunk in chunks])
        self._starts = _starts(chunks)
        listed = {kind: len(table.number) for kind, table in names.items()}
        self._name_numbers = [_name_numbers(chunk, names, listed) for chunk in chunks]
        for chunk in chunks:
            counts.add(IndexCounts.unpack(chunk.summary.counts))
            for reject in chunk.summary.rejects:
                rejects.add(reject)

    def write(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Writes `questions`, `answer_boxes`, `region_boxes`, `observations` and `texts`.

        Args:
            progress: called with (chunks done, chunks).
        """
        with ExitStack() as stack:
            files = {table: stack.enter_context(self._open(table)) for table in JOINED}
            texts = stack.enter_context(self._open("texts"))
            for number, chunk in enumerate(self._chunks):
                for table, file in files.items():
                    self._append(file, table, number, chunk)
                self._append_texts(texts, number, chunk)
                if progress:
                    progress(number + 1, len(self._chunks))

    def study_columns(self) -> dict[str, Array]:
        """Gives the columns of `studies` that the chunks know."""
        rows = [row for chunk in self._chunks for row in chunk.summary.studies]
        values = np.array(rows, dtype=np.int64).reshape(-1, 5)
        columns: dict[str, Array] = {}
        for place, name in enumerate(("question", "region_box", "observation")):
            number = values[:, place]
            columns[f"first_{name}"] = np.cumsum(number) - number
            columns[f"num_{name}{'es' if name.endswith('x') else 's'}"] = number
        return columns | {"has_questions": values[:, 3], "has_scene_graph": values[:, 4]}

    def _open(self, table: str) -> ColumnFile:
        if table == "texts":
            return ColumnFile(self._folder, table, self._texts.total, {"text": self._text_bytes()})
        rows = sum(chunk.summary.rows[table] for chunk in self._chunks)
        values = {
            name: sum(chunk.arrays[f"{table}/{name}/values"].shape[0] for chunk in self._chunks)
            for name in _RAGGED.get(table, ())
        }
        return ColumnFile(self._folder, table, rows, values)

    def _text_bytes(self) -> int:
        return sum(
            int(chunk.array("texts/text/lengths")[self._texts.new_in_chunk(number)].sum(dtype=np.int64))
            for number, chunk in enumerate(self._chunks)
        )

    def _append(self, file: ColumnFile, table: str, number: int, chunk: ChunkFile) -> None:
        for name in table_schema(table).names:
            column = chunk.column(table, name)
            if isinstance(column, Ragged):
                file.append_ragged(name, column.lengths, self._joined(table, name, column.values, number))
            else:
                file.append(name, self._joined(table, name, column, number))

    def _joined(self, table: str, name: str, values: Array, number: int) -> Array:
        """Turns numbers that count inside the chunk into those of the joined tables."""
        if name in _TEXT_COLUMNS:
            return self._texts.of_chunk(number)[values]
        if (table, name) in _NAME_COLUMNS:
            return self._name_numbers[number][_NAME_COLUMNS[table, name]][values]
        if (table, name) in _ROW_COLUMNS:
            return values + self._starts[_ROW_COLUMNS[table, name]][number]
        return values

    def _append_texts(self, file: ColumnFile, number: int, chunk: ChunkFile) -> None:
        lengths, values = chunk.array("texts/text/lengths"), chunk.array("texts/text/values")
        new = self._texts.new_in_chunk(number)
        file.append_ragged("text", lengths[new], values[np.repeat(new, lengths)])


def _starts(chunks: Sequence[ChunkFile]) -> dict[str, list[int]]:
    starts: dict[str, list[int]] = {table: [] for table in JOINED}
    for table, rows in starts.items():
        total = 0
        for chunk in chunks:
            rows.append(total)
            total += chunk.summary.rows[table]
    return starts


def _name_numbers(chunk: ChunkFile, names: dict[str, NameTable], listed: dict[str, int]) -> dict[str, Array]:
    """Gives for each vocabulary the joined number of each of the chunk's numbers."""
    numbers: dict[str, Array] = {}
    for kind, table in names.items():
        appended = [table.find(name) for name in chunk.summary.appended[kind]]
        numbers[kind] = np.array([*range(listed[kind]), *appended], dtype=np.int16)
    return numbers
