"""The manifest and geometry of a finished store, checked; all that readers and checks start from."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.data.films.manifest import (
    GEOMETRY,
    GEOMETRY_SCHEMA,
    MANIFEST,
    file_sha256,
    manifest_checksum,
)
from cxrkit.data.films.plan import STORE_SCHEMA_VERSION, PlannedShard
from cxrkit.data.films.shape import Padding
from cxrkit.data.index.artifact import read_fingerprint
from cxrkit.data.index.opener import column_array
from cxrkit.errors import ArtifactError

_KEYS: dict[str, type] = {
    "size": int,
    "padding": str,
    "stored": bool,
    "count": int,
    "image_list": str,
    "geometry_sha256": str,
    "shards": list,
    "checksum": str,
}


@dataclass(frozen=True)
class StoreRecord:
    """What a finished store says of itself.

    Attributes:
        workspace: the folder it lies in.
        folder: `images` in it.
        size: the setting `image_store_size`.
        padding: the setting `image_store_padding`.
        stored: whether there are pixels.
        count: number of films.
        image_list: hash of their ids.
        shards: as in the manifest.
        geometry: a row per film, memory-mapped.
        shard: `[count]` int32.
        offset: `[count]` int64, place in the shard's file.
        height: `[count]` int32, of the stored pixels.
        width: the same.
    """

    workspace: Path
    folder: Path
    size: int
    padding: Padding
    stored: bool
    count: int
    image_list: str
    shards: list[dict[str, Any]] = field(repr=False)
    geometry: pa.Table = field(repr=False)
    shard: npt.NDArray[np.int32] = field(repr=False)
    offset: npt.NDArray[np.int64] = field(repr=False)
    height: npt.NDArray[np.int32] = field(repr=False)
    width: npt.NDArray[np.int32] = field(repr=False)

    def column(self, name: str) -> npt.NDArray[Any]:
        """Gives a column of the geometry as a read-only array."""
        return column_array(self.geometry.column(name))


def read_store_record(workspace: Path) -> StoreRecord:
    """Reads manifest and geometry.

    Args:
        workspace: the folder that holds `images`.

    Raises:
        ArtifactError: one is missing, damaged or of another version.
    """
    folder = workspace / "images"
    manifest = _read_manifest(folder)
    geometry = _read_geometry(folder, manifest)
    return StoreRecord(
        workspace,
        folder,
        manifest["size"],
        manifest["padding"],
        manifest["stored"],
        manifest["count"],
        manifest["image_list"],
        manifest["shards"],
        geometry,
        *(column_array(geometry.column(name)) for name in ("shard", "offset", "height", "width")),
    )


def check_image_list(record: StoreRecord) -> None:
    """Refuses a store of other films than the index's.

    Raises:
        ArtifactError: it is one, or there is no finished index.
    """
    if record.image_list != read_fingerprint(record.workspace)["image_list"]:
        raise unusable_store(record.folder, "it holds other films than the index")


def planned_shards(record: StoreRecord) -> list[tuple[str, PlannedShard]]:
    """Gives name and content of every shard file as the manifest has them."""
    return [
        (shard["name"], PlannedShard(number, shard["films"], shard["payload"]))
        for number, shard in enumerate(record.shards)
    ]


def unusable_store(folder: Path, found: str) -> ArtifactError:
    """Gives the error of a store that cannot be used.

    Args:
        folder: of the store.
        found: what is wrong with it.
    """
    return ArtifactError(
        "the image store is missing, unfinished or damaged",
        expected="the images/ folder as `cxrkit prepare` wrote it",
        found=f"{folder}: {found}",
        next_step=f"run `cxrkit prepare --workspace {folder.parent}` with the paths of the two data sets",
    )


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise unusable_store(folder, "there is no manifest.json")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
        wrong = [name for name, kind in _KEYS.items() if not isinstance(manifest.get(name), kind)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise unusable_store(folder, f"manifest.json is damaged: {error}") from error
    if version != STORE_SCHEMA_VERSION:
        raise unusable_store(folder, f"schema version {version} instead of {STORE_SCHEMA_VERSION}")
    if wrong:
        raise unusable_store(folder, f"manifest.json is damaged: no usable {', '.join(wrong)}")
    if manifest["checksum"] != manifest_checksum(manifest):
        raise unusable_store(folder, "manifest.json is damaged: its checksum is wrong")
    return manifest


def _read_geometry(folder: Path, manifest: dict[str, Any]) -> pa.Table:
    path = folder / GEOMETRY
    try:
        if file_sha256(path) != manifest["geometry_sha256"]:
            raise unusable_store(folder, "geometry.arrow is damaged: its checksum is wrong")
        table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise unusable_store(folder, f"geometry.arrow: {str(error).splitlines()[0]}") from error
    if not table.schema.equals(GEOMETRY_SCHEMA) or table.num_rows != manifest["count"]:
        raise unusable_store(folder, "geometry.arrow does not fit the manifest")
    return table
