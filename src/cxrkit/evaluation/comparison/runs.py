"""The prediction files that are compared: read, named, and checked to be about the same questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.evaluation import columns
from cxrkit.evaluation.head_rows import tables_of_conditions
from cxrkit.evaluation.measured import MODEL
from cxrkit.evaluation.predictions import PREDICTIONS_FILE, conform, read_metadata, read_predictions

_KEY = {"vqa": "question_row", "classify": "study_id"}
_SAME = {"task": "task", "split": "split", "index_fingerprint": "prepared data"}


@dataclass(frozen=True)
class Run:
    """A model's answers.

    Attributes:
        name: what tables call it.
        table: the rows of condition `model`, in the order of the questions or studies.
        metadata: what its file says about itself.
    """

    name: str
    table: pa.Table
    metadata: dict[str, Any]


def read_runs(paths: Sequence[Path], names: Sequence[str] | None = None) -> list[Run]:
    """Reads the files and checks that they can be compared row by row.

    Args:
        paths: two or more `predictions.parquet` files or their folders.
        names: of the runs; by default the folders' names.

    Raises:
        SettingsError: fewer than two, names that do not fit, or twice the same.
        ArtifactError: a file cannot be read, or they are of different tasks, splits, data or questions.
    """
    if len(paths) < 2:
        raise SettingsError("command line", ["compare: two or more prediction files are needed"])
    own = _names(paths, names)
    runs = []
    for path, name in zip(paths, own, strict=True):
        table = read_predictions(path / PREDICTIONS_FILE if path.is_dir() else path)
        metadata = read_metadata(table)
        task = metadata["task"]
        if task not in _KEY:
            raise ArtifactError(
                f"{path} holds no answers of a model", expected="task vqa or classify", found=f"task {task}"
            )
        parts = tables_of_conditions(conform(table, task), _KEY[task])
        runs.append(Run(name, parts[MODEL], metadata))
    for run in runs[1:]:
        _require_same(runs[0], run)
    return runs


def _names(paths: Sequence[Path], names: Sequence[str] | None) -> list[str]:
    if names is not None:
        found = [name.strip() for name in names]
        if len(found) != len(paths) or not all(found):
            raise SettingsError("command line", [f"--names: {len(found)} for {len(paths)} prediction files"])
    else:
        found = [(path if path.is_dir() else path.parent).resolve().name for path in paths]
        if len(set(found)) < len(found):
            # evaluation_results of two runs: the folder above tells them apart.
            above = [(path if path.is_dir() else path.parent).resolve().parent.name for path in paths]
            found = [f"{upper}/{name}" for upper, name in zip(above, found, strict=True)]
    if len(set(found)) < len(found):
        raise SettingsError(
            "command line", [f"--names: the runs need different ones, not {', '.join(found)}"]
        )
    return found


def _require_same(first: Run, other: Run) -> None:
    for key, word in _SAME.items():
        if first.metadata.get(key) != other.metadata.get(key):
            raise ArtifactError(
                f"{first.name} and {other.name} are of different {word}s"
                if word != "prepared data"
                else f"{first.name} and {other.name} are of different data",
                expected=f"the same {word}: {first.metadata.get(key)}",
                found=f"{other.metadata.get(key)}",
                next_step="evaluate both models on the same data and split",
            )
    key = _KEY[first.metadata["task"]]
    mine, theirs = columns.numbers(first.table, key), columns.numbers(other.table, key)
    if not np.array_equal(mine, theirs):
        only_mine, only_theirs = len(np.setdiff1d(mine, theirs)), len(np.setdiff1d(theirs, mine))
        raise ArtifactError(
            f"{first.name} and {other.name} answer different rows",
            expected=f"the same {key} values in both, so that differences are paired",
            found=f"{only_mine} only in {first.name}, {only_theirs} only in {other.name}",
            next_step="evaluate both with the same data section (quality_grade, view_filter, question_types)",
        )
    for name in ("classes_reference",) if key == "question_row" else ("labels",):
        if str(first.table.column(name).to_pylist()) != str(other.table.column(name).to_pylist()):
            raise ArtifactError(
                f"{first.name} and {other.name} have different references",
                expected=f"the same {name} in both files",
                found=f"another {name} of the same rows",
                next_step="evaluate both models with the same version on the same data",
            )
