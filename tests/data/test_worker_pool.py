"""Units of work in several processes."""

import os

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
