"""Makes the workspace from the two data sets, going on where an interrupted run stopped."""

import errno
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cxrkit.data.films.film_list import FilmList, image_list_fingerprint
from cxrkit.data.films.opener import open_films
from cxrkit.data.films.shape import Padding, StoreLayout
from cxrkit.data.films.writer import write_films
from cxrkit.data.index import Index
from cxrkit.data.index.artifact import FINGERPRINT, INDEX_FILES, read_fingerprint, table_ends
from cxrkit.data.index.builder import build_chunks
from cxrkit.data.index.schemas import SCHEMA_VERSION, TABLES
from cxrkit.data.index.tables import write_tables
from cxrkit.data.index.units import IndexPlan, plan_index
from cxrkit.data.mimic_cxr.films import FilmTable, read_films
from cxrkit.data.mimic_cxr.labels import StudyLabels, read_labels
from cxrkit.data.mimic_cxr.layout import CHEXPERT, NEGBIO, TEST_LABELS
from cxrkit.data.prepare.estimate import Estimate, estimate_run
from cxrkit.data.prepare.films import accept_films, film_files, rejected_film_files
from cxrkit.data.prepare.sources import Sources, find_sources
from cxrkit.data.qba.layout import QbaFiles, open_qba
from cxrkit.data.qba.members import study_code
from cxrkit.data.qba.vocabularies import NameTable, read_vocabularies
from cxrkit.data.rejects import RejectLog, read_rejects
from cxrkit.data.source_state import films_signature, inputs_signature
from cxrkit.data.workspace_folder import (
    check_outside_sources,
    check_workspace,
    lock_workspace,
    publish,
    tell_unfinished,
)
from cxrkit.errors import ArtifactError, SettingsError
from cxrkit.hardware import usable_cores
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


def prepare_workspace(
    mimic_cxr_path: Path,
    mimic_qa_path: Path | None,
    workspace: Path,
    image_store_size: int = DEFAULT_STORE_SIZE,
    *,
    image_store: bool = True,
    image_store_padding: Padding = "square",
    workers: int | None = None,
    force: bool = False,
    progress: StageProgress | None = None,
    announce: Callable[[Estimate], None] | None = None,
) -> PreparedSummary:
    """Makes the workspace, or finds it up to date.

    Everything is written beside the old content and moved into place at the end; the index's
    `fingerprint.json` comes last. A run that was interrupted, by SIGKILL too, is gone on with by the next one
    and ends with the same bytes. Same content of the sources gives the same index bytes, zipped or not.

    Args:
        mimic_cxr_path: MIMIC-CXR-JPG: release root or its `files/`.
        mimic_qa_path: MIMIC-Ext-CXR-QBA: release root or an export; None makes an index without questions.
        workspace: new, empty, or made by an earlier call.
        image_store_size: size of the stored films in pixels, 16 to 4096; see `StoreLayout`.
        image_store: False checks every film but keeps no pixels.
        image_store_padding: see `StoreLayout`.
        workers: number of processes; None takes the usable CPUs. The result does not depend on it.
        force: build even when nothing has changed.
        progress: called as (stage, done, total) with the stages "images", "index" and "joining".
        announce: called with the estimate before the work starts.

    Raises:
        DataLayoutError: an input is missing or unusable.
        ArtifactError: the workspace folder is not a workspace, in use, part of the data, or cannot be
            written, or its disk is too small.
        SettingsError: `image_store_size` or `workers` is out of range.
    """
    _check_settings(image_store_size, workers)
    workspace = workspace.expanduser().resolve()
    layout = StoreLayout(image_store_size, image_store_padding, image_store)
    with _system_errors_told(workspace):
        sources = find_sources(mimic_cxr_path, mimic_qa_path)
        check_outside_sources(workspace, sources.folders)
        check_workspace(workspace)
        signature = inputs_signature(sources.mimic, sources.qba)
        # Looked at without the lock first: a finished workspace may lie on a disk that is read only.
        old = None if force else _up_to_date(workspace, sources, layout, signature)
        if old is not None:
            logger.info("the workspace %s is up to date", workspace)
            tell_unfinished(workspace)
            return PreparedSummary(workspace, old["fingerprint"], old["counts"], True)
        with lock_workspace(workspace) as (building, published):
            # An interrupted run may have been only just short of this, and is now finished.
            old = _up_to_date(workspace, sources, layout, signature) if published and not force else None
            if old is not None:
                return PreparedSummary(workspace, old["fingerprint"], old["counts"], True)
            run = _Run(building, sources, layout, signature, workers or usable_cores(), progress)
            record = run.build(announce)
            publish(building, workspace, record)
    return PreparedSummary(workspace, record["fingerprint"], record["counts"], False)


