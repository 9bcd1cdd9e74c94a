"""Interrupted at any moment, in any layout, a run ends as the unbroken one: bit for bit, on the CPU.

A short form runs always; `make test-long` runs all cells, kills at every write of a save, and many signals.
"""

import itertools
import os
import random
import shutil
import signal
import time

import pytest
from interrupted import STOPPED, Interruption, train
from test_training_resume import are_equal, content
from test_training_runs import COMMON, TINY_VQA

from cxrkit.training.checkpoints import checkpoints_of

FILMS, BATCH = 16, 2
SETTINGS = {
    "data.max_samples": FILMS, "training.batch_size_per_gpu": BATCH, "training.logging_steps": 2,
    "training.eval_steps": 3, "training.save_steps": 3, "training.ema_decay": 0.9,
    "training.num_epochs": 99, "training.save_total_limit": 3, "deepspeed.enabled": False,
}  # fmt: skip
MOMENTS = ("boundary", "first epoch", "later epoch")
CELLS = list(itertools.product((0, 2), (False, True), MOMENTS, (1, 2), (1, 2)))
# Every value of every dimension is there, and each moment with each number of processes.
SHORT_CELLS = [
    (0, False, "later epoch", 1, 1), (2, True, "later epoch", 2, 2), (2, False, "first epoch", 2, 1),
    (2, True, "boundary", 1, 2), (0, True, "first epoch", 1, 2), (2, True, "boundary", 2, 1),
]  # fmt: skip
AUTO = {"training.resume_from_checkpoint": "auto"}


def settings_of(task, workspace, run_dir, last, **more):
    own = TINY_VQA if task == "vqa" else {}
    places = {"data.workspace": workspace, "training.output_dir": run_dir, "training.max_steps": last}
    return COMMON | own | SETTINGS | places | more


def files_of(run_dir):
    """Gives what makes a run: the last checkpoint, the best models, the metrics."""
    last = checkpoints_of(run_dir)[0]
    found = [path for path in last.rglob("*") if path.is_file() and path.name != "manifest.json"]
    found += [path for folder in run_dir.glob("best_model*") for path in folder.glob("*.safetensors")]
    return {str(path.relative_to(run_dir)): path for path in [*found, run_dir / "metrics.jsonl"]}


def assert_equal_runs(one, two):
    first, second = files_of(one), files_of(two)
    assert first.keys() == second.keys()
    assert {"metrics.jsonl", "best_model_raw/model.safetensors"} <= first.keys()
    assert any(name.endswith("average.safetensors") for name in first)
    differing = [name for name in first if not are_equal(content(first[name]), content(second[name]))]
    assert not differing


@pytest.fixture(scope="module")
def unbroken(workspace, tmp_path_factory):
    """Gives the unbroken run of a layout, trained when it is first asked for."""
    found = {}

    def unbroken(task, accumulation=1, processes=1, last=None, **more):
        key = (task, accumulation, processes, last, *more.items())
        if key not in found:
            folder = tmp_path_factory.mktemp("unbroken")
            updates = last or 2 * updates_per_epoch(accumulation, processes) + 1
            settings = settings_of(
                task, workspace, folder / "run", updates,
                **{"training.gradient_accumulation_steps": accumulation, **more},
            )  # fmt: skip
            began = time.monotonic()
            result = train(task, settings, folder / "logs", processes=processes)
            assert set(result.codes) == {0}, result.logs[0].read_text()
            found[key] = (folder / "run", settings, result.writes, time.monotonic() - began)
        return found[key]

    return unbroken


def updates_per_epoch(accumulation, processes):
    return FILMS // (BATCH * accumulation * processes)


def resume(task, settings, folder, processes=1):
    result = train(task, settings | AUTO, folder / "logs", processes=processes)
    assert set(result.codes) == {0}, result.logs[0].read_text()


