"""Rows that become Arrow columns as they come: Python objects for millions of rows would fill the memory."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

ROWS_AT_A_TIME = 4096


class CollectedRows:
    """A growing table."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Any]] = defaultdict(list)
        self._number = 0
        self._tables: list[pa.Table] = []

    def add(self, row: Mapping[str, Any], schema: pa.Schema) -> None:
        """Adds a row; every row of a table has the same columns.

        Args:
            row: a value for each column.
            schema: of the table.
        """
        for name in schema.names:
            self._waiting[name].append(row[name])
        self._number += 1
        if self._number == ROWS_AT_A_TIME:
            self._settle(schema)

    def table(self, schema: pa.Schema) -> pa.Table:
        """Gives all rows."""
        self._settle(schema)
        return pa.concat_tables([schema.empty_table(), *self._tables])

    def _settle(self, schema: pa.Schema) -> None:
        if self._number:
            self._tables.append(pa.table(dict(self._waiting), schema=schema))
            self._waiting, self._number = defaultdict(list), 0
