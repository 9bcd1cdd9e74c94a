"""CSV columns by name, as text, with the checks that every table of the data set needs."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cxrkit.data.rejects import Reject, RejectKind, RejectLog
from cxrkit.errors import DataLayoutError

ROW = "csv_row"
_ID_LIMIT = 2**31 - 1
ID_PATTERN = r"^\d{1,9}$"
# pandas turns a column of whole numbers into 10000032.0 once a cell of it is blank.
_TRAILING_ZEROS = r"\.0+$"
# A dicom id becomes part of a path: nothing that could leave the folder is let through.
DICOM_PATTERN = r"^[0-9A-Za-z][0-9A-Za-z._-]*$"


def read_text_columns(path: Path, columns: Sequence[str], *, may_be_empty: bool = False) -> pl.DataFrame:
    """Reads named columns of a `.csv` or `.csv.gz` as trimmed text, blanks as "", plus the row number.

    Args:
        path: the table.
        columns: names that must be there; their order in the file is free.
        may_be_empty: a header without rows is fine.

    Returns:
        Frame of the columns and `csv_row` (1 is the first row below the header); blank lines are left out.

    Raises:
        DataLayoutError: the file is empty, damaged, or lacks a column.
    """
    try:
        frame = pl.read_csv(path, infer_schema=False, row_index_name=ROW, row_index_offset=1, glob=False)
    except pl.exceptions.NoDataError as error:
        raise _empty(path) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataLayoutError(
            f"the table {path.name} cannot be read",
            expected="comma-separated text in UTF-8, gzipped if the name ends in .gz",
            found=f"{path}: {str(error).splitlines()[0]}",
            next_step="download the file again and compare it with SHA256SUMS.txt",
        ) from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise DataLayoutError(
            f"the table {path.name} lacks {len(missing)} column{'s' if len(missing) > 1 else ''}",
            expected=", ".join(missing),
            found=f"{path} has: {', '.join(frame.columns[1:])}",
            next_step="use the file as released; columns are found by name, their order is free",
        )
    frame = frame.select(ROW, *(pl.col(name).fill_null("").str.strip_chars() for name in columns))
    frame = frame.filter(pl.any_horizontal(pl.col(name) != "" for name in columns))
    if frame.is_empty() and not may_be_empty:
        raise _empty(path)
    return frame


def _empty(path: Path) -> DataLayoutError:
    return DataLayoutError(
        f"the table {path.name} is empty",
        expected="a header and at least one row",
        found=f"{path}: {path.stat().st_size} bytes without a row",
        next_step="download the file again",
    )


def whole_number(name: str) -> pl.Expr:
    """Gives a text column with `7.0` written as `7`."""
    return pl.col(name).str.replace(_TRAILING_ZEROS, "")


def require_rows(frame: pl.DataFrame, path: Path, rejects: RejectLog) -> None:
    """Returns when a table has a usable row.

    Args:
        frame: the usable rows.
        path: the table.
        rejects: holds why the others are none.

    Raises:
        DataLayoutError: no row is usable.
    """
    if frame.is_empty():
        raise DataLayoutError(
            f"no row of the table {path.name} can be used",
            expected="rows as released: ids are numbers without prefix, the same studies in every table",
            found=f"{path}: {rejects.summary(table_name(path))}",
            next_step="use the file as released; if it was saved again by another program, download it anew",
        )


def table_name(path: Path) -> str:
    """Gives the name for `where` in rejects: the same for `.csv` and `.csv.gz`."""
    return path.name.removesuffix(".gz")


def reject_where(
    frame: pl.DataFrame,
    bad: pl.Expr,
    code: str,
    kind: RejectKind,
    table: str,
    rejects: RejectLog,
    detail: str = "",
) -> pl.DataFrame:
    """Moves the rows for which `bad` holds into the rejects and gives the others.

    Args:
        frame: with `csv_row`, and any of dicom_id, subject_id, study_id.
        bad: an expression without nulls.
        code: reason code.
        kind: what the rows stand for.
        table: name of the table for `where`.
        rejects: takes one reject for each bad row.
        detail: the same for each row.
    """
    flagged = frame.with_columns(bad.alias("is_bad"))
    for row in flagged.filter("is_bad").iter_rows(named=True):
        rejects.add(
            Reject(
                code,
                kind,
                _number(row.get("subject_id")),
                _number(row.get("study_id")),
                dicom_id=str(row.get("dicom_id", "")),
                where=f"{table}:row {row[ROW]}",
                detail=detail,
            )
        )
    return flagged.filter(~pl.col("is_bad")).drop("is_bad")


def parse_ids(frame: pl.DataFrame, names: Sequence[str], table: str, rejects: RejectLog) -> pl.DataFrame:
    """Turns id columns into int32; rows with an id that is no number go to the rejects (`invalid_id`)."""
    frame = frame.with_columns(whole_number(name) for name in names)
    good = pl.all_horizontal(pl.col(name).str.contains(ID_PATTERN) for name in names)
    if "dicom_id" in frame.columns:
        good &= pl.col("dicom_id").str.contains(DICOM_PATTERN)
    kind: RejectKind = "image" if "dicom_id" in frame.columns else "row"
    frame = reject_where(frame, ~good, "invalid_id", kind, table, rejects)
    return frame.with_columns(pl.col(name).cast(pl.Int32) for name in names)


def drop_duplicates(
    frame: pl.DataFrame, key: Sequence[str], kind: RejectKind, table: str, rejects: RejectLog
) -> pl.DataFrame:
    """Keeps one of identical rows and none of contradicting ones with the same key."""
    values = [name for name in frame.columns if name != ROW]
    repeats = ~pl.struct(values).is_first_distinct()
    frame = reject_where(frame, repeats, "duplicate_row", kind, table, rejects)
    return reject_where(frame, pl.struct(list(key)).is_duplicated(), "conflicting_row", kind, table, rejects)


def _number(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and int(text) <= _ID_LIMIT else -1
