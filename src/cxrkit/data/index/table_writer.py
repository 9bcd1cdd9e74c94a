"""Arrow IPC files written in batches: rows are held only until the next flush."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from cxrkit.data.index.schemas import table_schema


class TableWriter:
    """Writes one table of the index.

    Args:
        folder: where `<table>.arrow` goes.
        table: a key of the schemas.
    """

    def __init__(self, folder: Path, table: str) -> None:
        self.schema = table_schema(table)
        self.written = 0
        self._rows: list[Sequence[Any]] = []
        self._sink = pa.OSFile(str(folder / f"{table}.arrow"), "wb")
        self._writer = pa.ipc.new_file(self._sink, self.schema)

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._writer.close()
            self._sink.close()

    def __len__(self) -> int:
        return self.written + len(self._rows)

    def add(self, row: Sequence[Any]) -> None:
        """Takes one row, values in the order of the schema."""
        self._rows.append(row)

    def flush(self) -> None:
        """Writes the held rows as one record batch."""
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self.schema, strict=True)]
        self.write(pa.record_batch(arrays, schema=self.schema))
        self._rows = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Writes a ready batch."""
        self._writer.write_batch(batch)
        self.written += batch.num_rows


class TextTable:
    """Every text once; its number is the row in `texts`.

    Args:
        writer: of the table `texts`.
    """

    def __init__(self, writer: TableWriter) -> None:
        self._writer = writer
        self._row: dict[str, int] = {}

    def row(self, text: str) -> int:
        """Gives the row of a text, adding it when it is new."""
        row = self._row.get(text)
        if row is None:
            row = self._row[text] = len(self._row)
            self._writer.add((text,))
        return row
