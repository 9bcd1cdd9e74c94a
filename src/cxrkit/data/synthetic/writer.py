"""Writes a synthetic data set: films, tables, archives, companions, the truth, and last the marker."""

import json
import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cxrkit.data.synthetic.archive import add_member, open_archive
from cxrkit.data.synthetic.cohort import PatientTask, plan_cohort
from cxrkit.data.synthetic.companions import write_mimic_companions, write_qba_companions
from cxrkit.data.synthetic.csv_files import csv_text, write_gzip
from cxrkit.data.synthetic.defects import DEFECTS, plant_defect
from cxrkit.data.synthetic.identifiers import MAX_PATIENTS
from cxrkit.data.synthetic.mimic_rows import COLUMNS
from cxrkit.data.synthetic.patient_parcel import MIMIC_FOLDER, PatientParcel, build_patient
from cxrkit.data.synthetic.tables import TableFiles
from cxrkit.errors import CxrkitError
from cxrkit.version import __version__

QBA_FOLDER, TRUTH_FILE = "mimic-ext-cxr-qba", "truth/studies.jsonl"
MARKER, UNFINISHED = "synthetic.json", "UNFINISHED"
SMALLEST_IMAGE = 64
_AHEAD = 4  # patients per worker that may wait for the writer

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SyntheticSummary:
    """What was written: where, how much of everything, and the planted defect."""

    output: Path
    counts: Mapping[str, int]
    defect: str | None


def write_dataset(
    output: Path,
    *,
    patients: int,
    seed: int,
    image_size: int,
    defect: str | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> SyntheticSummary:
    """Writes `mimic-cxr-jpg/`, `mimic-ext-cxr-qba/` and `truth/` below a new or empty folder.

    The same seed, sizes and defect give the same bytes, whatever the number of workers.

    Args:
        output: folder to write to; made when missing.
        patients: number of patients (about 2.4 studies each).
        seed: of everything random.
        image_size: short side of the films in pixels; the long side is up to 1.2 times that.
        defect: name of one defect of `DEFECTS` to plant, or None.
        workers: processes that draw; 1 draws in this process.
        progress: called as `progress(done, total)` after each patient.

    Raises:
        CxrkitError: the folder holds other files, an argument is out of range, or the defect is unknown
            or does not fit into so small a set.
    """
    _check(patients, seed, image_size, defect, workers)
    _claim(output)
    tasks = plan_cohort(patients, seed, image_size)
    counts: Counter[str] = Counter()
    csv = {name: [csv_text([columns])] for name, columns in COLUMNS.items()}
    films: list[tuple[str, str]] = []
    with _Records(output) as records:
        for done, parcel in enumerate(_parcels(tasks, output, workers), start=1):
            records.add(parcel)
            films += parcel.films
            counts.update(parcel.counts)
            for name, text in parcel.csv.items():
                csv[name].append(text)
            if progress is not None:
                progress(done, len(tasks))
    _write_tables(output / MIMIC_FOLDER, csv)
    write_mimic_companions(output / MIMIC_FOLDER, films)
    write_qba_companions(output / QBA_FOLDER)
    if defect is not None:
        plant_defect(defect, output / MIMIC_FOLDER, output / QBA_FOLDER)
    settings = {"patients": patients, "seed": seed, "image_size": image_size, "defect": defect}
    _finish(output, settings, counts)
    return SyntheticSummary(output, dict(counts), defect)


def _check(patients: int, seed: int, image_size: int, defect: str | None, workers: int) -> None:
    for name, value, low, high in (
        ("patients", patients, 1, MAX_PATIENTS),
        ("seed", seed, 0, 2**63 - 1),
        ("image_size", image_size, SMALLEST_IMAGE, 4096),
        ("workers", workers, 1, 1024),
    ):
        if not low <= value <= high:
            raise CxrkitError(
                f"{name} is out of range", expected=f"a whole number from {low} to {high}", found=str(value)
            )
    if defect is not None and defect not in DEFECTS:
        raise CxrkitError(
            "there is no such defect",
            expected="one of " + ", ".join(DEFECTS),
            found=defect,
            next_step="docs/synthetic.md tells what each defect is",
        )


def _claim(output: Path) -> None:
    """Makes the folder and marks it as unfinished; refuses one that holds anything."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        unfinished = (output / UNFINISHED).exists()
        raise CxrkitError(
            "the folder for the synthetic data set is not empty",
            expected=f"{output} to be missing or an empty folder",
            found="a data set whose writing was interrupted" if unfinished else "other files",
            next_step="remove it first" if unfinished else "give another folder",
        )
    output.mkdir(parents=True, exist_ok=True)
    (output / UNFINISHED).write_text("The writing of this synthetic data set has not ended.\n")


def _finish(output: Path, settings: Mapping[str, object], counts: Mapping[str, int]) -> None:
    marker = {
        "made_by": "cxrkit",
        "cxrkit_version": __version__,
        **settings,
        "counts": dict(sorted(counts.items())),
    }
    (output / MARKER).write_text(json.dumps(marker, indent=1) + "\n")
    (output / UNFINISHED).unlink()


def _parcels(tasks: list[PatientTask], output: Path, workers: int) -> Iterator[PatientParcel]:
    """Gives the patients' parcels in the order of the tasks, with few of them waiting at a time."""
    if workers == 1:
        yield from (build_patient(task, output) for task in tasks)
        return
    waiting: deque[Future[PatientParcel]] = deque()
    # Spawned, not forked: the caller may hold threads.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for task in tasks:
            waiting.append(pool.submit(build_patient, task, output))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _Records:
    """The files that grow patient by patient: both archives, the seven QBA tables, the truth."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._stack = ExitStack()

    def __enter__(self) -> "_Records":
        root = self._output / QBA_FOLDER
        root.mkdir()
        truth = self._output / TRUTH_FILE
        truth.parent.mkdir()
        self._qa = self._stack.enter_context(open_archive(root / "qa.zip"))
        self._scenes = self._stack.enter_context(open_archive(root / "scene_data.zip"))
        self._tables = self._stack.enter_context(TableFiles(root / "metadata"))
        self._truth = self._stack.enter_context(truth.open("wb"))
        return self

    def add(self, parcel: PatientParcel) -> None:
        """Writes what a patient adds."""
        for name, data in parcel.qa_members:
            add_member(self._qa, name, data)
        for name, data in parcel.scene_members:
            add_member(self._scenes, name, data)
        for table, chunk in parcel.chunks.items():
            self._tables.add(table, chunk)
        self._truth.write(parcel.truth)

    def __exit__(self, *error: object) -> None:
        self._stack.close()


def _write_tables(root: Path, csv: Mapping[str, list[str]]) -> None:
    for name, texts in csv.items():
        data = "".join(texts).encode()
        if name.endswith(".gz"):
            write_gzip(root / name, data)
        else:
            (root / name).write_bytes(data)
