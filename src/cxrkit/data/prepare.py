"""From the two data sets to a finished workspace: index and image store, or a clear error."""

import hashlib
import json
import logging
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxrkit.data.film_shards import FilmFile, StoredAs, image_list_fingerprint, write_film_shards
from cxrkit.data.image_store import ImageStore
from cxrkit.data.index import Index
from cxrkit.data.index.builder import IndexBuilder, reject_studies_without_films, studies_of_films
from cxrkit.data.index.opener import read_fingerprint
from cxrkit.data.index.schemas import SCHEMA_VERSION
from cxrkit.data.mimic_cxr.films import FilmTable, read_films
from cxrkit.data.mimic_cxr.labels import StudyLabels, read_labels
from cxrkit.data.mimic_cxr.layout import CHEXPERT, NEGBIO, TEST_LABELS, MimicCxrLayout, find_mimic_cxr
from cxrkit.data.qba.layout import QbaFiles, find_qba
from cxrkit.data.qba.vocabularies import read_vocabularies
from cxrkit.data.rejects import Reject, RejectLog, film_remedy, read_rejects
from cxrkit.data.source_state import (
    FILM_FILE_CODES,
    film_paths,
    film_place,
    films_signature,
    inputs_signature,
)
from cxrkit.data.workspace_folder import (
    FINGERPRINT,
    INDEX_FILES,
    building_folder,
    check_outside_sources,
    check_workspace,
    publish,
)
from cxrkit.errors import ArtifactError, DataLayoutError, SettingsError
from cxrkit.version import __version__

logger = logging.getLogger(__name__)

StageProgress = Callable[[str, int, int], None]
DEFAULT_STORE_SIZE = 320
_STORE_SIZES = (16, 4096)
_LABEL_TABLES = {"chexpert": CHEXPERT, "negbio": NEGBIO, "radiologist": TEST_LABELS}


@dataclass(frozen=True)
class PreparedSummary:
    """What a workspace holds.

    Attributes:
        workspace: the folder.
        fingerprint: hex sha256 of the index.
        counts: as in `fingerprint.json`, `rejects` among them.
        unchanged: nothing was done because the workspace was up to date.
    """

    workspace: Path
    fingerprint: str
    counts: dict[str, Any]
    unchanged: bool


@dataclass(frozen=True)
class _Sources:
    mimic_path: Path
    qa_path: Path | None
    mimic: MimicCxrLayout
    qba: QbaFiles | None

    @property
    def folders(self) -> tuple[Path, ...]:
        """What belongs to the data sets: the named folders, and those of films and tables."""
        tables = {path.parent for path in self.mimic.tables.values()}
        named = (self.mimic_path, self.mimic.image_folder) + ((self.qa_path,) if self.qa_path else ())
        return (*named, *sorted(tables))

    def as_json(self) -> dict[str, str | None]:
        return {
            "mimic_cxr_jpg_path": str(self.mimic_path),
            "mimic_ext_cxr_qba_path": None if self.qa_path is None else str(self.qa_path),
            "image_folder": str(self.mimic.image_folder),
        }


