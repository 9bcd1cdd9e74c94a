"""Killed at random moments, `prepare` goes on where it was and ends with the same bytes."""

import json
import os
import subprocess
import sys

import pytest


# The long version is `python benchmarks/kills.py`.
@pytest.mark.parametrize(("workers", "kills"), [(1, 20), (2, 3)])
def test_killed_runs_end_with_the_same_bytes(request, synthetic_root, workers, kills):
    folder = request.config.rootpath / "benchmarks"
    command = [sys.executable, str(folder / "kills.py"), "--data", str(synthetic_root), "--json"]
    command += ["--kills", str(kills), "--workers", str(workers)]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert result.returncode == 0, result.stderr + result.stdout
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["kills"] >= kills
    assert figures["finished_runs"] >= 1
    assert figures["different_bytes"] == 0