def check_cell(task, cell, unbroken, folder):
    workers, persistent, moment, accumulation, processes = cell
    whole, settings, _, _ = unbroken(task, accumulation, processes)
    epoch = updates_per_epoch(accumulation, processes)
    update = {"boundary": epoch, "first epoch": epoch // 2, "later epoch": epoch + epoch // 2}[moment]
    own = settings | {
        "training.output_dir": folder / "run", "training.dataloader_num_workers": workers,
        "training.dataloader_persistent_workers": persistent,
    }  # fmt: skip
    # The signal reaches one process, the last one.
    stop = Interruption(update=update, rank=processes - 1)
    result = train(task, own, folder / "logs", processes=processes, interruption=stop)
    assert set(result.codes) == {STOPPED}, result.logs[0].read_text()
    assert checkpoints_of(folder / "run")[0].name == f"checkpoint-{update}"
    resume(task, own, folder, processes)
    assert_equal_runs(whole, folder / "run")


@pytest.mark.parametrize("task", ["classify", "vqa"])
@pytest.mark.parametrize("cell", SHORT_CELLS, ids=str)
def test_a_stopped_run_ends_as_the_unbroken_one(task, cell, unbroken, tmp_path):
    check_cell(task, cell, unbroken, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("task", ["classify", "vqa"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_stopped_run_of_any_layout_ends_as_the_unbroken_one(task, cell, unbroken, tmp_path):
    check_cell(task, cell, unbroken, tmp_path)


def check_kill_at_write(task, position, unbroken, folder):
    whole, settings, writes, _ = unbroken(task, last=5, **{"training.save_steps": 2})
    assert position < writes
    own = settings | {"training.output_dir": folder / "run"}
    kill = Interruption(number=signal.SIGKILL, write=position)
    assert train(task, own, folder / "logs", interruption=kill).codes == [-signal.SIGKILL]
    resume(task, own, folder)
    assert_equal_runs(whole, folder / "run")
    assert not list((folder / "run").glob(".checkpoint-*"))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.45, 0.6, 0.85, 0.99])
def test_killed_while_it_saves_a_run_goes_on_exactly(share, unbroken, tmp_path):
    writes = unbroken("classify", last=5, **{"training.save_steps": 2})[2]
    check_kill_at_write("classify", int(share * writes), unbroken, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("task", ["classify", "vqa"])
def test_killed_at_any_write_of_a_save_a_run_goes_on_exactly(task, unbroken, tmp_path):
    writes = unbroken(task, last=5, **{"training.save_steps": 2})[2]
    print(f"{task}: killed at each of {writes} writes")
    for position in range(writes):
        check_kill_at_write(task, position, unbroken, tmp_path / str(position))


def check_random_kill(task, processes, chance, unbroken, folder):
    """Kills all processes at a random moment, while every update is saved."""
    whole, settings, _, seconds = unbroken(task, 1, processes, 12, **{"training.save_steps": 1})
    own = settings | {"training.output_dir": folder / "run"}
    after = chance.uniform(0.2, 0.95) * seconds
    train(task, own, folder / "logs", processes=processes, kill_after=after)
    resume(task, own, folder, processes)
    assert_equal_runs(whole, folder / "run")


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_a_random_moment_a_run_goes_on_exactly(processes, unbroken, tmp_path):
    chance = random.Random(processes)
    for number in range(2):
        check_random_kill("classify", processes, chance, unbroken, tmp_path / str(number))


@pytest.mark.long
@pytest.mark.parametrize("number", range(40))
def test_killed_at_many_random_moments_a_run_goes_on_exactly(number, unbroken, tmp_path):
    task, processes = ("classify", "vqa")[number % 2], 1 + number // 2 % 2
    check_random_kill(task, processes, random.Random(number), unbroken, tmp_path)


def check_signal(task, chance, unbroken, folder):
    """Sends a signal to one of two processes, or to both, at a random moment of the training."""
    whole, settings, _, _ = unbroken(task, 1, 2, 24, **{"training.save_steps": 24})
    own = settings | {"training.output_dir": folder / "run"}

    def send(children):
        until = time.monotonic() + 60
        while not (folder / "run/metrics.jsonl").is_file():
            assert time.monotonic() < until
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.5))
        reached = chance.choice([children, children[:1], children[1:]])
        for child in reached:
            if child.is_alive():
                os.kill(child.pid, chance.choice([signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]))

    result = train(task, own, folder / "logs", processes=2, send=send)
    assert result.codes in ([STOPPED, STOPPED], [0, 0]), result.logs[0].read_text()
    resume(task, own, folder, processes=2)
    assert_equal_runs(whole, folder / "run")
    return result.codes[0]


def test_a_signal_to_either_of_two_processes_stops_both(unbroken, tmp_path):
    chance = random.Random(0)
    codes = [check_signal("classify", chance, unbroken, tmp_path / str(number)) for number in range(2)]
    assert STOPPED in codes


@pytest.mark.long
@pytest.mark.parametrize("task", ["classify", "vqa"])
def test_many_signals_to_two_processes(task, unbroken, tmp_path):
    chance = random.Random(1)
    codes = [check_signal(task, chance, unbroken, tmp_path / str(number)) for number in range(10)]
    print(f"{task}: {codes.count(STOPPED)} of {len(codes)} stopped, the others had just finished")
    assert codes.count(STOPPED) > 7


def test_a_kill_that_damages_is_noticed(unbroken, tmp_path):
    """What the comparison would say if a run did not go on exactly."""
    whole, _, _, _ = unbroken("classify")
    shutil.copytree(whole, tmp_path / "run")
    path = checkpoints_of(tmp_path / "run")[0] / "average.safetensors"
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(AssertionError, match=r"average\.safetensors"):
        assert_equal_runs(whole, tmp_path / "run")
