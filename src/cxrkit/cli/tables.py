"""The summaries that commands print, as aligned tables."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

SPLIT_COLUMNS = ("train", "validate", "test", "total")
COUNTED = ("patients", "studies", "images", "questions")


def counts_table(counts: Mapping[str, object]) -> Table:
    """Gives one row per counted thing; a column per split where counts are by split."""
    table = Table(box=box.SIMPLE)
    by_split = any(isinstance(value, Mapping) for value in counts.values())
    columns = SPLIT_COLUMNS if by_split else ("total",)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, value in counts.items():
        cells = value if isinstance(value, Mapping) else {"total": value}
        table.add_row(name.replace("_", " "), *(_number(cells.get(column)) for column in columns))
    return table


def synthetic_table(counts: Mapping[str, int]) -> Table:
    """Gives what was written; counts such as `studies train` become the row and the column they name."""
    rows: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        thing, _, split = name.rpartition(" ")
        if split in SPLIT_COLUMNS:
            rows.setdefault(thing, {})[split] = count
        else:
            rows.setdefault(name, {})["total"] = count
    return counts_table(rows)


def prepared_table(counts: Mapping[str, object]) -> Table:
    """Gives patients, studies, images and questions by split."""
    return counts_table({name: counts[name] for name in COUNTED if name in counts})


def rejects_table(rejects: Mapping[str, int]) -> Table:
    """Gives what was skipped, by reason code, most frequent first."""
    table = Table(box=box.SIMPLE)
    table.add_column("skipped because")
    table.add_column("count", justify="right")
    for code, count in sorted(rejects.items(), key=lambda entry: (-entry[1], entry[0])):
        table.add_row(code, f"{count:,}")
    return table


def rows_table(rows: Sequence[Mapping[str, object]]) -> Table:
    """Gives a table of rows that share their columns; numbers to the right."""
    table = Table(box=box.SIMPLE)
    columns = list(rows[0]) if rows else []
    for column in columns:
        numeric = any(isinstance(row.get(column), int | float) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_number(row.get(column)) for column in columns))
    return table


def headline_table(rows: Sequence[Sequence[str]]) -> Table:
    """Gives each figure of an evaluation beside its controls."""
    from cxrkit.evaluation.headline import HEADLINE_COLUMNS

    table = Table(box=box.SIMPLE)
    for place, column in enumerate(HEADLINE_COLUMNS):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table


def seconds_table(seconds: Mapping[str, float]) -> Table:
    """Gives how long each stage took, and all together."""
    table = Table(box=box.SIMPLE)
    table.add_column("stage")
    table.add_column("seconds", justify="right")
    for stage, count in {**seconds, "together": sum(seconds.values())}.items():
        table.add_row(stage, f"{count:.0f}")
    return table


def _number(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
