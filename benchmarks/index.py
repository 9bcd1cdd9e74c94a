"""Index: questions per second of `cxrkit prepare`, beside plain JSON into dicts; memory; opening; lookups.

The baseline reads studies of the same archives, as the earlier systems did, and makes the same targets: in
one process, as those systems did (`ratio`), and in as many at once as cxrkit has (`ratio_same_processes`).
Its rate does not depend on how many studies it reads; it writes nothing, and starting it is left out. The
time of cxrkit runs from the last film to the finished workspace, with the start of its processes. The run
fails unless both count the same questions and as many answered with yes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

import numpy as np
from large_dataset import QUESTIONS_PER_STUDY, make_large_dataset
from measure import peak_memory, show, tree_pss_mb
from plain_index import load_samples

from cxrkit.vocabulary import QUESTION_TYPES, Head

BASELINE_STUDIES = 200
LOOKUPS = 2000
PROCESSES_START_WITHIN_S = 300


def prepare(data: Path, workspace: Path, workers: int) -> dict[str, float]:
    """Prepares in this process; the index's time runs from the last film to the published workspace."""
    from cxrkit.data.prepare import prepare_workspace

    ends: dict[str, float] = {}

    def note(stage: str, done: int, total: int) -> None:
        ends[stage] = time.perf_counter()

    estimates = []
    summary = prepare_workspace(
        data / "mimic-cxr-jpg",
        data / "mimic-ext-cxr-qba",
        workspace,
        image_store_size=64,
        workers=workers,
        progress=note,
        announce=estimates.append,
    )
    end = time.perf_counter()
    if summary.counts["rejects"]:
        raise SystemExit(f"rejects in sound data: {summary.counts['rejects']}")
    return {
        "questions": summary.counts["questions"]["total"],
        "index_s": end - ends["images"],
        "joining_s": end - ends["index"],
        "estimated_memory_mb": estimates[0].memory_bytes / 2**20,
        "estimated_index_s": estimates[0].index_seconds,
        "estimated_disk_mb": estimates[0].disk_bytes / 2**20,
    }


def open_index(workspace: Path) -> dict[str, float]:
    """Opens the index, then looks up random questions with their studies."""
    from cxrkit.data.index import Index

    before = tree_pss_mb()
    start = time.perf_counter()
    index = Index.open(workspace)
    opened = time.perf_counter() - start
    memory = tree_pss_mb() - before
    rows = np.random.default_rng(0).integers(0, index.questions.num_rows, LOOKUPS).tolist()
    index.question(rows[0])
    start = time.perf_counter()
    for row in rows:
        index.question(row)
    each = (time.perf_counter() - start) / len(rows)
    return {"open_s": opened, "open_mb": memory, "open_process_mb": tree_pss_mb(), "lookup_us": each * 1e6}


