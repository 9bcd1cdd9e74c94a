"""A run that is interrupted and gone on with ends as one that never was; only whole checkpoints are used."""

import json
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from test_training_runs import classify_settings, vqa_settings

from cxrkit.errors import ArtifactError, TrainingStopped
from cxrkit.training.checkpoints import checkpoints_of, newest_whole, read_manifest
from cxrkit.training.classify import train_classifier
from cxrkit.training.vqa import train_vqa

LAST, STOPPED = 9, 7
LONG = {
    "training.max_steps": LAST, "training.gradient_accumulation_steps": 2, "training.batch_size_per_gpu": 2,
    "training.logging_steps": 2, "training.eval_steps": 3, "training.save_steps": 3,
    "training.ema_decay": 0.9, "training.save_total_limit": 3, "data.max_samples": 16,
}  # fmt: skip
TASKS = {"vqa": (vqa_settings, train_vqa), "classify": (classify_settings, train_classifier)}
AUTO = {"training.resume_from_checkpoint": "auto"}


def run(task, workspace, run_dir, stop_at=None, number=signal.SIGTERM, **more):
    settings, train = TASKS[task]

    def progress(_stage, done, _total):
        if done == stop_at:
            os.kill(os.getpid(), number)

    return train(settings(workspace, run_dir, **{**LONG, **more}), progress=progress)


