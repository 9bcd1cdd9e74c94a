"""The films with their studies, patients, views and splits, from the metadata and split tables."""

from dataclasses import dataclass

import polars as pl

from cxrkit.data.mimic_cxr.csv_columns import (
    ROW,
    drop_duplicates,
    parse_ids,
    read_text_columns,
    reject_where,
    require_rows,
    table_name,
    whole_number,
)
from cxrkit.data.mimic_cxr.layout import METADATA, SPLIT, MimicCxrLayout
from cxrkit.data.rejects import RejectLog
from cxrkit.errors import DataLayoutError
from cxrkit.vocabulary import SPLITS

VIEWS = ("frontal", "lateral", "other", "unknown")
_SIZE_PATTERN = r"^0*[1-9]\d{0,5}$"
_METADATA_COLUMNS = ("dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns")
_SPLIT_COLUMNS = ("dicom_id", "subject_id", "study_id", "split")


@dataclass(frozen=True)
class FilmTable:
    """The films that both tables know, and the studies that the metadata table knows.

    Attributes:
        films: sorted by subject_id, study_id, dicom_id; columns dicom_id, subject_id, study_id (int32),
            split (int8 index in `SPLITS`), view (int8 index in `VIEWS`), view_position, rows, columns.
        subject_of_study: patient of every study of the metadata table, with films in the split table or not.
    """

    films: pl.DataFrame
    subject_of_study: dict[int, int]


def read_films(layout: MimicCxrLayout, rejects: RejectLog) -> FilmTable:
    """Reads and joins the metadata and split tables.

    The split table is the only authority for splits. A patient belongs to one split.

    Args:
        layout: where the tables are.
        rejects: takes rows that are duplicate, contradicting or not in both tables.

    Raises:
        DataLayoutError: a table is damaged, has no usable row, names an unknown split, puts a patient into
            two splits, or no film is left.
    """
    metadata = _read_metadata(layout, rejects)
    split = _read_split(layout, rejects)
    known = dict(zip(metadata["study_id"].to_list(), metadata["subject_id"].to_list(), strict=True))
    films = _join(metadata, split, layout, rejects)
    if films.is_empty():
        raise DataLayoutError(
            "no film is left after joining the metadata and split tables",
            expected="rows with the same dicom_id, subject_id and study_id in both",
            found=f"{metadata.height} and {split.height} usable rows; {rejects.summary()}",
            next_step="use both tables of the same release",
        )
    return FilmTable(films, known)


def _read_metadata(layout: MimicCxrLayout, rejects: RejectLog) -> pl.DataFrame:
    path = layout.tables[METADATA]
    table = table_name(path)
    frame = parse_ids(read_text_columns(path, _METADATA_COLUMNS), ("subject_id", "study_id"), table, rejects)
    frame = frame.with_columns(whole_number(name) for name in ("Rows", "Columns"))
    good_size = pl.all_horizontal(pl.col(name).str.contains(_SIZE_PATTERN) for name in ("Rows", "Columns"))
    frame = reject_where(frame, ~good_size, "invalid_size", "image", table, rejects)
    position = pl.col("ViewPosition").str.to_uppercase()
    frame = frame.select(
        ROW,
        "dicom_id",
        "subject_id",
        "study_id",
        # pandas writes a blank as nan when it saves the table again.
        pl.when(position == "NAN").then(pl.lit("")).otherwise(position).alias("view_position"),
        pl.col("Rows").cast(pl.Int32).alias("rows"),
        pl.col("Columns").cast(pl.Int32).alias("columns"),
    )
    frame = drop_duplicates(frame, ("dicom_id",), "image", table, rejects)
    two_patients = pl.col("subject_id").n_unique().over("study_id") > 1
    frame = reject_where(
        frame, two_patients, "conflicting_row", "image", table, rejects, "one study_id under two patients"
    )
    require_rows(frame, path, rejects)
    return frame.with_columns(_view_code())


def _view_code() -> pl.Expr:
    """Frontal is exactly AP or PA (243,334 films of the real data); rare projections are "other"."""
    position = pl.col("view_position")
    code = (
        pl.when(position.is_in(["AP", "PA"]))
        .then(VIEWS.index("frontal"))
        .when(position.is_in(["LATERAL", "LL"]))
        .then(VIEWS.index("lateral"))
        .when(position == "")
        .then(VIEWS.index("unknown"))
        .otherwise(VIEWS.index("other"))
    )
    return code.cast(pl.Int8).alias("view")


def _read_split(layout: MimicCxrLayout, rejects: RejectLog) -> pl.DataFrame:
    path = layout.tables[SPLIT]
    table = table_name(path)
    frame = parse_ids(read_text_columns(path, _SPLIT_COLUMNS), ("subject_id", "study_id"), table, rejects)
    unknown = frame.filter(~pl.col("split").is_in(list(SPLITS)))
    if not unknown.is_empty():
        names = sorted(unknown["split"].unique().to_list())
        raise DataLayoutError(
            f"{unknown.height} rows of {path.name} name an unknown split",
            expected=", ".join(SPLITS),
            found=f"{', '.join(repr(name) for name in names[:5])} (first: row {unknown[ROW][0]})",
            next_step="use the split table as released with MIMIC-CXR-JPG",
        )
    _check_one_split_per_patient(frame, path.name)
    frame = drop_duplicates(frame, ("dicom_id",), "image", table, rejects)
    require_rows(frame, path, rejects)
    return frame


def _check_one_split_per_patient(frame: pl.DataFrame, file_name: str) -> None:
    splits = frame.group_by("subject_id").agg(pl.col("split").unique().sort())
    torn = splits.filter(pl.col("split").list.len() > 1).sort("subject_id")
    if torn.is_empty():
        return
    raise DataLayoutError(
        f"{torn.height} patient{'s are' if torn.height > 1 else ' is'} in more than one split",
        expected="every patient in exactly one of " + ", ".join(SPLITS),
        found=f"{file_name}: first is p{torn['subject_id'][0]} in {' and '.join(torn['split'][0])}",
        next_step="use the split table as released; results on a torn split would be too good",
    )


def _join(
    metadata: pl.DataFrame, split: pl.DataFrame, layout: MimicCxrLayout, rejects: RejectLog
) -> pl.DataFrame:
    split_table, metadata_table = table_name(layout.tables[SPLIT]), table_name(layout.tables[METADATA])
    strangers = ~pl.col("dicom_id").is_in(metadata["dicom_id"].to_list())
    split = reject_where(split, strangers, "not_in_metadata", "image", split_table, rejects)
    renamed = split.select(
        "dicom_id",
        pl.col("subject_id").alias("split_subject"),
        pl.col("study_id").alias("split_study"),
        pl.col("split").replace_strict(dict(zip(SPLITS, range(3), strict=True)), return_dtype=pl.Int8),
    )
    films = metadata.join(renamed, on="dicom_id", how="left")
    films = reject_where(films, pl.col("split").is_null(), "not_in_split", "image", metadata_table, rejects)
    moved = (pl.col("split_subject") != pl.col("subject_id")) | (pl.col("split_study") != pl.col("study_id"))
    films = reject_where(
        films,
        moved,
        "conflicting_row",
        "image",
        metadata_table,
        rejects,
        "other patient or study in the split table",
    )
    return films.drop(ROW, "split_subject", "split_study").sort("subject_id", "study_id", "dicom_id")
