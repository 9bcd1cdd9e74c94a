"""Opens a finished index: memory-mapped tables, no work that grows with the data."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.data.index.schemas import SCHEMA_VERSION, TABLES, table_schema
from cxrkit.errors import ArtifactError

_KEYS: dict[str, type] = {
    "fingerprint": str,
    "file_bytes": dict,
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
_NAMES = ("regions", "entities", "categories", "subcategories")
_PREPARE = "run `cxrkit prepare --workspace {workspace}` with the paths of the two data sets"


@dataclass(frozen=True)
class Vocabularies:
    """The open vocabularies; a number in the tables is a position here."""

    regions: tuple[str, ...]
    entities: tuple[str, ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    """A finished index; `Index.open` makes it.

    Attributes:
        workspace: the folder it was opened from.
        images: one row per accepted film.
        studies: one row per study.
        questions: one row per question.
        answer_boxes: boxes of main answers.
        region_boxes: boxes of the scene graph's regions.
        observations: the scene graph's observations.
        texts: every text once.
        vocabularies: regions, entities, categories, subcategories.
        fingerprint: hex sha256 of the content.
        counts: patients, studies, films, questions and rejects; see `docs/index_format.md`.
        settings: what the content was made with.
        mimic_cxr_jpg_path: source of the films.
        mimic_ext_cxr_qba_path: source of the questions, None when made without.
        image_folder: holds p10 .. p19.
    """

    workspace: Path
    images: pa.Table
    studies: pa.Table
    questions: pa.Table
    answer_boxes: pa.Table
    region_boxes: pa.Table
    observations: pa.Table
    texts: pa.Table
    vocabularies: Vocabularies
    fingerprint: str
    counts: dict[str, Any]
    settings: dict[str, Any]
    mimic_cxr_jpg_path: Path
    mimic_ext_cxr_qba_path: Path | None
    image_folder: Path
    _columns: dict[tuple[str, str], npt.NDArray[Any]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def open(cls, workspace: Path) -> "Index":
        """Opens the index of a workspace.

        Args:
            workspace: the folder given to `prepare_workspace`.

        Raises:
            ArtifactError: there is none, it is unfinished, damaged, or of another schema version.
        """
        record = read_fingerprint(workspace)
        folder = workspace / "index"
        for name, size in record["file_bytes"].items():
            _check_size(folder / name, size, workspace)
        tables = {name: _open_table(folder, name, workspace) for name in TABLES}
        sources = record["sources"]
        qba = sources["mimic_ext_cxr_qba_path"]
        return cls(
            workspace=workspace,
            images=tables["images"],
            studies=tables["studies"],
            questions=tables["questions"],
            answer_boxes=tables["answer_boxes"],
            region_boxes=tables["region_boxes"],
            observations=tables["observations"],
            texts=tables["texts"],
            vocabularies=_read_vocabularies(folder, workspace),
            fingerprint=record["fingerprint"],
            counts=record["counts"],
            settings=record["settings"],
            mimic_cxr_jpg_path=Path(sources["mimic_cxr_jpg_path"]),
            mimic_ext_cxr_qba_path=None if qba is None else Path(qba),
            image_folder=Path(sources["image_folder"]),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the files itself instead of receiving a copy.
        return Index.open, (self.workspace,)

    def column(self, table: str, name: str) -> npt.NDArray[Any]:
        """Gives a column as a read-only array, kept after the first call: `[rows]`, labels `[rows, 14]`.

        Args:
            table: e.g. `questions`.
            name: a column of it; of a list column use the Arrow table instead.
        """
        key = (table, name)
        if key not in self._columns:
            values: pa.Table = getattr(self, table)
            self._columns[key] = column_array(values.column(name))
        return self._columns[key]

    def image_path(self, image_row: int) -> Path:
        """Gives the file of a film; `path` in the table always starts with `files/`, the folder may not."""
        relative = Path(self.images.column("path")[image_row].as_py())
        return self.image_folder / relative.relative_to("files")


def column_array(values: "pa.ChunkedArray[Any]") -> npt.NDArray[Any]:
    """Gives a column without nulls as an array; no copy when it is one chunk of numbers."""
    parts = [_chunk_array(chunk) for chunk in values.chunks] or [_chunk_array(pa.array([], values.type))]
    array = parts[0] if len(parts) == 1 else np.concatenate(parts)
    array.flags.writeable = False
    return array


def _chunk_array(chunk: "pa.Array[Any]") -> npt.NDArray[Any]:
    if isinstance(chunk, pa.FixedSizeListArray):
        return _chunk_array(chunk.flatten()).reshape(-1, chunk.type.list_size)
    plain = pa.types.is_integer(chunk.type) or pa.types.is_floating(chunk.type)
    array: npt.NDArray[Any] = chunk.to_numpy(zero_copy_only=plain)
    return array


def read_fingerprint(workspace: Path) -> dict[str, Any]:
    """Reads `index/fingerprint.json`, whose presence says that the index is finished.

    Raises:
        ArtifactError: it is missing, damaged, or of another schema version.
    """
    path = workspace / "index" / "fingerprint.json"
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
        raise _damaged(path, f"not the expected JSON: {error}", workspace) from error
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            "the workspace was made by another version of cxrkit",
            expected=f"index schema version {SCHEMA_VERSION}",
            found=f"version {version} in {path}",
            next_step=_PREPARE.format(workspace=workspace),
        )
    missing = _unusable_keys(record)
    if missing:
        raise _damaged(path, f"no usable {', '.join(missing)} in it", workspace)
    return record


def _unusable_keys(record: dict[str, Any]) -> list[str]:
    wrong = [name for name, kind in _KEYS.items() if not isinstance(record.get(name), kind)]
    if "sources" not in wrong:
        sources = record["sources"]
        wrong += [f"sources.{name}" for name, kinds in _SOURCES.items() if _lacks(sources, name, kinds)]
    if "settings" not in wrong and _lacks(record["settings"], "image_store_size", (int,)):
        wrong.append("settings.image_store_size")
    if "file_bytes" not in wrong:
        names = [*(f"{table}.arrow" for table in TABLES), "vocabularies.json", "rejects.csv"]
        wrong += [f"file_bytes.{name}" for name in names if _lacks(record["file_bytes"], name, (int,))]
    return wrong


def _lacks(record: dict[str, Any], name: str, kinds: tuple[type, ...]) -> bool:
    return name not in record or not isinstance(record[name], kinds)


def _read_vocabularies(folder: Path, workspace: Path) -> Vocabularies:
    path = folder / "vocabularies.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lists = [content[kind] for kind in _NAMES]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, f"not the expected JSON: {error!r}", workspace) from error
    wrong = [kind for kind, names in zip(_NAMES, lists, strict=True) if not _are_names(names)]
    if wrong:
        raise _damaged(path, f"no list of names under {', '.join(wrong)}", workspace)
    return Vocabularies(*(tuple(names) for names in lists))


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _check_size(path: Path, size: int, workspace: Path) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found != size:
        state = "it is missing" if found is None else f"{found} bytes instead of {size}"
        raise _damaged(path, state, workspace)


def _open_table(folder: Path, name: str, workspace: Path) -> pa.Table:
    path = folder / f"{name}.arrow"
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path), "r")).read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, str(error).splitlines()[0], workspace) from error
    if not table.schema.equals(table_schema(name)):
        raise _damaged(path, "its columns are not those of the format", workspace)
    return table


def _damaged(path: Path, found: str, workspace: Path) -> ArtifactError:
    return ArtifactError(
        f"the index file {path.name} is damaged",
        expected="the file as `cxrkit prepare` wrote it",
        found=f"{path}: {found}",
        next_step=_PREPARE.format(workspace=workspace),
    )
