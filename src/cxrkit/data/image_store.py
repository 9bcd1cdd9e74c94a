"""Reads the image store: every film once, 8-bit grey, letterboxed, memory-mapped."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.data.film_shards import GEOMETRY_SCHEMA, STORE_SCHEMA_VERSION
from cxrkit.data.index.opener import column_array, read_fingerprint
from cxrkit.errors import ArtifactError

_KEYS: dict[str, type] = {
    "size": int,
    "count": int,
    "films_per_shard": int,
    "image_list": str,
    "shards": list,
}


@dataclass(frozen=True)
class ImageStore:
    """A finished image store; `ImageStore.open` makes it. Rows are those of the index's `images`.

    x_store = x_px * scale + pad_x and y_store = y_px * scale + pad_y.

    Attributes:
        workspace: the folder it was opened from.
        size: side S of the stored squares.
        count: number of films.
        films_per_shard: films in every shard but the last.
        shards: `[n, S, S]` uint8, memory-mapped, read-only.
        scale: `[count]` store pixels per film pixel.
        pad_x: `[count]` columns of zeros on the left.
        pad_y: `[count]` rows of zeros at the top.
    """

    workspace: Path
    size: int
    count: int
    films_per_shard: int
    shards: tuple[npt.NDArray[np.uint8], ...] = field(repr=False)
    scale: npt.NDArray[np.float32] = field(repr=False)
    pad_x: npt.NDArray[np.float32] = field(repr=False)
    pad_y: npt.NDArray[np.float32] = field(repr=False)

    @classmethod
    def open(cls, workspace: Path) -> "ImageStore":
        """Opens the image store of a finished workspace.

        Args:
            workspace: the folder given to `prepare_workspace`.

        Raises:
            ArtifactError: it is missing, unfinished, damaged, or does not belong to the index.
        """
        folder = workspace / "images"
        manifest = _read_manifest(folder, workspace)
        if manifest["image_list"] != read_fingerprint(workspace)["image_list"]:
            raise _unusable(folder, "it holds other films than the index", workspace)
        shards = tuple(_map_shard(folder, shard, manifest["size"], workspace) for shard in manifest["shards"])
        geometry = _read_geometry(folder, manifest["count"], workspace)
        return cls(
            workspace,
            manifest["size"],
            manifest["count"],
            manifest["films_per_shard"],
            shards,
            *(column_array(geometry.column(name)) for name in ("scale", "pad_x", "pad_y")),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the shards itself instead of receiving a copy.
        return ImageStore.open, (self.workspace,)

    def __len__(self) -> int:
        return self.count

    def read(self, image_row: int) -> npt.NDArray[np.uint8]:
        """Gives a film as a read-only view `[S, S]`, zeros beside it.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= image_row < self.count:
            raise IndexError(f"image row {image_row} of {self.count}")
        shard, slot = divmod(int(image_row), self.films_per_shard)
        film: npt.NDArray[np.uint8] = self.shards[shard][slot]
        return film


def _read_manifest(folder: Path, workspace: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise _unusable(folder, "there is no manifest.json", workspace)
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
        wrong = [name for name, kind in _KEYS.items() if not isinstance(manifest.get(name), kind)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(folder, f"manifest.json is damaged: {error}", workspace) from error
    if version != STORE_SCHEMA_VERSION:
        raise _unusable(folder, f"schema version {version} instead of {STORE_SCHEMA_VERSION}", workspace)
    if wrong or not all(_is_shard(shard) for shard in manifest["shards"]):
        raise _unusable(
            folder, f"manifest.json is damaged: no usable {', '.join(wrong) or 'shards'}", workspace
        )
    return manifest


def _is_shard(shard: object) -> bool:
    return (
        isinstance(shard, dict) and isinstance(shard.get("name"), str) and isinstance(shard.get("count"), int)
    )


def _map_shard(folder: Path, shard: dict[str, Any], size: int, workspace: Path) -> npt.NDArray[np.uint8]:
    path = folder / shard["name"]
    expected = shard["count"] * size * size
    found = path.stat().st_size if path.is_file() else None
    if found != expected:
        raise _unusable(folder, f"{shard['name']}: {found} bytes instead of {expected}", workspace)
    shape = (shard["count"], size, size)
    return np.memmap(path, dtype=np.uint8, mode="r", shape=shape)


def _read_geometry(folder: Path, count: int, workspace: Path) -> pa.Table:
    path = folder / "geometry.arrow"
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise _unusable(folder, f"geometry.arrow: {str(error).splitlines()[0]}", workspace) from error
    if not table.schema.equals(GEOMETRY_SCHEMA) or table.num_rows != count:
        raise _unusable(folder, "geometry.arrow does not fit the manifest", workspace)
    return table


def _unusable(folder: Path, found: str, workspace: Path) -> ArtifactError:
    return ArtifactError(
        "the image store is missing, unfinished or damaged",
        expected="the images/ folder as `cxrkit prepare` wrote it",
        found=f"{folder}: {found}",
        next_step=f"run `cxrkit prepare --workspace {workspace}` with the paths of the two data sets",
    )
