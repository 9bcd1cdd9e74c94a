"""Batch and accumulation that fit the machine, or the run that goes on."""

import json

import pytest

from cxrkit.config import load_settings
from cxrkit.hardware import assumed_hardware
from cxrkit.training.planning import fitting_settings
from cxrkit.training.planning.fitting import ACCUMULATION, BATCH

SMALL = assumed_hardware("T4 16GB", cores=8, memory_bytes=None)


def values(given=(), **more):
    settings = load_settings(None, "vqa", more)
    return {key: choice.value for key, choice in fitting_settings(settings, given, SMALL).items()}


def test_the_machine_decides():
    assert values() == {BATCH: 12, ACCUMULATION: 5, "training.dataloader_num_workers": 7}


@pytest.mark.parametrize("key", [BATCH, ACCUMULATION])
def test_a_user_who_decides_one_decides_both(key):
    assert values([key]) == {"training.dataloader_num_workers": 7}


@pytest.fixture
def run(tmp_path):
    content = {
        "finished": False,
        "run": {
            "task": "vqa",
            "index_fingerprint": "f" * 64,
            "batch_size": 16,
            "films_per_update": 64,
            "strategy": "plain",
            "processes": 1,
            "settings": {},
        },
    }
    (tmp_path / "run.json").write_text(json.dumps(content))
    return {"training.output_dir": tmp_path, "training.resume_from_checkpoint": "auto"}


@pytest.mark.parametrize(("processes", "accumulation"), [("1", 4), ("2", 2), ("4", 1)])
def test_a_run_that_goes_on_keeps_the_films_of_its_updates(processes, accumulation, run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", processes)
    found = values(**run)
    assert (found[BATCH], found[ACCUMULATION]) == (16, accumulation)


def test_what_cannot_be_kept_is_left_to_be_refused(run, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert values(**run)[BATCH] == 12


def test_a_new_run_does_not_look_at_the_folder(run):
    assert values(**{"training.output_dir": run["training.output_dir"]})[BATCH] == 12
