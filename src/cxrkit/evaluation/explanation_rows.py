"""The optional columns of explanations in a prediction table, as arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxrkit.errors import ArtifactError
from cxrkit.evaluation import columns
from cxrkit.evaluation.columns import BoxLists
from cxrkit.inference.explanation_columns import (
    ABLATION,
    ABLATION_CHANGES,
    CURVES,
    EXPLAINED,
    EXPLANATION_COLUMNS,
    SHARES,
)
from cxrkit.metrics.counts import FloatArray

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AttentionRows:
    """Attention of the model over the visual tokens; N questions with attention.

    Attributes:
        n_questions: all questions of the table, with attention or without.
        patients: `[N]` subject ids.
        attention: `[N, P]`.
        boxes: reference boxes of each as fractions of the square that the tokens divide; none without a
            reference.
    """

    n_questions: int
    patients: IntArray
    attention: FloatArray
    boxes: BoxLists

    @classmethod
    def of_table(cls, table: pa.Table) -> "AttentionRows | None":
        """Reads the rows of the condition `model`; None where no attention was stored.

        Raises:
            ArtifactError: a list has another length, is no square grid, or holds what is no attention.
        """
        if "attention" not in table.column_names or not table.num_rows:
            return None
        rows = _rows_with(table, "attention")
        tokens = _width(rows, "attention")
        attention = columns.matrix(rows, "attention", tokens)
        side = round(tokens**0.5)
        if side * side != tokens:
            raise _damaged("attention", "a square grid of numbers in each row", f"{tokens} numbers")
        if not (np.isfinite(attention) & (attention >= 0)).all():
            raise _damaged("attention", "numbers of 0 or more", "others")
        patients = columns.numbers(rows, "subject_id").astype(np.int64)
        return cls(table.num_rows, patients, attention, _boxes_in_square(rows))


def _boxes_in_square(rows: pa.Table) -> BoxLists:
    if "square_px" not in rows.column_names or rows.column("square_px").null_count:
        raise _damaged("square_px", "the corners of each film's square beside its attention", "none")
    square = columns.matrix(rows, "square_px", 4)
    size = square[:, 2:] - square[:, :2]
    if not (np.isfinite(square).all() and (size > 0).all()):
        raise _damaged("square_px", "corners x1, y1, x2, y2 of a square with area", "others")
    boxes, starts = columns.box_lists(rows, "boxes_reference")
    question = np.repeat(np.arange(len(square)), np.diff(starts))
    shift, scale = np.tile(square[:, :2], 2), np.tile(size, 2)
    return BoxLists((boxes - shift[question]) / scale[question], starts)


@dataclass(frozen=True)
class PerturbationRows:
    """What the explained answers of the model lost.

    Attributes:
        n_explained: explained questions, with curves and ablation or without.
        shares: `[K]` of the patches, ascending from 0 to 1.
        curve_patients: `[N]` subject ids of the questions with curves.
        curves: `[N, K]` by the name of the column.
        ablation_patients: `[M]` subject ids of the questions with ablated nodes.
        ablation: `[M, 3]` probability of the answer with all nodes, without the supporting ones, without
            as many others.
        changes: `[M, 2]` whether the answer changes without the supporting nodes, without the others.
    """

    n_explained: int
    shares: FloatArray
    curve_patients: IntArray
    curves: dict[str, FloatArray]
    ablation_patients: IntArray
    ablation: FloatArray
    changes: FloatArray

    @classmethod
    def of_table(cls, table: pa.Table) -> "PerturbationRows | None":
        """Reads the rows of the condition `model`; None where nothing was explained.

        Raises:
            ArtifactError: a column is missing or damaged.
        """
        if EXPLAINED not in table.column_names:
            return None
        missing = [name for name, _ in EXPLANATION_COLUMNS if name not in table.column_names]
        if missing:
            raise _damaged(
                EXPLAINED, "the other columns of explanations beside it", f"no {', '.join(missing)}"
            )
        rows = table.filter(pc.field(EXPLAINED)).combine_chunks()
        curved = _rows_with(rows, SHARES)
        ablated = _rows_with(rows, ABLATION)
        shares = _shares(curved)
        return cls(
            n_explained=rows.num_rows,
            shares=shares,
            curve_patients=columns.numbers(curved, "subject_id").astype(np.int64),
            curves={name: columns.probability_matrix(curved, name, max(1, len(shares))) for name in CURVES},
            ablation_patients=columns.numbers(ablated, "subject_id").astype(np.int64),
            ablation=columns.probability_matrix(ablated, ABLATION, 3),
            changes=columns.matrix(ablated, ABLATION_CHANGES, 2),
        )


def _rows_with(table: pa.Table, name: str) -> pa.Table:
    """Gives the rows in which an optional column has a value."""
    chosen = np.asarray(table.column(name).is_valid().to_numpy(), dtype=np.bool_)
    return table.filter(pa.array(chosen)).combine_chunks()


def _width(rows: pa.Table, name: str) -> int:
    """Gives the length of the first list, at least 1: an empty one is damaged."""
    return max(1, len(rows.column(name)[0])) if rows.num_rows else 1


def _shares(curved: pa.Table) -> FloatArray:
    if not curved.num_rows:
        return np.zeros(0)
    width = _width(curved, SHARES)
    shares = columns.matrix(curved, SHARES, width)
    first: FloatArray = shares[0]
    ascending = width > 1 and bool((np.diff(first) > 0).all()) and (first[0], first[-1]) == (0.0, 1.0)
    if not ascending or (shares != first).any():
        raise _damaged(SHARES, "the same shares, ascending from 0 to 1, in all rows", "others")
    return first


def _damaged(name: str, expected: str, found: str) -> ArtifactError:
    return ArtifactError(
        f"the prediction table's column {name} is damaged",
        expected=expected,
        found=found,
        next_step="make the predictions again with `cxrkit evaluate`",
    )
