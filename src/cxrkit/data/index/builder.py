"""Makes the chunks of an index in several processes; what an interrupted run finished is kept."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

from cxrkit.data.index.chunk_builder import build_chunk, chunk_path, start_chunks
from cxrkit.data.index.chunk_file import ChunkError, ChunkFile, open_chunk
from cxrkit.data.index.study_work import IndexUnit
from cxrkit.data.index.units import IndexPlan
from cxrkit.data.qba.vocabularies import NameTable
from cxrkit.data.worker_pool import run_units

logger = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


def build_chunks(
    folder: Path,
    plan: IndexPlan,
    names: dict[str, NameTable],
    workers: int,
    progress: Progress | None = None,
) -> list[ChunkFile]:
    """Makes every chunk that is not there yet and gives all of them in order.

    Args:
        folder: of the chunks' files; holds only chunks of this very plan.
        plan: what goes into which chunk.
        names: the listed vocabularies.
        workers: number of processes.
        progress: called with (studies done, studies).
    """
    done = _finished_chunks(folder, plan)
    total = plan.studies.height + len(plan.strays)
    finished = sum(plan.studies_in(number) for number in done)
    if done and progress:
        progress(finished, total)
    units = _Missing(plan, [number for number in range(len(plan)) if number not in done])
    origins: tuple[Path | None, Path | None] = (None, None)
    if plan.qba is not None:
        origins = (plan.qba.questions.origin, plan.qba.scenes.origin if plan.qba.scenes else None)
    listed = {kind: list(table.number) for kind, table in names.items()}
    for position, studies in run_units(start_chunks, (folder, *origins, listed), build_chunk, units, workers):
        number = units.numbers[position]
        done[number] = open_chunk(chunk_path(folder, number))
        finished += studies
        if progress:
            progress(finished, total)
    return [done[number] for number in range(len(plan))]


def _finished_chunks(folder: Path, plan: IndexPlan) -> dict[int, ChunkFile]:
    for unfinished in folder.glob(".chunk-*"):
        unfinished.unlink(missing_ok=True)
    done: dict[int, ChunkFile] = {}
    for number in range(len(plan)):
        path = chunk_path(folder, number)
        if path.is_file():
            try:
                done[number] = open_chunk(path)
            except ChunkError:
                logger.warning("%s of the interrupted run is damaged; it is made again", path.name)
    if done:
        logger.info("going on with %d of %d chunks of the index from an earlier run", len(done), len(plan))
    return done


class _Missing(Sequence[IndexUnit]):
    """The units of a plan that are still to be done, made when they are asked for."""

    def __init__(self, plan: IndexPlan, numbers: list[int]) -> None:
        self.numbers = numbers
        self._plan = plan

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, position: int) -> IndexUnit: ...
    @overload
    def __getitem__(self, position: slice) -> list[IndexUnit]: ...
    def __getitem__(self, position: int | slice) -> IndexUnit | list[IndexUnit]:
        if isinstance(position, slice):
            return [self._plan[number] for number in self.numbers[position]]
        return self._plan[self.numbers[position]]
