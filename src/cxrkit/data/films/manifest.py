"""The files that close a store: `geometry.arrow`, and `manifest.json`, whose presence says it is finished."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cxrkit.data.films.film_list import FilmFile, columns_of, image_list_fingerprint
from cxrkit.data.films.journal import sync_folder
from cxrkit.data.films.outcomes import FilmResult, Outcomes
from cxrkit.data.films.plan import FILMS_PER_SHARD, HEADER_BYTES, STORE_SCHEMA_VERSION, StorePlan
from cxrkit.data.films.shard_file import shard_name

MANIFEST = "manifest.json"
GEOMETRY = "geometry.arrow"
_GEOMETRY_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("dicom_id", pa.string()),
    ("planned_row", pa.int32()),
    ("choice", pa.uint8()),
    ("shard", pa.int32()),
    ("offset", pa.int64()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("side", pa.int32()),
    ("scale", pa.float32()),
    ("pad_x", pa.float32()),
    ("pad_y", pa.float32()),
    ("crc32", pa.uint32()),
]
GEOMETRY_SCHEMA = pa.schema(
    _GEOMETRY_COLUMNS,
    metadata={
        "cxrkit": json.dumps({"schema_version": STORE_SCHEMA_VERSION, "table": "geometry"}, sort_keys=True)
    },
)


def write_manifest(folder: Path, films: Sequence[FilmFile], plan: StorePlan, outcomes: Outcomes) -> None:
    """Closes a store whose films are all on disk.

    Args:
        folder: with the shards.
        films: all that were planned.
        plan: of these films.
        outcomes: what became of them.
    """
    columns, _ = columns_of(films)
    stored_ids = [columns.dicom_ids[row] for row in outcomes.accepted.tolist()]
    geometry = folder / GEOMETRY
    _write_geometry(geometry, stored_ids, plan, outcomes)
    content: dict[str, Any] = {
        "schema_version": STORE_SCHEMA_VERSION,
        "size": plan.layout.size,
        "padding": plan.layout.padding,
        "stored": plan.layout.stored,
        "count": len(stored_ids),
        "planned": len(plan),
        "films_per_shard": FILMS_PER_SHARD,
        "image_list": image_list_fingerprint(stored_ids),
        "plan": plan.fingerprint,
        "geometry_sha256": file_sha256(geometry),
        "shards": [
            {"name": shard_name(shard.number), "films": shard.films, "payload": shard.payload}
            for shard in plan.shards()
        ],
        "rejected": [[row, *outcomes.film(row)] for row in outcomes.rejected.tolist()],
    }
    content["checksum"] = manifest_checksum(content)
    temporary = folder / f".{MANIFEST}"
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(folder)
    temporary.rename(folder / MANIFEST)
    sync_folder(folder)


def manifest_checksum(content: dict[str, Any]) -> str:
    """Gives the hex sha256 of a manifest without its own checksum."""
    rest = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Gives the hex sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def recall_outcomes(folder: Path, plan: StorePlan) -> Outcomes | None:
    """Gives what became of the films of a finished store of the same plan; None when there is none."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if content["plan"] != plan.fingerprint or content["checksum"] != manifest_checksum(content):
            return None
        if content["geometry_sha256"] != file_sha256(folder / GEOMETRY):
            return None
        rejected = [(row, FilmResult(*result)) for row, *result in content["rejected"]]
    except (OSError, ValueError, KeyError, TypeError):
        # Whatever is wrong with it: such a store is made anew.
        return None
    outcomes = Outcomes(plan)
    with pa.memory_map(str(folder / GEOMETRY), "r") as source:
        table = pa.ipc.open_file(source).read_all()
        rows = table.column("planned_row").to_numpy()
        outcomes.crc32[rows] = table.column("crc32").to_numpy()
        outcomes.choice[rows] = table.column("choice").to_numpy()
    for row, result in rejected:
        outcomes.set_film(row, result)
    outcomes.done[:] = True
    return outcomes


def _write_geometry(path: Path, dicom_ids: list[str], plan: StorePlan, outcomes: Outcomes) -> None:
    rows = outcomes.accepted
    shapes = plan.shapes
    columns: dict[str, Any] = {
        "dicom_id": dicom_ids,
        "planned_row": rows,
        "choice": outcomes.choice[rows],
        "shard": rows // FILMS_PER_SHARD,
        # Counted from the start of the file: the header page comes first.
        "offset": plan.offset[rows] + HEADER_BYTES,
        "height": shapes.stored_height[rows],
        "width": shapes.stored_width[rows],
        "side": shapes.side[rows],
        "scale": shapes.scale[rows].astype(np.float32),
        "pad_x": shapes.pad_x[rows].astype(np.float32),
        "pad_y": shapes.pad_y[rows].astype(np.float32),
        "crc32": outcomes.crc32[rows],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in GEOMETRY_SCHEMA]
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, GEOMETRY_SCHEMA) as table:
        table.write_batch(pa.record_batch(arrays, schema=GEOMETRY_SCHEMA))
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