def prepare_workspace(
    mimic_cxr_path: Path,
    mimic_qa_path: Path | None,
    workspace: Path,
    image_store_size: int = DEFAULT_STORE_SIZE,
    *,
    workers: int | None = None,
    force: bool = False,
    progress: StageProgress | None = None,
) -> PreparedSummary:
    """Makes the workspace, or finds it up to date.

    Everything is written beside the old content and moved into place at the end; the index's
    `fingerprint.json` comes last. Same content of the sources gives the same index bytes, zipped or not.

    Args:
        mimic_cxr_path: MIMIC-CXR-JPG: release root or its `files/`.
        mimic_qa_path: MIMIC-Ext-CXR-QBA: release root or an export; None makes an index without questions.
        workspace: new, empty, or made by an earlier call.
        image_store_size: side of the stored squares in pixels, 16 to 4096.
        workers: decoding threads; None takes the usable CPUs. The result does not depend on it.
        force: build even when nothing has changed.
        progress: called as (stage, done, total) with the stages "images" and "index".

    Raises:
        DataLayoutError: an input is missing or unusable.
        ArtifactError: the workspace folder is not a workspace, in use, part of the data, or cannot be
            written.
        SettingsError: `image_store_size` or `workers` is out of range.
    """
    _check_settings(image_store_size, workers)
    workspace = workspace.expanduser().resolve()
    settings = {"image_store_size": image_store_size}
    rejects = RejectLog()
    try:
        sources = _find_sources(mimic_cxr_path, mimic_qa_path, rejects)
        check_outside_sources(workspace, sources.folders)
        check_workspace(workspace)
        signature = inputs_signature(sources.mimic, sources.qba)
        old = None if force else _up_to_date(workspace, sources, settings, signature)
        if old is not None:
            logger.info("the workspace %s is up to date", workspace)
            return PreparedSummary(workspace, old["fingerprint"], old["counts"], True)
        with building_folder(workspace) as building:
            record = _build(building, sources, image_store_size, workers, rejects, progress)
            record |= {"settings": settings, "inputs_signature": signature}
            publish(building, workspace, record)
    except OSError as error:
        raise ArtifactError(
            "a file or folder cannot be read or written while preparing",
            expected=f"readable data sets, and a writable folder with enough space at {workspace}",
            found=f"{error.filename or workspace}: {error.strerror or error}",
            next_step="mend the permissions, free some space, or choose another folder with --workspace",
        ) from error
    return PreparedSummary(workspace, record["fingerprint"], record["counts"], False)


def ensure_workspace(
    mimic_cxr_path: Path | None,
    mimic_qa_path: Path | None,
    workspace: Path,
    image_store_size: int | None = None,
    *,
    workers: int | None = None,
    progress: StageProgress | None = None,
) -> Index:
    """Opens the index of a workspace, preparing it first when there is none.

    Args:
        mimic_cxr_path: as for `prepare_workspace`; None takes what the workspace was made from.
        mimic_qa_path: the same.
        workspace: the folder.
        image_store_size: None takes the workspace's own, or the default for a new one.
        workers: decoding threads for a new workspace.
        progress: called as (stage, done, total) for a new workspace.

    Raises:
        ArtifactError: the workspace is unfinished, was made from other sources, from another state of
            them, or with another image size, or there is none and no source was named.
        DataLayoutError: an input is missing or unusable.
    """
    workspace = workspace.expanduser().resolve()
    if (workspace / "index").exists() or mimic_cxr_path is None:
        index = Index.open(workspace)
        _check_same_sources(index, mimic_cxr_path, mimic_qa_path, image_store_size)
        _check_unchanged_sources(index)
        return index
    prepare_workspace(
        mimic_cxr_path,
        mimic_qa_path,
        workspace,
        image_store_size or DEFAULT_STORE_SIZE,
        workers=workers,
        progress=progress,
    )
    return Index.open(workspace)


def _check_same_sources(index: Index, mimic: Path | None, qa: Path | None, size: int | None) -> None:
    wanted = {
        "MIMIC-CXR-JPG": (mimic, index.mimic_cxr_jpg_path),
        "MIMIC-Ext-CXR-QBA": (qa, index.mimic_ext_cxr_qba_path),
    }
    for name, (given, made_from) in wanted.items():
        if given is not None and given.expanduser().resolve() != made_from:
            raise ArtifactError(
                f"the workspace was made from another {name}",
                expected=str(given.expanduser().resolve()),
                found=f"{index.workspace} was made from {made_from}",
                next_step="pass another folder with --workspace, or run `cxrkit prepare` for this one again",
            )
    made_with = index.settings["image_store_size"]
    if size is not None and size != made_with:
        raise ArtifactError(
            "the workspace was made with another image size",
            expected=f"image_store_size {size}",
            found=f"{index.workspace} has {made_with}",
            next_step="pass another folder with --workspace, or run `cxrkit prepare` for this one again",
        )


