"""The summaries that commands print, as aligned tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

SPLIT_COLUMNS = ("train", "validate", "test", "total")
COUNTED = ("patients", "studies", "images", "questions")
NUMBERS_OF_THINGS = ("findings_scored",)
MOST_NAMES = 5


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
    """Gives what was written; counts such as `studies_train` become the row and the column they name."""
    rows: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        thing, _, split = name.rpartition("_")
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


def remarks_on(counts: Mapping[str, Any]) -> list[str]:
    """Gives a line for each thing in prepared data that is used in part or not at all; none for zeros.

    Args:
        counts: of the index, as in `fingerprint.json`.
    """
    films = counts["views"].get("unknown", 0)
    disagreements = counts["yes_no_disagreements"]
    lines = [
        f"films of unknown view: {films:,}" if films else "",
        _named("questions without a usable target", counts["masked"]),
        _named("mentions of regions that no table maps", counts["unmapped_regions"]),
        _named("mentions of entities that no table maps", counts["unmapped_entities"]),
        f"yes/no answers whose first word contradicts their findings: {disagreements:,}"
        if disagreements
        else "",
    ]
    return [line for line in lines if line]


def _named(what: str, counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return ""
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = ", ".join(f"{name} {count:,}" for name, count in ordered[:MOST_NAMES])
    rest = len(ordered) - MOST_NAMES
    return f"{what}: {total:,} ({shown}{f', and {rest:,} more names' if rest > 0 else ''})"


def metrics_table(metrics: Mapping[str, float | None]) -> Table:
    """Gives validation metrics, the numbers of things among them as whole numbers."""
    rows = [
        {"metric": name, "value": int(value) if name in NUMBERS_OF_THINGS and value is not None else value}
        for name, value in metrics.items()
    ]
    return rows_table([row | {"value": "not defined"} if row["value"] is None else row for row in rows])


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
    from cxrkit.evaluation.headline import HEADLINE_SHORT_COLUMNS

    table = Table(box=box.SIMPLE)
    for place, column in enumerate(HEADLINE_SHORT_COLUMNS):
        # A figure broken over two lines cannot be read: the title gives way.
        table.add_column(column, justify="right" if place else "left", no_wrap=place > 0)
    for row in rows:
        table.add_row(*row)
    return table


def policies_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Gives the figures of several label policies; an interval stands below its value."""
    table = Table(box=box.SIMPLE_HEAD)
    for place, column in enumerate(columns):
        table.add_column(column.replace("_", " "), justify="right" if place else "left")
    for row in rows:
        table.add_row(*(cell.replace(" [", "\n[") if place else cell for place, cell in enumerate(row)))
    return table


def evidence_table(rows: Sequence[Sequence[str]]) -> Table:
    """Gives the figures of one checkpoint under every protocol, within 80 columns."""
    from cxrkit.evaluation.evidence import evidence_columns

    table = Table(
        box=box.SIMPLE_HEAD, title="What film and graph contribute", title_justify="left", padding=(0, 0)
    )
    for place, column in enumerate(evidence_columns()):
        # The oracle's label must not be broken: that it leaks is what has to be read.
        widest = 9 if place else None
        table.add_column(column, justify="right" if place else "left", no_wrap=place == 0, max_width=widest)
    for label, *figures in rows:
        table.add_row(label.replace(": ", ":\n  "), *figures)
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


def transfer_table(rows: Sequence[Sequence[str]]) -> Table:
    """Gives the figures of a model on another data set; an interval stands below its value."""
    table = Table(box=box.SIMPLE_HEAD)
    for place, column in enumerate(("questions", "figure", "model", "blank", "majority", "n", "films")):
        table.add_column(column, justify="right" if place > 1 else "left", no_wrap=place != 1)
    for row in rows:
        table.add_row(*(cell.replace(" [", "\n[") if place == 2 else cell for place, cell in enumerate(row)))
    return table


def comparison_table(rows: Sequence[tuple[str, ...]]) -> Table:
    """Gives runs side by side within 80 columns; an interval stands below its value."""
    from cxrkit.evaluation.comparison.tables import SHORT_COLUMNS, short_rows

    table = Table(box=box.SIMPLE_HEAD)
    for place, column in enumerate(SHORT_COLUMNS):
        table.add_column(column, justify="right" if place > 1 else "left", no_wrap=place > 1)
    before = ""
    for row in short_rows(rows):
        title, before = ("" if row[0] == before else row[0]), row[0]
        table.add_row(title, row[1], *(cell.replace(" [", "\n[") for cell in row[2:]))
    return table
