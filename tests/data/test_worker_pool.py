"""Units of work in several processes."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from cxrkit.data.worker_pool import run_units


def start(base):
    return {"base": base, "process": os.getpid()}


def add(state, unit):
    if unit == "bad":
        raise ValueError("no number")
    return state["base"] + unit, state["process"]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_unit_gives_its_result(workers):
    results = dict(run_units(start, (100,), add, range(20), workers))
    assert {position: result[0] for position, result in results.items()} == {n: 100 + n for n in range(20)}
    processes = {process for _, process in results.values()}
    assert (os.getpid() in processes) == (workers == 1)


def test_one_unit_needs_no_process():
    assert list(run_units(start, (1,), add, [5], 8)) == [(0, (6, os.getpid()))]


def test_nothing_to_do():
    assert list(run_units(start, (1,), add, [], 8)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failure_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="no number"):
        list(run_units(start, (1,), add, [1, "bad", 3], workers))


def test_units_are_made_when_a_process_is_free_for_them():
    asked = []

    class Units:
        def __len__(self):
            return 1000

        def __getitem__(self, position):
            if position >= 1000:
                raise IndexError(position)
            asked.append(position)
            return position

    running = run_units(start, (0,), add, Units(), 2)
    next(running)
    assert len(asked) < 20
    running.close()


STUBBORN = """
import sys, time
sys.path.insert(0, {folder!r})
import stubborn_work
if __name__ == "__main__":
    print("ready", flush=True)
    stubborn_work.run()
"""
WORK = """
import time
from contextlib import suppress
from cxrkit.data.worker_pool import run_units
def start(): return None
def work(state, unit):
    time.sleep(0.4)
    return unit
def run():
    for _ in run_units(start, (), work, range(200), 2):
        print("one", flush=True)
"""


def test_a_second_interrupt_does_not_hang(tmp_path):
    (tmp_path / "stubborn_work.py").write_text(WORK)
    (tmp_path / "main.py").write_text(STUBBORN.format(folder=str(tmp_path)))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "main.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert process.stdout.readline() == "ready\n"
    assert process.stdout.readline() == "one\n"
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    # One interrupt, told once, by the parent alone.
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt\n") == 1
