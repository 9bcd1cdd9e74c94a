"""What a training sends to trackers: numbers and settings; read from the files of an offline W&B run."""

import getpass
import json
import logging
import math
from pathlib import Path
from unittest import mock

import pytest
from wandb_file import configuration, history, records

from cxrkit.config import load_settings
from cxrkit.errors import SettingsError
from cxrkit.training.classify import train_classifier
from cxrkit.training.tracking import Tracking, open_trackers, trackers
from cxrkit.training.tracking.data_use import sendable, sendable_settings
from cxrkit.training.tracking.weights_and_biases import WandbTracker

TINY = {
    "data.image_size": 32, "data.image_store_size": 96, "data.max_samples": 16,
    "model.visual_backbone": "resnet10t", "model.pretrained": False,
    "training.batch_size_per_gpu": 4, "training.gradient_accumulation_steps": 1,
    "training.max_steps": 4, "training.eval_steps": 2, "training.save_steps": 2, "training.logging_steps": 1,
    "training.dataloader_num_workers": 0, "training.gradient_checkpointing": False,
    "training.ema_decay": 0.9, "training.layer_decay": 0.5,
    "wandb.project": "a-project", "wandb.group": "a-group", "wandb.tags": ["first", "second"],
}  # fmt: skip


@pytest.fixture(scope="module")
def offline():
    patch = pytest.MonkeyPatch()
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT"):
        patch.delenv(name, raising=False)
    patch.setenv("NETRC", "/nowhere/netrc")
    patch.setenv("HOME", "/nowhere")
    yield
    patch.undo()


def settings_of(workspace, run_dir, **more):
    paths = {"data.workspace": workspace, "training.output_dir": run_dir}
    return load_settings(None, "classify", TINY | paths | more)


@pytest.fixture(scope="module")
def run_dir(offline, workspace, tmp_path_factory) -> Path:
    """A run that is tracked offline."""
    folder = tmp_path_factory.mktemp("tracked") / "first-run"
    train_classifier(settings_of(workspace, folder))
    return folder


def wandb_files(run_dir: Path) -> list[Path]:
    return sorted(run_dir.glob("wandb/offline-run-*/*.wandb"))


def logged(run_dir: Path, name: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_dir / name).read_text().splitlines()]


def test_what_is_logged_arrives_with_its_update(run_dir):
    (path,) = wandb_files(run_dir)
    sent = history(path)
    losses = {int(line["update"]): float(line["train/loss"]) for line in sent if "train/loss" in line}
    assert losses == {
        line["step"]: line["loss"] for line in logged(run_dir, "metrics.jsonl") if "loss" in line
    }
    assert any("eval/mean_auroc" in line for line in sent)
    speeds = [float(line["speed/films_per_second"]) for line in sent if "speed/films_per_second" in line]
    assert speeds == [line["films_per_second"] for line in logged(run_dir, "speed.jsonl")]


def test_nothing_else_leaves_the_machine(run_dir, workspace, synthetic_root):
    (path,) = wandb_files(run_dir)
    # What W&B's own program writes for finding its mistakes (`logs`) is never sent.
    sent = path.read_bytes() + b"".join(
        file.read_bytes() for file in path.parent.glob("files/**/*") if file.is_file()
    )
    patients = [folder.name for folder in synthetic_root.glob("mimic-cxr-jpg/files/p*/p*")]
    assert len(patients) > 10
    own = [str(workspace), str(run_dir), str(run_dir.parent)]
    assert [word for word in [*patients, *own] if word.encode() in sent] == []
    assert f'"{getpass.getuser()}"'.encode() not in sent
    runs = [record.run for record in records(path) if record.WhichOneof("record_type") == "run"]
    assert {(run.host, run.git.remote_url) for run in runs} == {("", "")}
    kinds = {record.WhichOneof("record_type") for record in records(path)}
    assert kinds & {"output", "output_raw", "artifact", "tbrecord", "environment", "files"} == set()
    assert not list(path.parent.glob("files/requirements.txt"))
    for line in history(path):
        assert all(math.isfinite(float(value)) for name, value in line.items() if name != "_wandb")


