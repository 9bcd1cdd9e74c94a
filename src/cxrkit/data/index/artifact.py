"""The record of a finished index, `fingerprint.json`, and the errors about what is wrong with one."""

import json
from pathlib import Path
from typing import Any

from cxrkit.data.index.schemas import SCHEMA_VERSION, TABLES
from cxrkit.errors import ArtifactError

FINGERPRINT = "fingerprint.json"
INDEX_FILES = (*(f"{table}.arrow" for table in TABLES), "vocabularies.json", "rejects.csv")
_KEYS: dict[str, type] = {
    "fingerprint": str,
    "file_bytes": dict,
    "file_sha256": dict,
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
    return record


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
    return wrong


def _lacks(record: dict[str, Any], name: str, kinds: tuple[type, ...]) -> bool:
    return name not in record or not isinstance(record[name], kinds)


def check_sizes(workspace: Path, record: dict[str, Any]) -> None:
    """Returns when every file of the index has its recorded size.

    Raises:
        ArtifactError: one has not, or is missing.
    """
    for name, size in record["file_bytes"].items():
        path = workspace / "index" / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            state = "it is missing" if found is None else f"{found} bytes instead of {size}"
            raise damaged(path, state, workspace)


def damaged(path: Path, found: str, workspace: Path) -> ArtifactError:
    """Gives the error about a file of the index."""
    return ArtifactError(
        f"the index file {path.name} is damaged",
        expected="the file as `cxrkit prepare` wrote it",
        found=f"{path}: {found}",
        next_step=_PREPARE.format(workspace=workspace),
    )