def in_new_process(*arguments: str) -> tuple[dict[str, float], float]:
    """Runs a part of this benchmark by itself and gives its figures and the peak of its process tree."""
    command = [sys.executable, __file__, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        with peak_memory(process.pid) as peak:
            output, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{arguments[0]} failed")
    return json.loads(output.splitlines()[-1]), peak.megabytes


class PlainRun(NamedTuple):
    """What one plain process read, and when (`time.perf_counter` is one clock for all processes)."""

    questions: int
    yes: int
    start: float
    end: float


_started: list[Barrier] = []


def start_plain_process(barrier: Barrier) -> None:
    _started.append(barrier)


def read_plainly(data: Path, first: int, end: int) -> PlainRun:
    """Reads studies `first` to `end` in a process of its own, from when all processes are ready."""
    import polars as pl

    table = pl.read_csv(data / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-metadata.csv")
    sizes = {row[0]: (row[2], row[1]) for row in table.select("dicom_id", "Rows", "Columns").iter_rows()}
    qba = data / "mimic-ext-cxr-qba"
    with zipfile.ZipFile(qba / "qa.zip") as asked, zipfile.ZipFile(qba / "scene_data.zip") as scenes:
        names = asked.namelist()[first:end]
        _started[0].wait(PROCESSES_START_WITHIN_S)
        start = time.perf_counter()
        samples = load_samples(asked, scenes, names, sizes)
        stop = time.perf_counter()
    binary = {kind.name for kind in QUESTION_TYPES if kind.head is Head.BINARY}
    yes = sum(sample["binary"] for sample in samples if sample["question_type"] in binary)
    return PlainRun(len(samples), yes, start, stop)


def baseline(data: Path, studies: int, processes: int) -> list[PlainRun]:
    """Runs the plain way in some processes at once, each on studies of its own."""
    context = get_context("spawn")
    each = min(BASELINE_STUDIES, max(1, studies // processes))
    with ProcessPoolExecutor(
        processes, context, start_plain_process, (context.Barrier(processes),)
    ) as executor:
        parts = [
            executor.submit(read_plainly, data, each * number, each * (number + 1))
            for number in range(processes)
        ]
        return [part.result() for part in parts]


def plain_rate(runs: list[PlainRun]) -> float:
    """Gives the questions of all processes per second of the time in which any was at work."""
    seconds = max(run.end for run in runs) - min(run.start for run in runs)
    return sum(run.questions for run in runs) / seconds


def check_against(workspace: Path, run: PlainRun) -> None:
    """Ends the benchmark unless index and baseline say the same of the studies that the baseline read."""
    from cxrkit.data.index import Index

    index = Index.open(workspace)
    ends = index.column("studies", "first_question") + index.column("studies", "num_questions")
    yes = int((index.column("questions", "binary_target")[: run.questions] == 1).sum())
    if run.questions not in ends or yes != run.yes:
        raise SystemExit(f"the index counts {yes} times yes in {run.questions} questions, plain {run.yes}")


def measure(data: Path, workspace: Path, studies: int, workers: int) -> dict[str, object]:
    # Before and after, in turns: a shared machine's speed drifts.
    alone, together = [baseline(data, studies, 1)], [baseline(data, studies, workers)]
    made, peak = in_new_process("--part", "prepare", str(data), str(workspace), "--workers", str(workers))
    together.append(baseline(data, studies, workers))
    alone.append(baseline(data, studies, 1))
    opened, _ = in_new_process("--part", "open", str(data), str(workspace))
    check_against(workspace, alone[0][0])
    rate = made["questions"] / made["index_s"]
    plain, plain_together = (statistics.mean(map(plain_rate, runs)) for runs in (alone, together))
    index_bytes = sum(path.stat().st_size for path in (workspace / "index").iterdir())
    return {
        "questions": int(made["questions"]),
        "studies": studies,
        "workers": workers,
        "questions_per_s": round(rate, 1),
        "baseline_questions_per_s": round(plain, 1),
        "ratio": round(rate / plain, 2),
        "baseline_same_processes_per_s": round(plain_together, 1),
        "ratio_same_processes": round(rate / plain_together, 2),
        "joining_s": round(made["joining_s"], 2),
        "peak_mb": round(peak, 1),
        "estimated_memory_mb": round(made["estimated_memory_mb"], 1),
        "estimated_index_s": round(made["estimated_index_s"], 1),
        "index_s": round(made["index_s"], 1),
        "index_mb": round(index_bytes / 2**20, 1),
        **{name: round(value, 3) for name, value in opened.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--questions", type=int, default=200_000, help="size of the data set")
    parser.add_argument(
        "--per_study", type=int, default=QUESTIONS_PER_STUDY, help="questions of a study; few: many studies"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes of cxrkit prepare")
    parser.add_argument("--folder", type=Path, help="keeps the data set here for further runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        part, data, workspace = options.part
        figures = (
            prepare(Path(data), Path(workspace), options.workers)
            if part == "prepare"
            else open_index(Path(workspace))
        )
        print(json.dumps(figures))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        data = (
            options.folder / f"data-{options.questions}-{options.per_study}"
            if options.folder
            else Path(folder) / "data"
        )
        if not data.exists():
            make_large_dataset(data, options.questions, options.per_study)
        studies = round(options.questions / options.per_study)
        show(measure(data, Path(folder) / "workspace", studies, options.workers), options.json)


if __name__ == "__main__":
    main()
