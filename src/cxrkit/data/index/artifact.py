"""The record of a finished index, `fingerprint.json`, and the errors about what is wrong with one."""

import hashlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from cxrkit.data.index.schemas import SCHEMA_VERSION, TABLES
from cxrkit.errors import ArtifactError

FINGERPRINT = "fingerprint.json"
INDEX_FILES = (*(f"{table}.arrow" for table in TABLES), "vocabularies.json", "rejects.csv")
_KEYS: dict[str, type] = {
    "checksum": str,
    "fingerprint": str,
    "file_bytes": dict,
    "file_sha256": dict,
    "table_ends": dict,
    "image_list": str,
    "films_signature": str,
    "inputs_signature": str,
    "sources": dict,
    "settings": dict,
    "counts": dict,
}
_SOURCES: dict[str, tuple[type, ...]] = {
    "mimic_cxr_jpg_path": (str,),
    "mimic_ext_cxr_qba_path": (str, type(None)),
    "image_folder": (str,),
}
_PREPARE = "run `cxrkit prepare --workspace {workspace}` with the paths of the two data sets"


def read_fingerprint(workspace: Path) -> dict[str, Any]:
    """Reads `index/fingerprint.json`, whose presence says that the index is finished.

    Raises:
        ArtifactError: it is missing, damaged, or of another schema version.
    """
    path = workspace / "index" / FINGERPRINT
    if not path.is_file():
        half = (workspace / "index").exists()
        raise ArtifactError(
            "the workspace was not finished" if half else "there is no prepared workspace",
            expected=str(path),
            found="an index folder without fingerprint.json" if half else f"{workspace} has no index folder",
            next_step=_PREPARE.format(workspace=workspace),
        )
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = record["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"not the expected JSON: {error}", workspace) from error
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            "the workspace was made by another version of cxrkit",
            expected=f"index schema version {SCHEMA_VERSION}",
            found=f"version {version} in {path}",
            next_step=_PREPARE.format(workspace=workspace),
        )
    missing = _unusable_keys(record)
    if missing:
        raise damaged(path, f"no usable {', '.join(missing)} in it", workspace)
    if record["checksum"] != record_checksum(record):
        raise damaged(path, "its checksum does not fit", workspace)
    return record


def record_checksum(record: dict[str, Any]) -> str:
    """Gives the hex sha256 of a record without its own `checksum`."""
    content = {name: value for name, value in record.items() if name != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _unusable_keys(record: dict[str, Any]) -> list[str]:
    wrong = [name for name, kind in _KEYS.items() if not isinstance(record.get(name), kind)]
    if "sources" not in wrong:
        sources = record["sources"]
        wrong += [f"sources.{name}" for name, kinds in _SOURCES.items() if _lacks(sources, name, kinds)]
    if "settings" not in wrong and _lacks(record["settings"], "image_store_size", (int,)):
        wrong.append("settings.image_store_size")
    for key, kind in (("file_bytes", int), ("file_sha256", str)):
        if key not in wrong:
            wrong += [f"{key}.{name}" for name in INDEX_FILES if _lacks(record[key], name, (kind,))]
    if "table_ends" not in wrong:
        names = [f"{table}.arrow" for table in TABLES]
        wrong += [f"table_ends.{name}" for name in names if _lacks(record["table_ends"], name, (dict,))]
    return wrong


def _lacks(record: dict[str, Any], name: str, kinds: tuple[type, ...]) -> bool:
    return name not in record or not isinstance(record[name], kinds)


def check_files(workspace: Path, record: dict[str, Any]) -> None:
    """Returns when every file has its recorded size, small files their content, tables their head and tail.

    Head and tail say where the columns are; they are a few kilobytes however many rows there are. The
    columns themselves are checked by `cxrkit verify`.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    for name, size in record["file_bytes"].items():
        path = workspace / "index" / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            state = "it is missing" if found is None else f"{found} bytes instead of {size}"
            raise damaged(path, state, workspace)
    for name in ("vocabularies.json", "rejects.csv"):
        path = workspace / "index" / name
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != record["file_sha256"][name]:
            raise damaged(path, "its content is not what was written", workspace)
    for name, ends in record["table_ends"].items():
        path = workspace / "index" / name
        if ends_checksum(path, ends["head"], ends["tail"]) != ends["crc32"]:
            raise damaged(path, "the description of its columns is not what was written", workspace)


def table_ends(path: Path) -> dict[str, int]:
    """Gives how many bytes of an Arrow file lie before and after its columns, and their CRC-32."""
    size = path.stat().st_size
    with pa.memory_map(str(path), "r") as source:
        base = source.read_buffer().address
        source.seek(0)
        file = pa.ipc.open_file(source)
        batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        buffers = [buffer for batch in batches for column in batch.columns for buffer in column.buffers()]
        places = [(buffer.address - base, buffer.size) for buffer in buffers if buffer is not None]
    inside = [(start, length) for start, length in places if 0 <= start < size and length]
    head = min((start for start, _ in inside), default=size)
    tail = size - max((start + length for start, length in inside), default=size)
    return {"head": head, "tail": tail, "crc32": ends_checksum(path, head, tail)}


def ends_checksum(path: Path, head: int, tail: int) -> int:
    """Gives the CRC-32 of the first and last bytes of a file."""
    with path.open("rb") as stream:
        checksum = zlib.crc32(stream.read(head))
        stream.seek(-tail, os.SEEK_END)
        return zlib.crc32(stream.read(tail), checksum)


def changed_workspace(workspace: Path) -> ArtifactError:
    """Gives the error about a workspace that was prepared again while it was in use."""
    return ArtifactError(
        "the workspace was prepared again while it was in use",
        expected="the index that was opened first",
        found=f"another one in {workspace}",
        next_step="run the command again; it then reads the new workspace as a whole",
    )


def damaged(path: Path, found: str, workspace: Path) -> ArtifactError:
    """Gives the error about a file of the index."""
    return ArtifactError(
        f"the index file {path.name} is damaged",
        expected="the file as `cxrkit prepare` wrote it",
        found=f"{path}: {found}",
        next_step=_PREPARE.format(workspace=workspace),
    )
