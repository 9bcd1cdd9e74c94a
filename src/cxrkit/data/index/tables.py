"""Writes the files of the index from the film table, the labels and the finished chunks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from cxrkit.data.index.builder import Progress
from cxrkit.data.index.chunk_file import ChunkFile
from cxrkit.data.index.counts import IndexCounts
from cxrkit.data.index.join import ChunkJoin
from cxrkit.data.index.schemas import FLAG, LABEL_SOURCES, table_schema
from cxrkit.data.index.units import IndexPlan
from cxrkit.data.mimic_cxr.films import VIEWS
from cxrkit.data.mimic_cxr.labels import StudyLabels
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.rejects import RejectLog


def write_tables(
    folder: Path,
    plan: IndexPlan,
    chunks: Sequence[ChunkFile],
    labels: dict[str, StudyLabels],
    names: dict[str, NameTable],
    rejects: RejectLog,
    progress: Progress | None = None,
) -> IndexCounts:
    """Writes all tables, `vocabularies.json` and `rejects.csv`.

    Args:
        folder: empty folder for the files.
        plan: of the chunks; its films have a further column `path`.
        chunks: all of them, in order.
        labels: by name (chexpert, negbio, radiologist), rows as the studies of the plan.
        names: the listed vocabularies; names that only the files have are appended.
        rejects: what was skipped before; takes the chunks' rejects.
        progress: called with (chunks done, chunks).

    Returns:
        The counts of the whole index.
    """
    counts = IndexCounts()
    _write_images(folder, plan)
    _count_films(plan, counts)
    join = ChunkJoin(folder, chunks, names, counts, rejects)
    join.write(progress)
    _write_studies(folder, plan, join.study_columns(), labels)
    _write_vocabularies(folder, names)
    rejects.write(folder / "rejects.csv")
    return counts


def _write_images(folder: Path, plan: IndexPlan) -> None:
    rows = plan.studies.select("study_id", pl.int_range(pl.len(), dtype=pl.Int32).alias("study_row"))
    films = plan.films.join(rows, on="study_id", how="left", maintain_order="left")
    _write_frame(folder, "images", {name: films[name] for name in table_schema("images").names})


def _write_studies(
    folder: Path, plan: IndexPlan, columns: dict[str, npt.NDArray[Any]], labels: dict[str, StudyLabels]
) -> None:
    known = {name: plan.studies[name] for name in plan.studies.columns}
    has = {f"has_{name}": labels[name].present for name in LABEL_SOURCES}
    values = {name: labels[name].values for name in LABEL_SOURCES}
    _write_frame(folder, "studies", {**known, **columns, **has, **values})


def _write_frame(folder: Path, table: str, columns: dict[str, Any]) -> None:
    """Writes a table that is small enough to be held in memory, as one batch."""
    schema = table_schema(table)
    arrays = [_arrow(columns[field.name], field.type) for field in schema]
    with pa.OSFile(str(folder / f"{table}.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=schema))


def _arrow(values: Any, kind: pa.DataType) -> "pa.Array[Any]":
    if isinstance(values, pl.Series):
        return values.to_arrow().cast(kind)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), kind.list_size)
    dtype = np.uint8 if kind == FLAG else kind.to_pandas_dtype()
    return pa.array(values.astype(dtype), kind)


def _count_films(plan: IndexPlan, counts: IndexCounts) -> None:
    counts.images.update(plan.films["split"].to_list())
    counts.studies.update(plan.studies["split"].to_list())
    counts.patients.update(plan.studies.unique("subject_id")["split"].to_list())
    counts.views.update(VIEWS[view] for view in plan.films["view"].to_list())


def _write_vocabularies(folder: Path, names: dict[str, NameTable]) -> None:
    content: dict[str, object] = {kind: list(table.number) for kind, table in names.items()}
    content["sources"] = {kind: table.source for kind, table in names.items()}
    content["appended"] = {kind: table.appended for kind, table in names.items()}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / "vocabularies.json").write_text(text + "\n", encoding="utf-8")
