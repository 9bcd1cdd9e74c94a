"""What preparing will take: time, memory and disk, told from a sample before anything is written."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxrkit.data.films.estimate import sample_speed
from cxrkit.data.films.film_list import FilmFile
from cxrkit.data.films.plan import store_bytes
from cxrkit.data.films.shape import StoreLayout
from cxrkit.data.index.chunk_builder import build_chunk, chunk_path, start_chunks
from cxrkit.data.index.chunk_file import open_chunk
from cxrkit.data.index.study_work import IndexUnit
from cxrkit.data.index.units import IndexPlan
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.workspace_folder import folder_bytes
from cxrkit.errors import ArtifactError
from cxrkit.hardware import usable_cores

_SAMPLED_STUDIES = 16
# From the runs of 1,053 and 10,526 studies in benchmarks/README.md.
_MAIN_MB, _WORKER_MB, _STUDY_BYTES = 120, 70, 2600
# Chunks are on the disk until they are joined to tables of about the same size.
_COPIES = 2.2
_FILM_BYTES = 300


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        films: number of films to decode.
        studies: number of studies to index.
        questions: number of questions, estimated.
        film_seconds: decoding all films; what an interrupted run finished counts too.
        index_seconds: reading all questions and scene graphs; likewise.
        disk_bytes: what the run will write, beside what an interrupted run left.
        left_bytes: what an interrupted run left and this one may go on with.
        free_bytes: what is free where the workspace is.
        memory_bytes: of all processes together.
        workers: number of processes.
    """

    films: int
    studies: int
    questions: int
    film_seconds: float
    index_seconds: float
    disk_bytes: int
    left_bytes: int
    free_bytes: int
    memory_bytes: int
    workers: int

    def require_disk(self, workspace: Path) -> None:
        """Returns when the disk is large enough.

        Raises:
            ArtifactError: it is not.
        """
        if self.disk_bytes > self.free_bytes:
            raise ArtifactError(
                "the disk is too small for the workspace",
                expected=f"{gigabytes(self.disk_bytes)} free (estimated from a sample)",
                found=f"{gigabytes(self.free_bytes)} free at {workspace}",
                next_step="free some space, choose another disk with --workspace, or store smaller films: "
                "--set data.image_store_size=224",
            )


def gigabytes(count: int) -> str:
    """Gives bytes as text.

    >>> gigabytes(41_200_000_000), gigabytes(3_000_000)
    ('41.2 GB', '3 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def estimate_run(
    films: Sequence[FilmFile],
    layout: StoreLayout,
    plan: IndexPlan,
    names: dict[str, NameTable],
    workers: int,
    building: Path,
) -> Estimate:
    """Estimates a run from a few films and members, evenly spread.

    Args:
        films: all that will be decoded.
        layout: how they are stored.
        plan: of the index, as if every film could be used.
        names: the listed vocabularies.
        workers: number of processes.
        building: where an interrupted run may have left finished parts.
    """
    seconds_per_film, _ = sample_speed(films, layout)
    study_seconds, study_bytes, study_questions = _sample_studies(plan, names, building)
    studies, left = plan.studies.height, folder_bytes(building)
    # More processes than cores share the cores.
    at_once = min(workers, usable_cores())
    disk = store_bytes(films, layout) + len(films) * _FILM_BYTES + int(studies * study_bytes * _COPIES)
    return Estimate(
        films=len(films),
        studies=studies,
        questions=round(studies * study_questions),
        film_seconds=seconds_per_film * len(films) / at_once,
        index_seconds=study_seconds * studies / at_once,
        disk_bytes=max(disk - left, 0),
        left_bytes=left,
        free_bytes=shutil.disk_usage(building).free,
        memory_bytes=(_MAIN_MB + _WORKER_MB * workers) * 1_000_000 + studies * _STUDY_BYTES,
        workers=workers,
    )


def _sample_studies(
    plan: IndexPlan, names: dict[str, NameTable], building: Path
) -> tuple[float, float, float]:
    """Gives seconds, bytes and questions per study, from a chunk of studies that is thrown away."""
    if plan.qba is None or not plan.studies.height:
        return 0.0, 0.0, 0.0
    rows = np.unique(np.linspace(0, plan.studies.height - 1, _SAMPLED_STUDIES).astype(int)).tolist()
    studies = tuple(plan.study(row) for row in rows)
    scenes = plan.qba.scenes.origin if plan.qba.scenes else None
    listed = {kind: list(table.number) for kind, table in names.items()}
    with tempfile.TemporaryDirectory(dir=building, prefix=".sample-") as folder:
        state = start_chunks(Path(folder), plan.qba.questions.origin, scenes, listed)
        start = time.perf_counter()
        build_chunk(state, IndexUnit(0, studies, ()))
        seconds = time.perf_counter() - start
        path = chunk_path(Path(folder), 0)
        questions = open_chunk(path).summary.rows["questions"]
        return seconds / len(rows), path.stat().st_size / len(rows), questions / len(rows)