def _check_unchanged_sources(index: Index) -> None:
    """Refuses data that changed after they were prepared; where they cannot be reached the index stands."""
    mimic, qa = index.mimic_cxr_jpg_path, index.mimic_ext_cxr_qba_path
    try:
        sources = _find_sources(mimic, qa, RejectLog())
        signature = inputs_signature(sources.mimic, sources.qba)
    except (DataLayoutError, OSError) as error:
        logger.warning("whether the data of %s changed cannot be told: %s", index.workspace, error)
        return
    recorded = read_fingerprint(index.workspace)["inputs_signature"]
    if signature != recorded:
        raise ArtifactError(
            "the data changed since the workspace was prepared",
            expected=f"tables and questions with the signature {recorded[:12]}",
            found=f"signature {signature[:12]} of the files in {mimic}" + (f" and {qa}" if qa else ""),
            next_step=_prepare_command(index),
        )


def _prepare_command(index: Index) -> str:
    words = ["cxrkit", "prepare", "--mimic_cxr_path", str(index.mimic_cxr_jpg_path)]
    if index.mimic_ext_cxr_qba_path is not None:
        words += ["--mimic_qa_path", str(index.mimic_ext_cxr_qba_path)]
    size = index.settings["image_store_size"]
    words += ["--workspace", str(index.workspace)]
    words += ["--set", f"data.image_store_size={size}"] if size != DEFAULT_STORE_SIZE else []
    return f"run `{shlex.join(words)}`"


def _check_settings(size: int, workers: int | None) -> None:
    mistakes = []
    if not _STORE_SIZES[0] <= size <= _STORE_SIZES[1]:
        mistakes.append(f"image_store_size is {size}; it must be {_STORE_SIZES[0]} to {_STORE_SIZES[1]}")
    if workers is not None and workers < 1:
        mistakes.append(f"workers is {workers}; it must be at least 1")
    if mistakes:
        raise SettingsError("prepare", mistakes)


def _find_sources(mimic_path: Path, qa_path: Path | None, rejects: RejectLog) -> _Sources:
    mimic_path = mimic_path.expanduser().resolve()
    mimic = find_mimic_cxr(mimic_path)
    if qa_path is None:
        return _Sources(mimic_path, None, mimic, None)
    qa_path = qa_path.expanduser().resolve()
    return _Sources(mimic_path, qa_path, mimic, find_qba(qa_path, rejects))


def _up_to_date(
    workspace: Path, sources: _Sources, settings: dict[str, int], signature: str
) -> dict[str, Any] | None:
    """Gives the record of a finished workspace that a new run would not change."""
    if not (workspace / "index" / FINGERPRINT).is_file():
        return None
    try:
        record = read_fingerprint(workspace)
        Index.open(workspace)
        ImageStore.open(workspace)
        rejected = _rejected_film_files(workspace, sources.mimic)
    except (ArtifactError, OSError, ValueError) as error:
        logger.warning("the workspace %s is made anew: %s", workspace, error)
        return None
    expected = (sources.as_json(), settings, signature, films_signature(rejected))
    found = tuple(record.get(key) for key in ("sources", "settings", "inputs_signature", "films_signature"))
    return record if found == expected else None


def _rejected_film_files(workspace: Path, mimic: MimicCxrLayout) -> list[FilmFile]:
    rows = [row for row in read_rejects(workspace / "index" / "rejects.csv") if row.code in FILM_FILE_CODES]
    return [_film_file(mimic, row.subject_id, row.study_id, row.dicom_id, 0, 0) for row in rows]


def _film_file(
    mimic: MimicCxrLayout, subject: int, study: int, dicom: str, width: int, height: int
) -> FilmFile:
    return FilmFile(dicom, film_paths(mimic.image_folder, film_place(subject, study, dicom)), width, height)


