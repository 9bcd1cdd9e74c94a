"""Kills `cxrkit prepare` with SIGKILL at random moments: the bytes must be those of an undisturbed run.

Each run is a process of its own; the next one goes on where the killed one was. With `--workers 2` the worker
processes must end by themselves. The test-suite runs this with 20 kills; give more here.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import process_tree, show

from cxrkit.data.index import units
from cxrkit.data.prepare import prepare_workspace

PATIENTS, IMAGE_SIZE, STORE_SIZE, STUDIES_PER_CHUNK = 30, 96, 64, 5
ORPHANS_END_WITHIN_S = 10


def start(data: Path, workspace: Path, workers: int) -> int:
    """Starts one run in a forked process and gives its id: everything is imported already."""
    process = os.fork()
    if process:
        return process
    # Small chunks: so that a small data set has many moments at which something is finished.
    units.STUDIES_PER_CHUNK = STUDIES_PER_CHUNK
    code = 1
    try:
        prepare_workspace(
            data / "mimic-cxr-jpg", data / "mimic-ext-cxr-qba", workspace, STORE_SIZE, workers=workers
        )
        code = 0
    finally:
        os._exit(code)


def digest(workspace: Path) -> str:
    """Gives a hash of the names and bytes of all files of a finished workspace."""
    total = hashlib.sha256()
    for path in sorted(workspace.rglob("*")):
        if path.is_file():
            total.update(f"{path.relative_to(workspace)}\n".encode() + path.read_bytes())
    return total.hexdigest()


def kill_after(process: int, seconds: float) -> bool:
    """Kills a process, not its children; tells whether it was still at work."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            if status:
                raise SystemExit("a run failed")
            return False
        time.sleep(0.002)
    children = process_tree(process)[1:]
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    end = time.monotonic() + ORPHANS_END_WITHIN_S
    while any(Path(f"/proc/{child}").exists() for child in children):
        if time.monotonic() > end:
            raise SystemExit("worker processes outlive their parent")
        time.sleep(0.01)
    return True


def measure(data: Path, folder: Path, kills: int, workers: int, seed: int) -> dict[str, object]:
    begin = time.monotonic()
    kill_after(start(data, folder / "undisturbed", workers), 600)
    whole_run = time.monotonic() - begin
    expected = digest(folder / "undisturbed")
    workspace = folder / "killed"
    draw, done, finished, different = random.Random(seed), 0, 0, 0
    while done < kills or not finished:
        last = done >= kills
        seconds = 600 if last else draw.uniform(0, whole_run * 0.8)
        if kill_after(start(data, workspace, workers), seconds):
            done += 1
            continue
        finished += 1
        different += digest(workspace) != expected
        shutil.rmtree(workspace)
    return {
        "kills": done,
        "finished_runs": finished,
        "different_bytes": different,
        "undisturbed_s": round(whole_run, 2),
        "workers": workers,
        "seed": seed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="how many runs are killed")
    parser.add_argument("--workers", type=int, default=1, help="processes of cxrkit prepare")
    parser.add_argument("--data", type=Path, help="data set with mimic-cxr-jpg/ and mimic-ext-cxr-qba/")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or Path(folder) / "data"
        if not data.exists():
            size = ["--patients", str(PATIENTS), "--image_size", str(IMAGE_SIZE)]
            subprocess.run([sys.executable, "-m", "cxrkit", "synth", str(data), *size], check=True)
        figures = measure(data, Path(folder), options.kills, options.workers, options.seed)
    show(figures, options.json)
    if figures["different_bytes"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
