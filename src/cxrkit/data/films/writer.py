"""Writes the store of films: by several processes, in bounded memory, taken up again after a kill."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from cxrkit.data.films.decode_unit import DecodeState, FilmUnit, decode_unit
from cxrkit.data.films.film_list import FilmFile, StoredAs
from cxrkit.data.films.journal import Journal, sync_folder
from cxrkit.data.films.manifest import GEOMETRY, MANIFEST, recall_outcomes, write_manifest
from cxrkit.data.films.outcomes import Outcomes, StoredFilms
from cxrkit.data.films.plan import FILMS_PER_SHARD, FILMS_PER_UNIT, HEADER_BYTES, StorePlan, plan_store
from cxrkit.data.films.shape import StoreLayout
from cxrkit.data.films.shard_file import create_shard, shard_fault, shard_name
from cxrkit.data.worker_pool import run_units


def write_films(
    folder: Path,
    films: Sequence[FilmFile],
    layout: StoreLayout,
    workers: int,
    progress: Callable[[int, int], None] | None = None,
) -> Sequence[StoredAs]:
    """Decodes films into `folder`, or finds them there.

    A film that cannot be used leaves zeros in its shard and no row in `geometry.arrow`. Where an earlier call
    with the same films and layout was interrupted, its finished units are kept, but for those with a reject:
    a mended file is found. The bytes depend neither on `workers` nor on interruptions. One caller at a time.

    Args:
        folder: for shards, `geometry.arrow` and `manifest.json` (written last); what an earlier call with
            other films left there is removed.
        films: in the order of the `images` table; a `FilmList` saves memory.
        layout: how they are stored.
        workers: number of processes.
        progress: called with (films done, films).

    Returns:
        What became of each film.

    Raises:
        OSError: `folder` cannot be written.
        CxrkitError: a worker process died, or a film is a DICOM file and cannot be read without an extra.
    """
    plan = plan_store(films, layout)
    folder.mkdir(parents=True, exist_ok=True)
    finished = recall_outcomes(folder, plan)
    outcomes = finished or Outcomes(plan)
    if finished:
        _forget_unusable(folder, plan, outcomes)
    if not (finished and outcomes.done.all()):
        with _open_journal(folder, plan, outcomes, finished is not None) as journal:
            _make_room(folder, plan)
            _decode_missing(folder, films, plan, outcomes, journal, workers, progress)
            write_manifest(folder, films, plan, outcomes)
    Journal.remove(folder)
    return StoredFilms(films, outcomes)


def _open_journal(folder: Path, plan: StorePlan, outcomes: Outcomes, was_finished: bool) -> Journal:
    if was_finished:
        # On disk before the manifest goes: what is done stays so wherever this call is interrupted.
        return Journal.start(folder, plan.fingerprint, outcomes)
    journal = Journal.open(folder, plan.fingerprint, outcomes)
    _forget_unusable(folder, plan, outcomes)
    return journal


def _forget_unusable(folder: Path, plan: StorePlan, outcomes: Outcomes) -> None:
    """Marks as not done what lies in a faulty shard, and units with a rejected film: it may be mended."""
    units_per_shard = FILMS_PER_SHARD // FILMS_PER_UNIT
    units = set((outcomes.rejected // FILMS_PER_UNIT).tolist())
    for shard in plan.shards():
        if shard_fault(folder / shard_name(shard.number), shard):
            first = shard.number * units_per_shard
            units |= set(range(first, min(first + units_per_shard, plan.units)))
    for unit in units:
        outcomes.forget_unit(unit)


def _make_room(folder: Path, plan: StorePlan) -> None:
    for name in (MANIFEST, GEOMETRY):
        (folder / name).unlink(missing_ok=True)
    shards = plan.shards()
    wanted = {shard_name(shard.number) for shard in shards}
    for path in folder.glob("shard-*.bin"):
        if path.name not in wanted:
            path.unlink()
    for shard in shards:
        create_shard(folder, shard)
    sync_folder(folder)


def _decode_missing(
    folder: Path,
    films: Sequence[FilmFile],
    plan: StorePlan,
    outcomes: Outcomes,
    journal: Journal,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    missing = np.flatnonzero(~outcomes.done)
    done = len(plan) - sum(len(outcomes.unit_rows(unit)) for unit in missing.tolist())
    units = _Units(folder, films, plan, missing)
    for position, results in run_units(DecodeState, (plan.layout,), decode_unit, units, workers):
        unit = int(missing[position])
        journal.add(unit, results)
        outcomes.set_unit(unit, results)
        done += len(results)
        if progress:
            progress(done, len(plan))


class _Units(Sequence[FilmUnit]):
    """The units that are not done yet; each is made when a process is free for it."""

    def __init__(
        self, folder: Path, films: Sequence[FilmFile], plan: StorePlan, numbers: npt.NDArray[np.int64]
    ) -> None:
        self._folder = folder
        self._films = films
        self._plan = plan
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> FilmUnit: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[FilmUnit]: ...
    def __getitem__(self, place: int | slice) -> FilmUnit | Sequence[FilmUnit]:
        """Gives a unit, or those of a slice as a list."""
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        first = int(self._numbers[place]) * FILMS_PER_UNIT
        films = tuple(self._films[first : first + FILMS_PER_UNIT])
        if not self._plan.layout.stored:
            return FilmUnit(None, 0, films)
        path = self._folder / shard_name(first // FILMS_PER_SHARD)
        return FilmUnit(path, HEADER_BYTES + int(self._plan.offset[first]), films)