@contextmanager
def _system_errors_told(workspace: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            "a file or folder cannot be read or written while preparing",
            expected=f"readable data sets, and a writable folder with enough space at {workspace}",
            found=f"{error.filename or workspace}: {error.strerror or error}",
            next_step=f"{_remedy(error)}; then run the command again, what is finished is kept",
        ) from error


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "free some space, or choose another folder with --workspace"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "mend the permissions, or choose another folder with --workspace"
    return "look after the disk, or choose another folder with --workspace"


def store_settings(layout: StoreLayout) -> dict[str, object]:
    """Gives the `settings` of `fingerprint.json`."""
    return {
        "image_store_size": layout.size,
        "image_store_padding": layout.padding,
        "image_store": layout.stored,
    }


def _check_settings(size: int, workers: int | None) -> None:
    mistakes = []
    if not _STORE_SIZES[0] <= size <= _STORE_SIZES[1]:
        mistakes.append(f"image_store_size is {size}; it must be {_STORE_SIZES[0]} to {_STORE_SIZES[1]}")
    if workers is not None and workers < 1:
        mistakes.append(f"workers is {workers}; it must be at least 1")
    if mistakes:
        raise SettingsError("prepare", mistakes)


def _up_to_date(
    workspace: Path, sources: Sources, layout: StoreLayout, signature: str
) -> dict[str, Any] | None:
    """Gives the record of a finished workspace that a new run would not change; logs what is different."""
    if not (workspace / "index" / FINGERPRINT).is_file():
        return None
    try:
        record = read_fingerprint(workspace)
        Index.open(workspace)
        open_films(workspace)
        rejects = read_rejects(workspace / "index" / "rejects.csv")
    except ArtifactError as error:
        logger.warning("the workspace %s is made anew: %s (%s)", workspace, error.problem, error.found)
        return None
    except (OSError, ValueError) as error:
        logger.warning("the workspace %s is made anew: %s", workspace, error)
        return None
    wanted: dict[str, object] = {
        **sources.as_json(),
        **store_settings(layout),
        "tables and questions": signature,
        "rejected films": films_signature(rejected_film_files(rejects, sources.mimic)),
    }
    found: dict[str, object] = {
        **record["sources"],
        **record["settings"],
        "tables and questions": record["inputs_signature"],
        "rejected films": record["films_signature"],
    }
    different = [name for name, value in wanted.items() if found.get(name) != value]
    for name in different:
        if name in ("tables and questions", "rejected films"):
            logger.info("the workspace is made anew: the %s changed since it was prepared", name)
        else:
            logger.info("the workspace is made anew: %s was %s, now %s", name, found.get(name), wanted[name])
    return None if different else record