def test_the_run_is_described_by_its_settings(run_dir):
    (path,) = wandb_files(run_dir)
    (run, *_) = [record.run for record in records(path) if record.WhichOneof("record_type") == "run"]
    assert (run.project, run.run_group, run.display_name) == ("a-project", "a-group", "first-run")
    assert sorted(run.tags) == ["first", "second"]
    found = configuration(path)
    assert json.loads(found["training.ema_decay"]) == 0.9
    assert json.loads(found["task"]) == "classify"
    assert "data.workspace" not in found
    assert "training.output_dir" not in found


def test_a_run_that_goes_on_is_the_same_run(offline, workspace, tmp_path):
    train_classifier(settings_of(workspace, tmp_path / "run", **{"training.max_steps": 4}))
    speeds = len(logged(tmp_path / "run", "speed.jsonl"))
    for name in ("best_model", "best_model_raw", "best_model_averaged"):
        assert (tmp_path / "run" / name).is_dir()
    (tmp_path / "run/checkpoint-4/manifest.json").unlink()
    train_classifier(settings_of(workspace, tmp_path / "run", **{"training.resume_from_checkpoint": "auto"}))
    ids = {record.run.run_id for path in wandb_files(tmp_path / "run") for record in records(path)[:3]}
    assert len(ids - {""}) == 1
    assert [line["step"] for line in logged(tmp_path / "run", "speed.jsonl")] == [1, 2, 3, 4]
    assert speeds == 4


def test_tensorboard_has_the_same_numbers(run_dir):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run_dir / "tensorboard"))
    events.Reload()
    found = {event.step: event.value for event in events.Scalars("train/loss")}
    expected = {line["step"]: line["loss"] for line in logged(run_dir, "metrics.jsonl") if "loss" in line}
    assert found == pytest.approx(expected)
    assert events.Scalars("speed/data_wait_share")


def test_rates_and_distance_from_the_average_are_logged(run_dir):
    lines = [line for line in logged(run_dir, "metrics.jsonl") if "loss" in line]
    assert all(line["learning_rate_lowest"] < line["learning_rate"] for line in lines[:-1])
    assert all(line["average_distance"] > 0 for line in lines)
    assert all(line["grad_norm"] > 0 for line in lines)


@pytest.mark.parametrize(
    "name",
    [
        "loss of p10000032",
        "s50414267",
        "02aa804e-bde0afdd-112c0b34-7bc16630-4e384014",
        "study 50414267",
        "",
        "the patient has a small left pleural effusion",
    ],
)
def test_the_guard_keeps_identifiers(name, caplog):
    with caplog.at_level(logging.WARNING):
        assert sendable({name: 1.0, "loss": 2.0}) == {"loss": 2.0}
    assert "not sent" in caplog.text


@pytest.mark.parametrize("value", ["There is no pneumothorax.", [1.0, 2.0], {"a": 1.0}, None, object()])
def test_the_guard_keeps_all_but_single_numbers(value):
    assert sendable({"a": value, "b": 1}) == {"b": 1.0}


def test_numbers_that_are_none_are_left_out_in_silence(caplog):
    assert sendable({"a": math.nan, "b": math.inf}) == {}
    assert caplog.text == ""


def test_settings_are_sent_without_paths(tmp_path):
    chosen = load_settings(
        None, "vqa",
        {"model.text_encoder": "/home/me/bert", "data.workspace": tmp_path, "model.pretrained": "~/w.pth"},
    )  # fmt: skip
    sent = sendable_settings(chosen)
    assert "model.text_encoder" not in sent
    assert "model.pretrained" not in sent
    assert (sent["model.hidden_size"], sent["training.seed"]) == (chosen.model.hidden_size, 42)
    assert not any("/" in str(value) for value in sent.values())