def _build(
    building: Path,
    sources: _Sources,
    size: int,
    workers: int | None,
    rejects: RejectLog,
    progress: StageProgress | None,
) -> dict[str, Any]:
    """Writes index and images below `building` and gives the record for `fingerprint.json`."""
    table = read_films(sources.mimic, rejects)
    # Tables are read before the films: a table that cannot be used should not cost hours of decoding first.
    known = np.array(sorted(table.subject_of_study), dtype=np.int32)
    labels = {
        name: read_labels(sources.mimic.tables.get(file), known, table.subject_of_study, rejects)
        for name, file in _LABEL_TABLES.items()
    }
    files = [
        _film_file(sources.mimic, *row)
        for row in table.films.select("subject_id", "study_id", "dicom_id", "columns", "rows").iter_rows()
    ]
    stored = write_film_shards(building / "images", files, size, workers, _stage("images", progress))
    films, rejected = _accept_films(table, sources.mimic, stored, rejects)
    study_ids = studies_of_films(films)["study_id"].to_numpy()
    reject_studies_without_films(sources.qba, study_ids, table.subject_of_study, rejects)
    rows = np.searchsorted(known, study_ids)
    labels = {name: StudyLabels(given.values[rows], given.present[rows]) for name, given in labels.items()}
    names = read_vocabularies(sources.qba.dataset_info if sources.qba else None, rejects)
    builder = IndexBuilder(building / "index", films, rejected, labels, names, rejects)
    builder.write(sources.qba, _stage("index", progress))
    rejects.write(building / "index" / "rejects.csv")
    unusable = [file for file, result in zip(files, stored, strict=True) if result.code]
    return {
        "schema_version": SCHEMA_VERSION,
        "cxrkit_version": __version__,
        "fingerprint": _content_fingerprint(building / "index"),
        "file_bytes": {name: (building / "index" / name).stat().st_size for name in INDEX_FILES},
        "image_list": image_list_fingerprint(films["dicom_id"].to_list()),
        "films_signature": films_signature(sorted(unusable)),
        "sources": sources.as_json(),
        "counts": builder.counts.as_json() | {"rejects": rejects.counts()},
    }


def _stage(name: str, progress: StageProgress | None) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, total: progress(name, done, total)


def _accept_films(
    table: FilmTable, mimic: MimicCxrLayout, stored: list[StoredAs], rejects: RejectLog
) -> tuple[pl.DataFrame, dict[int, frozenset[str]]]:
    """Gives the usable films with their `path`, and the ids of the others by study."""
    paths = ["files/" + result.path.relative_to(mimic.image_folder).as_posix() for result in stored]
    good = np.array([not result.code for result in stored], dtype=np.bool_)
    rejected: dict[int, set[str]] = {}
    for row, result in zip(table.films.iter_rows(named=True), stored, strict=True):
        if result.code:
            ids = (row["subject_id"], row["study_id"], row["dicom_id"])
            where = f"files/{film_place(*ids)}"
            rejects.add(Reject(result.code, "image", *ids, where=where, detail=result.detail))
            rejected.setdefault(row["study_id"], set()).add(row["dicom_id"])
    films = table.films.with_columns(pl.Series("path", paths, dtype=pl.String)).filter(pl.Series(good))
    if films.is_empty():
        first = next(result for result in stored if result.code)
        counts = Counter(result.code for result in stored)
        listed = ", ".join(f"{code} {count}" for code, count in counts.most_common())
        raise DataLayoutError(
            "no film can be used",
            expected="8-bit JPEG files of the size in the metadata table",
            found=f"{len(stored)} films rejected ({listed}); the first: {first.code} {first.path}",
            next_step=film_remedy(counts),
        )
    return films, {study: frozenset(ids) for study, ids in rejected.items()}


def _content_fingerprint(folder: Path) -> str:
    """Hashes the files of the index by name and content; paths, times and containers do not enter."""
    digests = {}
    for name in INDEX_FILES:
        with (folder / name).open("rb") as stream:
            digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
