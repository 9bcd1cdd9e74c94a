"""Opens a finished index: memory-mapped tables, no work that grows with the questions."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxrkit.data.index.artifact import changed_workspace, check_files, damaged, read_fingerprint
from cxrkit.data.index.lookup import QuestionRecord, question_record
from cxrkit.data.index.schemas import FLAG, TABLES, table_schema
from cxrkit.errors import ArtifactError
from cxrkit.vocabulary import SPLITS

_NAMES = ("regions", "entities", "categories", "subcategories")


@dataclass(frozen=True)
class Vocabularies:
    """The open vocabularies; a number in the tables is a position here."""

    regions: tuple[str, ...]
    entities: tuple[str, ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]


@dataclass(frozen=True, repr=False)
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
    _columns: dict[tuple[str, str], npt.NDArray[Any]] = field(default_factory=dict, compare=False)
    _ragged: dict[tuple[str, str], Any] = field(default_factory=dict, compare=False)

    @classmethod
    def open(cls, workspace: Path) -> "Index":
        """Opens the index of a workspace.

        Args:
            workspace: the folder given to `prepare_workspace`.

        Raises:
            ArtifactError: there is none, it is unfinished, damaged, of another schema version, or has a
                patient in two splits.
        """
        record = read_fingerprint(workspace)
        check_files(workspace, record)
        folder = workspace / "index"
        tables = {name: _open_table(folder, name, workspace) for name in TABLES}
        sources = record["sources"]
        qba = sources["mimic_ext_cxr_qba_path"]
        index = cls(
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
        _check_splits(index)
        return index

    def __repr__(self) -> str:
        # Never the content: tables hold texts and identifiers of patients.
        tables = (f"{getattr(self, name).num_rows:,} {name}" for name in ("studies", "images", "questions"))
        return f"Index({self.workspace}: {', '.join(tables)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the files itself instead of receiving a copy.
        return _open_again, (self.workspace, self.fingerprint, self.settings)

    def require_current(self) -> None:
        """Returns when the workspace is still the one that was opened.

        Raises:
            ArtifactError: it was prepared again since: films and rows need not belong together.
        """
        record = read_fingerprint(self.workspace)
        if (record["fingerprint"], record["settings"]) != (self.fingerprint, self.settings):
            raise changed_workspace(self.workspace)

    def column(self, table: str, name: str) -> npt.NDArray[Any]:
        """Gives a column as a read-only array on the memory map: `[rows]`, labels `[rows, 14]`.

        Args:
            table: e.g. `questions`.
            name: a column of numbers or flags; see `ragged` for lists and `text` for texts.
        """
        key = (table, name)
        if key not in self._columns:
            values: pa.Table = getattr(self, table)
            if not _is_fixed(values.schema.field(name).type):
                raise TypeError(f"{table}.{name} holds lists or texts: see `ragged` and `text`")
            self._columns[key] = column_array(values.column(name))
        return self._columns[key]

    def ragged(self, table: str, name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Gives a column of lists: row r has `values[offsets[r]:offsets[r + 1]]`.

        Returns:
            `offsets [rows + 1]` and `values`, read-only on the memory map.
        """
        key = (table, name)
        if key not in self._ragged:
            values: pa.Table = getattr(self, table)
            if not pa.types.is_large_list(values.schema.field(name).type):
                raise TypeError(f"{table}.{name} holds no lists: see `column`")
            self._ragged[key] = ragged_arrays(values.column(name))
        arrays: tuple[npt.NDArray[np.int64], npt.NDArray[Any]] = self._ragged[key]
        return arrays

    def text(self, row: int) -> str:
        """Gives a text by its row in `texts`."""
        text: str = self.texts.column("text")[int(row)].as_py()
        return text

    def question(self, row: int) -> QuestionRecord:
        """Gives a question with its study; see `question_record`."""
        return question_record(self, row)

    def image_path(self, image_row: int) -> Path:
        """Gives the file of a film; `path` in the table always starts with `files/`, the folder may not."""
        relative = Path(self.images.column("path")[image_row].as_py())
        return self.image_folder / relative.relative_to("files")


def _open_again(workspace: Path, fingerprint: str, settings: dict[str, Any]) -> Index:
    index = Index.open(workspace)
    if (index.fingerprint, index.settings) != (fingerprint, settings):
        raise changed_workspace(workspace)
    return index


def column_array(values: "pa.ChunkedArray[Any]") -> npt.NDArray[Any]:
    """Gives a column of numbers or flags without nulls as an array, without a copy."""
    chunk = _single_chunk(values)
    array = _chunk_array(chunk)
    array.flags.writeable = False
    return array


def ragged_arrays(values: "pa.ChunkedArray[Any]") -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Gives offsets and values of a column of lists, without a copy."""
    chunk: Any = _single_chunk(values)
    offsets, items = chunk.offsets.to_numpy(), chunk.values.to_numpy()
    offsets.flags.writeable = items.flags.writeable = False
    return offsets, items


def _is_fixed(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_fixed_size_list(kind)


def _single_chunk(values: "pa.ChunkedArray[Any]") -> "pa.Array[Any]":
    chunk: pa.Array[Any] = values.chunk(0) if values.num_chunks else pa.array([], values.type)  # type: ignore[assignment]
    return chunk


def _chunk_array(chunk: "pa.Array[Any]") -> npt.NDArray[Any]:
    if isinstance(chunk, pa.FixedSizeListArray):
        return _chunk_array(chunk.flatten()).reshape(-1, chunk.type.list_size)
    array: npt.NDArray[Any] = chunk.to_numpy(zero_copy_only=True)
    return array.view(np.bool_) if chunk.type == FLAG else array


def _check_splits(index: Index) -> None:
    """Refuses a patient in two splits: results would be too good. Studies are sorted by patient."""
    subjects, splits = index.column("studies", "subject_id"), index.column("studies", "split")
    torn = np.flatnonzero((subjects[1:] == subjects[:-1]) & (splits[1:] != splits[:-1]))
    if len(torn):
        first = int(torn[0])
        found = f"p{subjects[first]} in {SPLITS[splits[first]]} and {SPLITS[splits[first + 1]]}"
        patients = len(np.unique(subjects[torn]))
        raise ArtifactError(
            f"{patients} patient{'s are' if patients > 1 else ' is'} in more than one split of the index",
            expected="every patient in exactly one of " + ", ".join(SPLITS),
            found=f"{index.workspace}: the first is {found}",
            next_step="run `cxrkit prepare --force`; if it stays, the split table is not the released one",
        )


def _read_vocabularies(folder: Path, workspace: Path) -> Vocabularies:
    path = folder / "vocabularies.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        lists = [content[kind] for kind in _NAMES]
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"not the expected JSON: {error!r}", workspace) from error
    wrong = [kind for kind, names in zip(_NAMES, lists, strict=True) if not _are_names(names)]
    if wrong:
        raise damaged(path, f"no list of names under {', '.join(wrong)}", workspace)
    return Vocabularies(*(tuple(names) for names in lists))


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _open_table(folder: Path, name: str, workspace: Path) -> pa.Table:
    path = folder / f"{name}.arrow"
    try:
        file = pa.ipc.open_file(pa.memory_map(str(path), "r"))
        table = file.read_all()
    except (pa.ArrowException, OSError) as error:
        raise damaged(path, str(error).splitlines()[0], workspace) from error
    if not table.schema.equals(table_schema(name)) or file.num_record_batches > 1:
        raise damaged(path, "its columns are not those of the format", workspace)
    return table
