"""Arrow columns of prediction tables as numpy arrays."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.errors import ArtifactError
from cxrkit.metrics.counts import FloatArray


class BoxLists(NamedTuple):
    """A list of boxes per row.

    Attributes:
        boxes: `[M, 4]` corners x1, y1, x2, y2 in pixels, row after row.
        starts: `[N + 1]` where each row's boxes begin and end.
    """

    boxes: FloatArray
    starts: npt.NDArray[np.int64]

    def of_row(self, row: int) -> FloatArray:
        """Gives the boxes of one row, `[n, 4]`."""
        return self.boxes[self.starts[row] : self.starts[row + 1]]


def numbers(table: pa.Table, name: str) -> npt.NDArray[np.generic]:
    """Gives a column without lists as an array, `[N]`."""
    array: npt.NDArray[np.generic] = table.column(name).to_numpy()
    return array


def texts(table: pa.Table, name: str) -> list[str]:
    """Gives a text column as a list."""
    return [str(value) for value in table.column(name).to_pylist()]


def membership(table: pa.Table, name: str, num_classes: int) -> npt.NDArray[np.bool_]:
    """Gives lists of class indices as sets, `[N, C]`.

    Raises:
        ArtifactError: an index is not one of the C classes.
    """
    values, starts = _flat(table, name)
    indices = values.to_numpy(zero_copy_only=False)
    if len(indices) and (indices.min() < 0 or indices.max() >= num_classes):
        raise _damaged(
            name, f"class indices from 0 to {num_classes - 1}", f"{indices.min()} to {indices.max()}"
        )
    rows = np.repeat(np.arange(table.num_rows), np.diff(starts))
    sets = np.zeros((table.num_rows, num_classes), np.bool_)
    sets[rows, indices] = True
    return sets


def matrix(table: pa.Table, name: str, width: int) -> FloatArray:
    """Gives lists of equal length as a matrix, `[N, width]`.

    Raises:
        ArtifactError: a list has another length.
    """
    values, starts = _flat(table, name)
    lengths = np.diff(starts)
    if (lengths != width).any():
        raise _damaged(name, f"{width} numbers per row", f"rows with {sorted({int(n) for n in lengths})}")
    numbers_per_row: FloatArray = values.to_numpy(zero_copy_only=False).astype(float).reshape(-1, width)
    return numbers_per_row


def probability_matrix(table: pa.Table, name: str, width: int) -> FloatArray:
    """Gives lists of probabilities as a matrix, `[N, width]`.

    Raises:
        ArtifactError: a list has another length, or a value is not in 0..1.
    """
    values = matrix(table, name, width)
    # Means of 32-bit probabilities may end a rounding step above 1.
    inside = (values >= 0) & (values <= 1 + 1e-6)
    if not inside.all():
        raise _damaged(name, "probabilities in 0..1", f"{int((~inside).sum())} values that are not")
    return values


def number_lists(table: pa.Table, name: str) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Gives lists of numbers one after the other, `[M]`, and where each begins and ends, `[N + 1]`."""
    values, starts = _flat(table, name)
    return values.to_numpy(zero_copy_only=False).astype(float), starts


def box_lists(table: pa.Table, name: str) -> BoxLists:
    """Gives lists of boxes.

    Raises:
        ArtifactError: a box has not four numbers.
    """
    boxes, starts = _flat(table, name)
    inner = pa.table({name: boxes})
    return BoxLists(matrix(inner, name, 4), starts)


def _flat(table: pa.Table, name: str) -> tuple[Any, npt.NDArray[np.int64]]:
    column = table.column(name)
    array: Any = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_fixed_size_list(array.type):
        starts = np.arange(len(array) + 1, dtype=np.int64) * array.type.list_size
    else:
        offsets = array.offsets.to_numpy().astype(np.int64)
        starts = offsets - offsets[0] if len(offsets) else np.zeros(1, np.int64)
    return array.flatten(), starts


def _damaged(name: str, expected: str, found: str) -> ArtifactError:
    return ArtifactError(
        f"the prediction table's column {name} is damaged",
        expected=expected,
        found=found,
        next_step="make it again with `cxrkit evaluate`",
    )
