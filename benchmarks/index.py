"""Index: questions per second of `cxrkit prepare`, beside plain JSON into dicts; memory; opening; lookups.

The baseline reads the first studies of the same archives in one process, as the earlier systems did, and
makes the same targets; its rate does not depend on how many it reads. `--workers` is for cxrkit alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from large_dataset import QUESTIONS_PER_STUDY, make_large_dataset
from measure import peak_memory, show, tree_pss_mb
from plain_index import load_samples

BASELINE_STUDIES = 200
LOOKUPS = 2000


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


def baseline(data: Path, studies: int) -> float:
    """Gives the questions per second of the plain way."""
    import polars as pl

    table = pl.read_csv(data / "mimic-cxr-jpg" / "mimic-cxr-2.0.0-metadata.csv")
    sizes = {row[0]: (row[2], row[1]) for row in table.select("dicom_id", "Rows", "Columns").iter_rows()}
    start = time.perf_counter()
    samples = load_samples(data / "mimic-ext-cxr-qba", min(studies, BASELINE_STUDIES), sizes)
    return len(samples) / (time.perf_counter() - start)


def measure(data: Path, workspace: Path, studies: int, workers: int) -> dict[str, object]:
    before = baseline(data, studies)
    made, peak = in_new_process("--part", "prepare", str(data), str(workspace), "--workers", str(workers))
    # Before and after: a shared machine's speed drifts.
    plain = (before + baseline(data, studies)) / 2
    opened, _ = in_new_process("--part", "open", str(data), str(workspace))
    rate = made["questions"] / made["index_s"]
    index_bytes = sum(path.stat().st_size for path in (workspace / "index").iterdir())
    return {
        "questions": int(made["questions"]),
        "studies": studies,
        "workers": workers,
        "questions_per_s": round(rate, 1),
        "baseline_questions_per_s": round(plain, 1),
        "ratio": round(rate / plain, 2),
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
