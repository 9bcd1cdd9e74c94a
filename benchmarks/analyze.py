"""Analysis: seconds and memory of `cxrkit analyze` on an index of the release's size.

The index is a drawn set's, prepared, and its tables repeated with numbers of their own: patients, studies,
films and observations to as many studies as the release has, questions to as many questions. The copies'
columns lie in files that are mapped, as those of a real index. Each copy has answers of its own texts, and
eight copies have questions of their own texts. The films are mixed in memory from two of the drawn set's,
each film another mixture under shadows of its own: the disk that a store of the full size lies on is not
measured, nor is decoding.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from measure import peak_memory, show, tree_pss_mb

from cxrkit.data.films.opener import films_of
from cxrkit.data.films.source import FilmSource
from cxrkit.data.index import Index
from cxrkit.data.index.schemas import TABLES

STUDIES, QUESTIONS = 227_239, 42_172_827
COPIES_WITH_EQUAL_QUESTIONS = 8
# What a copy's rows of a column are moved by: the rows of that table, or a number that keeps them apart.
ROW_OF = {"study_row": "studies", "image_row": "images", "question_row": "questions"}
SHADOWS = 10


@dataclass
class RepeatedIndex:
    """What the analysis reads of an index."""

    columns: dict[tuple[str, str], np.ndarray]
    images: pa.Table
    texts: pa.Table
    workspace: Path
    counts: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = "0" * 64

    def column(self, table: str, name: str) -> np.ndarray:
        return self.columns[table, name]


@dataclass
class MixedFilms:
    """Films that are each a mixture of two of the base's under coarse shadows of its own.

    Without these they would resemble each other more than films of different patients do.
    """

    base: FilmSource
    count: int

    def __post_init__(self) -> None:
        places = np.arange(self.count) % self.base.count
        self.size = self.base.size
        self.side = np.full(self.count, self.size, np.int32)
        self.scale = self.base.scale[places]
        self.pad_x = self.pad_y = np.zeros(self.count, np.float32)

    def read(self, image_row: int) -> np.ndarray:
        draw = np.random.default_rng(image_row)
        one, other = (self.base.read(int(row)) for row in draw.integers(0, self.base.count, 2))
        share = int(draw.integers(64, 192))
        mixed = (one.astype(np.uint16) * share + other.astype(np.uint16) * (256 - share)) >> 8
        block = -(-self.size // SHADOWS)
        shadow = np.kron(
            draw.integers(128, 256, (SHADOWS, SHADOWS)).astype(np.uint16), np.ones((block, block), np.uint16)
        )
        return ((mixed * shadow[: self.size, : self.size]) >> 8).astype(np.uint8)


def repeat_index(base: Index, folder: Path, share: float) -> tuple[RepeatedIndex, int]:
    """Gives the base repeated to a share of the release, and its number of films."""
    studies = len(base.column("studies", "split"))
    copies = round(STUDIES * share / studies)
    per_copy = {table: len(getattr(base, table)) for table in TABLES if table != "texts"}
    per_copy["questions"] = round(QUESTIONS * share / copies)
    columns = {}
    for table, rows in per_copy.items():
        chosen = np.arange(rows) % len(getattr(base, table))
        for name in getattr(base, table).schema.names:
            if pa.types.is_integer(getattr(base, table).schema.field(name).type) or name in LABELS:
                values = np.asarray(base.column(table, name))[chosen]
                step = _step(base, table, name, per_copy)
                columns[table, name] = _repeat(values, step, copies, folder / f"{table}.{name}.npy")
    names = base.images.column("dicom_id").combine_chunks()
    images = pa.table({"dicom_id": pa.chunked_array([names] * copies)})
    texts = _texts(base, copies, folder / "texts.arrow")
    return RepeatedIndex(columns, images, texts, base.workspace, dict(base.counts)), len(images)


LABELS = ("chexpert", "negbio", "radiologist")


def _step(base: Index, table: str, name: str, per_copy: dict[str, int]) -> tuple[int, int]:
    """Gives what a column grows by, and every how many copies."""
    if name in ROW_OF:
        return per_copy[ROW_OF[name]], 1
    if name in ("subject_id", "study_id"):
        return 10_000, 1
    if name in ("answer_text", "question_text"):
        return len(base.texts), 1 if name == "answer_text" else COPIES_WITH_EQUAL_QUESTIONS
    return 0, 1


def _repeat(values: np.ndarray, step: tuple[int, int], copies: int, path: Path) -> np.ndarray:
    shape = (len(values) * copies, *values.shape[1:])
    written = np.lib.format.open_memmap(path, "w+", values.dtype, shape)
    amount, every = step
    for copy in range(copies):
        moved = values if not amount else values + values.dtype.type(amount * (copy // every))
        written[copy * len(values) : (copy + 1) * len(values)] = moved
    written.flush()
    del written
    return np.load(path, mmap_mode="r")


def _texts(base: Index, copies: int, path: Path) -> pa.Table:
    words = base.texts.column("text").combine_chunks()
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, base.texts.schema) as writer:
        for copy in range(copies):
            ending, nothing = (pa.scalar(text, words.type) for text in (f" {copy}", ""))
            column = pc.binary_join_element_wise(words, ending, nothing)
            writer.write(pa.record_batch([column], schema=base.texts.schema))
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


@contextmanager
def peak_of_own_memory() -> Iterator[list[float]]:
    """Gives a list whose only entry grows to the largest memory in MiB without that of mapped files."""
    peak, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            status = Path("/proc/self/status").read_text()
            kilobytes = int(status.partition("RssAnon:")[2].split()[0])
            peak[0] = max(peak[0], kilobytes / 1024)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def measure(workspace: Path, share: float, *, with_films: bool) -> dict[str, object]:
    """Repeats the index, analyzes it and gives time and memory."""
    from cxrkit.analysis import analyze

    base = Index.open(workspace)
    with tempfile.TemporaryDirectory() as folder:
        index, count = repeat_index(base, Path(folder), share)
        films = MixedFilms(films_of(base), count) if with_films else None
        ends: dict[str, float] = {}

        def note(stage: str, done: int, total: int) -> None:
            ends[f"{stage} {done}" if stage == "analyzing" else stage] = time.perf_counter()

        before = tree_pss_mb()
        start = time.perf_counter()
        # Mapped pages of the index are the system's to take back: they are told apart.
        with peak_memory(every_s=0.5) as peak, peak_of_own_memory() as own:
            report = analyze(index, Path(folder) / "analysis", quality_grade="B", films=films, progress=note)
        seconds = time.perf_counter() - start
        steps = {name: round(end - start, 1) for name, end in ends.items()}
        totals = report.data["totals"]
        texts = {name: part["different"] for name, part in report.data["texts"].items()}
    return {
        "share": share,
        "studies": totals["studies"],
        "films": totals["images"],
        "questions": totals["questions"],
        "different_questions": texts["questions"],
        "different_answers": texts["answers"],
        "seconds": round(seconds, 1),
        "peak_mb": round(peak.megabytes, 1),
        "own_peak_mb": round(own[0], 1),
        "before_mb": round(before, 1),
        "steps": json.dumps(steps),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the release's size")
    parser.add_argument("--patients", type=int, default=60, help="of the drawn set that is repeated")
    parser.add_argument("--skip_images", action="store_true", help="without the films")
    parser.add_argument("--workspace", type=Path, help="a prepared workspace to repeat instead")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = options.workspace or Path(folder) / "workspace"
        if options.workspace is None:
            from cxrkit.data.prepare import prepare_workspace
            from cxrkit.data.synthetic import write_dataset

            data = Path(folder) / "data"
            write_dataset(data, patients=options.patients, seed=0, image_size=336)
            roots = data / "mimic-cxr-jpg", data / "mimic-ext-cxr-qba"
            prepare_workspace(*roots, workspace, image_store_size=320)
        show(measure(workspace, options.share, with_films=not options.skip_images), options.json)


if __name__ == "__main__":
    main()