@pytest.fixture(scope="module", params=["vqa", "classify"])
def unbroken(request, workspace, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "run"
    run(request.param, workspace, folder)
    return request.param, folder


@pytest.fixture(scope="module")
def classifier(workspace, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier") / "run"
    run("classify", workspace, folder)
    return folder


def content(path):
    return torch.load(path, weights_only=False) if path.suffix in (".pt", ".pth") else path.read_bytes()


def are_equal(one, two):
    """Compares nested values bit by bit."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(are_equal(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(are_equal, one, two))
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    return one.tobytes() == two.tobytes() if isinstance(one, np.ndarray) else one == two


def assert_equal_runs(one, two):
    checkpoint = f"checkpoint-{LAST}"
    names = {path.name for path in (one / checkpoint).iterdir()} - {"manifest.json"}
    assert names >= {"model.safetensors", "average.safetensors", "optimizer.pt", "unlogged_0.json"}
    files = [f"{checkpoint}/{name}" for name in names] + ["metrics.jsonl"]
    files += [f"{kind}/model.safetensors" for kind in ("best_model", "best_model_raw", "best_model_averaged")]
    differing = [name for name in files if not are_equal(content(one / name), content(two / name))]
    assert not differing


@pytest.mark.parametrize(
    ("stop_at", "workers", "number"),
    [(STOPPED, 0, signal.SIGTERM), (4, 2, signal.SIGINT), (2, 0, signal.SIGUSR1)],
    ids=["epoch 1", "boundary", "epoch 0"],
)
def test_a_stopped_run_ends_as_the_unbroken_one(unbroken, workspace, tmp_path, stop_at, workers, number):
    task, whole = unbroken
    more = {"training.dataloader_num_workers": workers}
    with pytest.raises(TrainingStopped, match=f"after {stop_at} updates") as stopped:
        run(task, workspace, tmp_path / "run", stop_at, number, **more)
    assert stopped.value.exit_code == 75
    assert checkpoints_of(tmp_path / "run")[0].name == f"checkpoint-{stop_at}"
    run(task, workspace, tmp_path / "run", **AUTO, **more)
    assert_equal_runs(whole, tmp_path / "run")


def test_a_finished_run_stays_as_it_is(classifier, workspace, tmp_path):
    shutil.copytree(classifier, tmp_path / "run")
    again = run("classify", workspace, tmp_path / "run", **AUTO)
    assert_equal_runs(classifier, tmp_path / "run")
    assert again.step == json.loads((classifier / "best_model/training_metadata.json").read_text())["step"]


def test_nothing_to_go_on_from_begins_at_the_start(classifier, workspace, tmp_path):
    run("classify", workspace, tmp_path / "run", **AUTO)
    assert_equal_runs(classifier, tmp_path / "run")


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"])
@pytest.mark.parametrize("damage", ["missing", "flipped", "cut"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(classifier, tmp_path, name, damage):
    shutil.copytree(classifier, tmp_path / "run")
    path = tmp_path / "run/checkpoint-9" / name
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(whole) // 2
        changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        path.write_bytes(changed if damage == "flipped" else whole[:middle])
    checkpoint, rejected = newest_whole(tmp_path / "run")
    assert checkpoint.name == "checkpoint-6"
    assert [(entry.path.name, name in entry.reason) for entry in rejected] == [("checkpoint-9", True)]


def test_a_damaged_last_checkpoint_costs_only_the_updates_since_the_one_before(
    classifier, workspace, tmp_path, caplog
):
    shutil.copytree(classifier, tmp_path / "run")
    (tmp_path / "run/checkpoint-9/manifest.json").unlink()
    run("classify", workspace, tmp_path / "run", **AUTO)
    assert "checkpoint-9 is not used: no manifest.json" in caplog.text
    assert_equal_runs(classifier, tmp_path / "run")


def test_without_a_whole_checkpoint_nothing_is_overwritten(classifier, workspace, tmp_path):
    shutil.copytree(classifier, tmp_path / "run")
    for path in checkpoints_of(tmp_path / "run"):
        (path / "model.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"no checkpoint in .* can be used"):
        run("classify", workspace, tmp_path / "run", **AUTO)
    assert (tmp_path / "run/best_model/model.safetensors").is_file()


def test_a_run_broken_off_before_its_first_checkpoint_begins_anew(classifier, workspace, tmp_path):
    shutil.copytree(classifier, tmp_path / "run")
    for path in checkpoints_of(tmp_path / "run"):
        shutil.rmtree(path)
    run_file = tmp_path / "run/run.json"
    # Finished, or not this run: what is there stays.
    with pytest.raises(ArtifactError, match="earlier run"):
        run("classify", workspace, tmp_path / "run", **AUTO)
    content = json.loads(run_file.read_text())
    run_file.write_text(json.dumps(content | {"finished": False}))
    with pytest.raises(ArtifactError, match="earlier run"):
        run("classify", workspace, tmp_path / "run", **AUTO, **{"training.seed": 7})
    run("classify", workspace, tmp_path / "run", **AUTO)
    assert_equal_runs(classifier, tmp_path / "run")


def test_a_damaged_later_checkpoint_takes_no_place_of_a_whole_one(classifier, workspace, tmp_path):
    shutil.copytree(classifier, tmp_path / "run")
    (tmp_path / "run/checkpoint-9/model.safetensors").unlink()
    one = {"training.save_total_limit": 1}
    with pytest.raises(TrainingStopped):
        run("classify", workspace, tmp_path / "run", 7, **AUTO, **one)
    assert newest_whole(tmp_path / "run")[0].name == "checkpoint-7"
    run("classify", workspace, tmp_path / "run", **AUTO, **one)
    assert_equal_runs(classifier, tmp_path / "run")


def test_other_intervals_of_saving_and_logging_hold_from_then_on(workspace, tmp_path):
    with pytest.raises(TrainingStopped):
        run("classify", workspace, tmp_path / "run", 4)
    more = {"training.save_steps": 1, "training.logging_steps": 1, "training.save_total_limit": 9}
    run("classify", workspace, tmp_path / "run", **AUTO, **more)
    steps = [int(path.name.split("-")[1]) for path in checkpoints_of(tmp_path / "run")]
    assert steps == [9, 8, 7, 6, 5, 4, 3]
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 5, 6, 7, 8, 9]


def test_a_run_that_lost_patience_is_finished(workspace, tmp_path):
    patience = {
        "training.early_stopping_patience": 1, "training.metric_for_best_model": "loss",
        "training.learning_rate": 10.0, "training.save_steps": 9, "training.eval_steps": 1,
        "training.max_steps": 30, "training.num_epochs": 30, "training.max_skipped_steps": 30,
    }  # fmt: skip
    first = run("classify", workspace, tmp_path / "run", **patience)
    last = checkpoints_of(tmp_path / "run")[0]
    assert last.name != "checkpoint-30"
    again = run("classify", workspace, tmp_path / "run", **AUTO, **patience)
    assert (again.step, checkpoints_of(tmp_path / "run")[0]) == (first.step, last)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"training.learning_rate": 0.1}, "training.learning_rate: 5e-05 in the checkpoint, 0.1 now"),
        ({"model.label_policy": "ones"}, "model.label_policy"),
        ({"training.batch_size_per_gpu": 3}, "films_per_update: 4 in the checkpoint, 6 now"),
    ],
)
def test_a_run_is_not_gone_on_with_under_other_settings(classifier, workspace, more, told):
    with pytest.raises(ArtifactError, match=told):
        run("classify", workspace, classifier, **AUTO, **more)


def test_a_checkpoint_by_its_path_must_be_whole_here_and_the_last(classifier, workspace, tmp_path):
    def go_on(folder, path):
        return run("classify", workspace, folder, **{"training.resume_from_checkpoint": str(path)})

    with pytest.raises(ArtifactError, match="checkpoints later than checkpoint-6"):
        go_on(classifier, classifier / "checkpoint-6")
    with pytest.raises(ArtifactError, match="not in the run's folder"):
        go_on(tmp_path, classifier / "checkpoint-9")
    with pytest.raises(ArtifactError, match="no such folder"):
        go_on(classifier, classifier / "checkpoint-8")
    shutil.copytree(classifier, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoint-9")
    go_on(tmp_path / "run", tmp_path / "run/checkpoint-6")
    assert_equal_runs(classifier, tmp_path / "run")


def test_a_checkpoint_says_what_it_is_of(classifier):
    manifest = read_manifest(classifier / "checkpoint-9")
    assert (manifest["step"], manifest["run"]["task"], manifest["run"]["processes"]) == (9, "classify", 1)
    assert not list(classifier.glob(".checkpoint-*"))
    assert not list(classifier.glob("*/training_args.bin"))