@dataclass
class _Run:
    """One run: what is to be made of what, and where."""

    building: Path
    sources: Sources
    layout: StoreLayout
    signature: str
    workers: int
    progress: StageProgress | None

    def build(self, announce: Callable[[Estimate], None] | None) -> dict[str, Any]:
        """Makes `index` and `images` in the building folder and gives the content of `fingerprint.json`."""
        rejects = RejectLog()
        mimic = self.sources.mimic
        qba = open_qba(self.sources.qba, rejects) if self.sources.qba else None
        table = read_films(mimic, rejects)
        # Tables are read before the films: an unusable one should not cost hours of decoding first.
        labels = self._read_labels(table, rejects)
        names = read_vocabularies(qba.dataset_info if qba else None, rejects)
        files = film_files(table, mimic)
        self._announce(table, files, qba, names, announce)
        stored = write_films(
            self.building / "images", files, self.layout, self.workers, self._stage("images")
        )
        films, rejected = accept_films(table, mimic, stored, rejects)
        unusable = [file for file, result in zip(files, stored, strict=True) if result.code]
        plan = plan_index(films, rejected, table.subject_of_study, qba)
        counts = self._index(plan, labels, names, rejects)
        return self._record(films, counts) | {"films_signature": films_signature(sorted(unusable))}

    def _read_labels(self, table: FilmTable, rejects: RejectLog) -> dict[str, StudyLabels]:
        """Gives the labels of all studies of the metadata table, by study_id."""
        known = np.array(sorted(table.subject_of_study), dtype=np.int32)
        return {
            name: read_labels(self.sources.mimic.tables.get(file), known, table.subject_of_study, rejects)
            for name, file in _LABEL_TABLES.items()
        }

    def _announce(
        self,
        table: FilmTable,
        files: FilmList,
        qba: QbaFiles | None,
        names: dict[str, NameTable],
        announce: Callable[[Estimate], None] | None,
    ) -> None:
        plan = plan_index(table.films, {}, table.subject_of_study, qba)
        estimate = estimate_run(files, self.layout, plan, names, self.workers, self.building)
        if announce:
            announce(estimate)
        estimate.require_disk(self.building.parent)

    def _index(
        self,
        plan: IndexPlan,
        labels: dict[str, StudyLabels],
        names: dict[str, NameTable],
        rejects: RejectLog,
    ) -> dict[str, Any]:
        """Makes the index and gives its counts."""
        made = self._chunk_folder(plan, names)
        chunks = build_chunks(made, plan, names, self.workers, self._stage("index"))
        folder = self.building / "index"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        known = np.sort(plan.known % study_code(1, 0))
        rows = np.searchsorted(known, plan.studies["study_id"].to_numpy())
        of_plan = {name: StudyLabels(part.values[rows], part.present[rows]) for name, part in labels.items()}
        counts = write_tables(folder, plan, chunks, of_plan, names, rejects, self._stage("joining"))
        return counts.as_json() | {"rejects": rejects.counts()}

    def _chunk_folder(self, plan: IndexPlan, names: dict[str, NameTable]) -> Path:
        """Gives the folder of the chunks of this very plan; those of other plans are removed."""
        listed = {kind: list(table.number) for kind, table in names.items()}
        parts = [SCHEMA_VERSION, __version__, self.signature, plan.signature(), listed]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
        folder = self.building / f"chunks-{key}"
        for other in self.building.glob("chunks-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        return folder

    def _record(self, films: pl.DataFrame, counts: dict[str, Any]) -> dict[str, Any]:
        folder = self.building / "index"
        digests = {}
        for name in INDEX_FILES:
            with (folder / name).open("rb") as stream:
                digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
        return {
            "schema_version": SCHEMA_VERSION,
            "cxrkit_version": __version__,
            # By name and content; paths, times and containers do not enter.
            "fingerprint": hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest(),
            "file_bytes": {name: (folder / name).stat().st_size for name in INDEX_FILES},
            "file_sha256": digests,
            "table_ends": {f"{table}.arrow": table_ends(folder / f"{table}.arrow") for table in TABLES},
            "image_list": image_list_fingerprint(films["dicom_id"].to_list()),
            "sources": self.sources.as_json(),
            "settings": store_settings(self.layout),
            "inputs_signature": self.signature,
            "counts": counts,
        }

    def _stage(self, name: str) -> Callable[[int, int], None] | None:
        progress = self.progress
        if progress is None:
            return None
        return lambda done, total: progress(name, done, total)