def test_settings_are_sent_without_names_that_people_give(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/bert").mkdir(parents=True)
    chosen = load_settings(
        None, "vqa",
        {
            "model.text_encoder": "models/bert", "training.hub_model_id": "jane/secret",
            "training.resume_from_checkpoint": "checkpoints/jane_doe/private-study/checkpoint-100",
            "wandb.name": "jane", "training.lr_scheduler_type": "cosine",
        },
    )  # fmt: skip
    sent = sendable_settings(chosen)
    assert "jane" not in str(sent)
    assert "bert" not in str(sent)
    assert sent["training.lr_scheduler_type"] == "cosine"
    other = load_settings(None, "vqa", {"model.text_encoder": "emilyalsentzer/Bio_ClinicalBERT"})
    assert sendable_settings(other)["model.text_encoder"] == "emilyalsentzer/Bio_ClinicalBERT"


@pytest.mark.parametrize("key", ["project", "name", "group", "tags"])
@pytest.mark.parametrize(
    "text", ["p10000032", "study 50414267", "Patient John Smith has edema", "/home/jane"]
)
def test_names_that_could_say_something_of_a_patient_are_refused(key, text, workspace, tmp_path):
    more = {f"wandb.{key}": [text] if key == "tags" else text}
    with pytest.raises(SettingsError, match=f"wandb.{key}"):
        train_classifier(settings_of(workspace, tmp_path / "run", **more))
    assert not (tmp_path / "run").exists()


class Broken:
    """A tracker whose server went away."""

    def __init__(self):
        self.calls = 0

    def send(self, values, step):
        self.calls += 1
        raise ConnectionError("gone")

    def close(self):
        raise ConnectionError("gone")


def test_a_tracker_that_fails_is_left_out_and_training_goes_on(tmp_path, caplog):
    broken, state = Broken(), type("State", (), {"is_world_process_zero": True, "global_step": 0})()
    tracking = Tracking(tmp_path, lambda step: [broken])
    tracking.on_train_begin(None, state, None)
    tracking.speed({"seconds_per_update": 1.0}, 1)
    tracking.speed({"seconds_per_update": 1.0}, 2)
    tracking.close()
    assert broken.calls == 1
    assert "ConnectionError: gone" in caplog.text
    assert len(logged(tmp_path, "speed.jsonl")) == 2


def test_a_server_that_is_away_does_not_cost_the_training(workspace, tmp_path, monkeypatch, caplog):
    def refuse(_):
        raise RuntimeError("403")

    monkeypatch.setattr(trackers, "WandbTracker", refuse)
    (tmp_path / "run").mkdir()
    (only,) = open_trackers(settings_of(workspace, tmp_path / "run"), 0)
    only.close()
    assert "RuntimeError: 403" in caplog.text


def test_without_the_package_it_is_said(workspace, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "run").mkdir()
    (only,) = open_trackers(settings_of(workspace, tmp_path / "run"), 0)
    only.close()
    assert "pip install 'cxrkit[wandb]'" in caplog.text


@pytest.mark.parametrize("where", ["environment", "file", "nowhere"])
def test_a_key_makes_it_online(where, workspace, tmp_path, monkeypatch):
    import wandb

    seen = {}
    monkeypatch.setattr(wandb, "init", lambda **words: seen.update(words) or mock.Mock())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40 if where == "environment" else "")
    if where == "file":
        (tmp_path / ".env").write_text(f"export WANDB_API_KEY='{'k' * 40}'\n")
    (tmp_path / "run").mkdir()
    WandbTracker(settings_of(workspace, tmp_path / "run"))
    assert seen["mode"] == ("offline" if where == "nowhere" else "online")
    assert seen["settings"].api_key == (None if where == "nowhere" else "k" * 40)
