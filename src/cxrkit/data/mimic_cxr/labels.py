"""The 14 labels per study: CheXpert, NegBio, and the radiologists' labels of the test set."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from cxrkit.data.mimic_cxr.csv_columns import (
    drop_duplicates,
    parse_ids,
    read_text_columns,
    reject_where,
    require_rows,
    table_name,
)
from cxrkit.data.mimic_cxr.layout import REQUIRED
from cxrkit.data.rejects import RejectLog
from cxrkit.errors import DataLayoutError
from cxrkit.vocabulary import FINDINGS, canonical_column

_VALUES = {"": None, "1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0, "-1": -1.0, "-1.0": -1.0}


class StudyLabels(NamedTuple):
    """The labels of some studies from one table.

    Attributes:
        values: `[S, 14]` in the order of `FINDINGS`; NaN where nothing is said.
        present: `[S]` the study has a row in the table; an all-blank row differs from no row.
    """

    values: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]


def read_labels(
    path: Path | None, study_ids: npt.NDArray[np.int32], subject_of_study: dict[int, int], rejects: RejectLog
) -> StudyLabels:
    """Gives the labels of some studies: 1 positive, 0 negative, -1 uncertain, NaN not mentioned.

    Columns are found by name, `Airspace Opacity` (radiologists' file) counting as `Lung Opacity`.
    The radiologists' file has no subject_id; where the column exists it must fit the metadata table.

    Args:
        path: the table, or None when the release has none.
        study_ids: `[S]` the studies wanted.
        subject_of_study: all studies of the metadata table with their patients.
        rejects: takes rows with wrong ids, wrong values, duplicates, or unknown studies.

    Returns:
        Values and presence, rows as in `study_ids`.

    Raises:
        DataLayoutError: the table is damaged or lacks a column, or is a required one without a usable row.
    """
    labels = np.full((len(study_ids), len(FINDINGS)), np.nan, dtype=np.float32)
    present = np.zeros(len(study_ids), dtype=np.bool_)
    if path is None:
        return StudyLabels(labels, present)
    frame = _read_valid_rows(path, subject_of_study, rejects)
    row_of_study = {int(study): row for row, study in enumerate(study_ids)}
    for study, *values in frame.select("study_id", *FINDINGS).iter_rows():
        row = row_of_study.get(study)
        if row is not None:
            labels[row] = [np.nan if value is None else value for value in values]
            present[row] = True
    return StudyLabels(labels, present)


def _read_valid_rows(path: Path, subject_of_study: dict[int, int], rejects: RejectLog) -> pl.DataFrame:
    table = table_name(path)
    header = _header(path)
    names = {canonical_column(name): name for name in header}
    ids = [name for name in ("subject_id", "study_id") if name in header or name == "study_id"]
    required = table in REQUIRED
    columns = [*ids, *(names.get(finding, finding) for finding in FINDINGS)]
    frame = read_text_columns(path, columns, may_be_empty=not required)
    frame = frame.rename({source: target for target, source in names.items() if source in frame.columns})
    frame = parse_ids(frame, ids, table, rejects)
    # pandas writes a blank as nan when it saves the table again.
    frame = frame.with_columns(
        pl.when(pl.col(name).str.to_lowercase() == "nan").then(pl.lit("")).otherwise(pl.col(name)).alias(name)
        for name in FINDINGS
    )
    wrong = pl.any_horizontal(~pl.col(name).is_in(list(_VALUES)) for name in FINDINGS)
    frame = reject_where(frame, wrong, "invalid_label", "row", table, rejects)
    frame = frame.with_columns(
        pl.col(name).replace_strict(_VALUES, return_dtype=pl.Float32) for name in FINDINGS
    )
    frame = drop_duplicates(frame, ("study_id",), "row", table, rejects)
    known = pl.col("study_id").is_in(list(subject_of_study))
    if "subject_id" in ids:
        patient = pl.col("study_id").replace_strict(subject_of_study, default=-1, return_dtype=pl.Int32)
        known &= patient == pl.col("subject_id")
    frame = reject_where(frame, ~known, "study_not_in_metadata", "row", table, rejects)
    if required:
        require_rows(frame, path, rejects)
    return frame


def _header(path: Path) -> list[str]:
    try:
        return pl.read_csv(path, infer_schema=False, n_rows=0, glob=False).columns
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataLayoutError(
            f"the table {path.name} cannot be read",
            expected="a header with study_id and the 14 labels",
            found=f"{path}: {str(error).splitlines()[0]}",
            next_step="download the file again and compare it with SHA256SUMS.txt",
        ) from error
