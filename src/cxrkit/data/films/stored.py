"""Reads the store of films: memory-mapped shards, checked by header when they are opened."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.shape import letterbox
from cxrkit.data.films.shard_file import shard_fault
from cxrkit.data.films.store_record import (
    StoreRecord,
    check_image_list,
    planned_shards,
    read_store_record,
    unusable_store,
)
from cxrkit.data.index.artifact import changed_workspace


@dataclass(frozen=True)
class ImageStore:
    """A finished store of films; `ImageStore.open` makes it. Rows are those of the index's `images`.

    x_square = x_px * scale + pad_x and y_square = y_px * scale + pad_y.

    Attributes:
        workspace: the folder it was opened from.
        size: the setting `image_store_size`.
        count: number of films.
        side: `[count]` int32, side of each film's square.
        scale: `[count]` float32, square pixels per film pixel.
        pad_x: `[count]` float32, columns of zeros on the left.
        pad_y: `[count]` float32, rows of zeros at the top.
        shards: the shard files as bytes, memory-mapped, read-only.
    """

    workspace: Path
    size: int
    count: int
    side: npt.NDArray[np.int32] = field(repr=False)
    scale: npt.NDArray[np.float32] = field(repr=False)
    pad_x: npt.NDArray[np.float32] = field(repr=False)
    pad_y: npt.NDArray[np.float32] = field(repr=False)
    shards: tuple[npt.NDArray[np.uint8], ...] = field(repr=False)
    _record: StoreRecord = field(repr=False)

    @classmethod
    def open(cls, workspace: Path) -> "ImageStore":
        """Opens the image store of a finished workspace.

        Checked are the manifest, the geometry, and of each shard its header and length; the pixels are
        checked by `verify_store`.

        Args:
            workspace: the folder given to `prepare_workspace`.

        Raises:
            ArtifactError: it is missing, unfinished, damaged, without pixels, or of another index.
        """
        record = read_store_record(workspace)
        check_image_list(record)
        if not record.stored:
            raise unusable_store(record.folder, "it was made without pixels (data.image_store: false)")
        return cls(
            workspace,
            record.size,
            record.count,
            record.column("side"),
            record.column("scale"),
            record.column("pad_x"),
            record.column("pad_y"),
            _map_shards(record),
            record,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the shards itself instead of receiving a copy.
        return _open_again, (self.workspace, self._record.image_list, self.size)

    def __len__(self) -> int:
        return self.count

    def read(self, image_row: int) -> npt.NDArray[np.uint8]:
        """Gives a film as `[side, side]`, zeros beside it; a read-only view where it is stored so.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= image_row < self.count:
            raise IndexError(f"image row {image_row} of {self.count}")
        record = self._record
        start = int(record.offset[image_row])
        height, width = int(record.height[image_row]), int(record.width[image_row])
        shard = self.shards[record.shard[image_row]]
        film: npt.NDArray[np.uint8] = shard[start : start + height * width].reshape(height, width)
        if height == width:
            return film
        square = letterbox(
            film, int(self.side[image_row]), int(self.pad_x[image_row]), int(self.pad_y[image_row])
        )
        square.flags.writeable = False
        return square


def _open_again(workspace: Path, image_list: str, size: int) -> ImageStore:
    store = ImageStore.open(workspace)
    if (store._record.image_list, store.size) != (image_list, size):
        raise changed_workspace(workspace)
    return store


def _map_shards(record: StoreRecord) -> tuple[npt.NDArray[np.uint8], ...]:
    mapped = []
    for name, shard in planned_shards(record):
        path = record.folder / name
        fault = shard_fault(path, shard)
        if fault:
            raise unusable_store(record.folder, f"{name}: {fault}")
        # A plain array on the map: slices of a memmap object are ten times as slow.
        mapped.append(np.asarray(np.memmap(path, dtype=np.uint8, mode="r")))
    return tuple(mapped)
