"""What hits a training from outside: signals to all processes, folders of their own, full disks, losses."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
import torch
from safetensors import SafetensorError
from test_training_processes import ALONE, TWO, metrics, start, wait_for, words
from test_training_resume import AUTO, run

from cxrkit.errors import ArtifactError, SettingsError, TrainingStopped
from cxrkit.training import agreement, arguments, disk_room, engine
from cxrkit.training.checkpoints import MANIFEST, checkpoints_of, newest_whole, remove_older
from cxrkit.training.deepspeed_configuration import configuration_digest, deepspeed_configuration
from cxrkit.training.kept_models import FOLDERS
from cxrkit.training.process_watch import FIRST_WORD_SECONDS, ProcessWatch

LONG = {"training.max_steps": 4000, "training.num_epochs": 4000, "training.save_steps": 4000}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_job_stops_it_although_films_are_loaded(number, workspace, tmp_path):
    more = LONG | {"training.dataloader_num_workers": 2, "training.gradient_accumulation_steps": 2}
    with (tmp_path / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            words(ALONE, "classify", workspace, tmp_path / "run", **more),
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        )  # fmt: skip
    wait_for(
        lambda: (tmp_path / "run/metrics.jsonl").is_file() and len(metrics(tmp_path / "run")) > 2, process
    )
    os.killpg(process.pid, number)
    assert process.wait(timeout=60) == 75, (tmp_path / "log.txt").read_text()
    assert newest_whole(tmp_path / "run")[0] is not None
    # The loading processes end with it.
    with pytest.raises(ProcessLookupError):
        _wait_for_group(process.pid)


def _wait_for_group(group):
    for _ in range(100):
        os.killpg(group, 0)
        time.sleep(0.1)


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def test_processes_with_folders_of_their_own_are_refused(workspace, tmp_path):
    first = words(
        ALONE, "classify", workspace, tmp_path / "shared", **{"training.gradient_accumulation_steps": 2}
    )
    assert subprocess.run(first, capture_output=True, check=False).returncode == 0
    shutil.rmtree(tmp_path / "shared/checkpoint-6")
    shutil.copytree(tmp_path / "shared", tmp_path / "own")
    shutil.rmtree(tmp_path / "own/checkpoint-3")
    run_file = tmp_path / "own/run.json"
    run_file.write_text(json.dumps(json.loads(run_file.read_text()) | {"finished": False}))
    port, processes = _free_port(), []
    for rank, folder in enumerate(("shared", "own")):
        command = [
            *words(ALONE, "classify", workspace, tmp_path / folder, **{"deepspeed.enabled": False}),
            "--resume_from_checkpoint", "auto",
        ]  # fmt: skip
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "CUDA_VISIBLE_DEVICES": ""}
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | place | meeting
        processes.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)
        )
    outputs = [process.communicate(timeout=120)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [2, 2], outputs
    for output in outputs:
        told = " ".join(output.split())
        assert "would not begin alike" in told
        assert "process 0: goes on from checkpoint-3" in told
        assert "process 1: goes on from the beginning" in told


def test_a_file_that_comes_late_is_waited_for(tmp_path):
    def come(_seconds):
        (tmp_path / "run.json").touch()

    assert agreement.sees_files(tmp_path, ("run.json",), 5.0, come)
    assert not agreement.sees_files(tmp_path, ("run.json", "other"), 0.0, lambda _: None)
    assert "process(es) 1" in str(agreement.other_folder(tmp_path, [1]))


# Closes its trackers slowly, as behind a slow network, and says that it has.
SLOW_CLOSE = """
import sys, time
from pathlib import Path
from cxrkit.cli import main
from cxrkit.training.tracking.tracking import Tracking

plain, mark = Tracking.close, Path(sys.argv.pop())

def close(self):
    is_first = bool(self._trackers)
    if is_first:
        time.sleep(3)
    plain(self)
    if is_first:
        mark.touch()

Tracking.close = close
main()
"""


def test_the_first_process_of_several_closes_its_trackers_before_all_end(workspace, tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(SLOW_CLOSE)
    launcher = [*TWO[:-2], str(script)]
    command = words(launcher, "classify", workspace, tmp_path / "run", **LONG, **{"deepspeed.enabled": False})
    command.append(str(tmp_path / "closed"))
    process = start(command, tmp_path / "log.txt")
    wait_for(
        lambda: (tmp_path / "run/metrics.jsonl").is_file() and len(metrics(tmp_path / "run")) > 2, process
    )
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)
    log = (tmp_path / "log.txt").read_text()
    assert (tmp_path / "closed").is_file(), log
    assert "stopped: asked to by" in log


def test_freezing_keeps_the_optimizer_whole(monkeypatch, workspace, tmp_path):
    from test_training_runs import classify_settings

    monkeypatch.setenv("WORLD_SIZE", "2")
    enabled = {"deepspeed.enabled": True}
    assert arguments.strategy(classify_settings(workspace, tmp_path, **enabled)) == "DeepSpeed ZeRO-2"
    frozen = classify_settings(workspace, tmp_path, **enabled, **{"training.freeze_backbone_epochs": 1})
    assert arguments.strategy(frozen) == "replicated"


@pytest.mark.parametrize("name", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"])
def test_another_way_of_sharing_is_refused(name, monkeypatch, workspace, tmp_path):
    monkeypatch.setenv(name, "true")
    with pytest.raises(SettingsError, match=name):
        run("classify", workspace, tmp_path / "run")


def test_a_deepspeed_file_with_other_sizes_is_refused(workspace, tmp_path):
    from test_training_runs import classify_settings

    path = tmp_path / "deepspeed.json"
    path.write_text(json.dumps({"train_micro_batch_size_per_gpu": 8, "gradient_accumulation_steps": "auto"}))
    section = classify_settings(workspace, tmp_path, **{"deepspeed.config_path": path}).deepspeed
    with pytest.raises(SettingsError, match='says train_micro_batch_size_per_gpu 8, expected "auto" or 4'):
        deepspeed_configuration(section, "fp32", {"train_micro_batch_size_per_gpu": 4})
    assert deepspeed_configuration(section, "fp32", {"train_micro_batch_size_per_gpu": 8})
    before = configuration_digest(section)
    path.write_text(json.dumps({"train_micro_batch_size_per_gpu": 4}))
    assert configuration_digest(section) == before
    path.write_text(json.dumps({"optimizer": {"type": "Lion"}}))
    assert configuration_digest(section) != before


def test_a_disk_that_is_nearly_full_is_told_before_a_checkpoint_is_written(workspace, tmp_path, monkeypatch):
    free, plain = [10**12, 10**12, 1000], shutil.disk_usage

    def usage(path):
        left = free.pop(0) if len(free) > 1 else free[0]
        return plain(path)._replace(free=left)

    monkeypatch.setattr(disk_room.shutil, "disk_usage", usage)
    with pytest.raises(ArtifactError, match="no room for the checkpoint") as told:
        run("classify", workspace, tmp_path / "run")
    assert "GiB available" in told.value.found
    assert told.value.exit_code == 2
    monkeypatch.undo()
    run("classify", workspace, tmp_path / "run", **AUTO)


@pytest.mark.parametrize("error", [
    OSError(28, "No space left on device"),
    SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0; file write failed"),
])  # fmt: skip
def test_a_disk_that_becomes_full_while_saving_is_told(error, workspace, tmp_path, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(engine, "save_weights", fail)
    with pytest.raises(ArtifactError, match="no room for the checkpoint after 3 updates"):
        run("classify", workspace, tmp_path / "run")
    assert not list((tmp_path / "run").glob(".checkpoint-*"))
    monkeypatch.setattr(engine, "save_weights", lambda *_: (_ for _ in ()).throw(RuntimeError("other")))
    with pytest.raises(RuntimeError, match="other"):
        run("classify", workspace, tmp_path / "run", **AUTO)


def _stopped_run(workspace, folder):
    with pytest.raises(TrainingStopped):
        run("classify", workspace, folder, 7)
    return folder


def test_a_best_model_that_was_left_beside_its_place_is_put_back(workspace, tmp_path, caplog):
    caplog.set_level("INFO")
    folder = _stopped_run(workspace, tmp_path / "run")
    (folder / "best_model").rename(folder / "best_model.old")
    trained = run("classify", workspace, folder, **AUTO)
    assert "put back" in caplog.text
    assert json.loads((trained.best_model / "training_metadata.json").read_text())["step"] == trained.step


def test_a_best_model_that_is_lost_is_told_and_another_one_kept(workspace, tmp_path, caplog):
    folder = _stopped_run(workspace, tmp_path / "run")
    for name in FOLDERS.values():
        shutil.rmtree(folder / name)
    trained = run("classify", workspace, folder, **AUTO)
    assert "is missing or damaged" in caplog.text
    assert json.loads((trained.best_model / "training_metadata.json").read_text())["step"] == trained.step
    assert trained.step > 6


def test_a_finished_run_whose_best_model_is_lost_keeps_its_last(workspace, tmp_path):
    run("classify", workspace, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/best_model")
    trained = run("classify", workspace, tmp_path / "run", **AUTO)
    assert (trained.best_model / "model.safetensors").is_file()
    assert trained.step == 9


def test_a_damaged_log_is_told_and_what_is_lost_too(workspace, tmp_path, caplog):
    folder = _stopped_run(workspace, tmp_path / "run")
    speed, log = folder / "speed.jsonl", folder / "metrics.jsonl"
    before = log.read_text()
    speed.write_text("no json\n" + speed.read_text())
    log.write_text("no json\n" + before)
    with pytest.raises(ArtifactError, match=r"line 1 of metrics\.jsonl is damaged"):
        run("classify", workspace, folder, **AUTO)
    log.write_text("".join(before.splitlines(keepends=True)[1:]))
    run("classify", workspace, folder, **AUTO)
    assert "1 lines of" in caplog.text
    assert [json.loads(line)["step"] for line in speed.read_text().splitlines()][-1] == 8


def test_damaged_checkpoints_are_not_counted_among_those_that_stay(tmp_path):
    for step in (5, 7, 10, 12):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "weights").write_text("1234")
        files = {"weights": {"bytes": 4 if step != 10 else 5, "sha256": ""}}
        (folder / MANIFEST).write_text(json.dumps({"files": files}))
    remove_older(tmp_path, 2, 12)
    assert [path.name for path in checkpoints_of(tmp_path)] == ["checkpoint-12", "checkpoint-7"]


def test_a_process_that_never_said_a_word_is_named_in_the_end(monkeypatch):
    now = [time.monotonic()]
    monkeypatch.setattr("cxrkit.training.process_watch.time.monotonic", lambda: now[0])
    watch = ProcessWatch(0, 2, 45.0)
    watch._has_met = True
    now[0] += FIRST_WORD_SECONDS - 1
    watch._last_round = now[0]
    assert watch.lost(45.0) is None
    now[0] += 2
    watch._last_round = now[0]
    assert "process 1 of 2 (never heard of)" in watch.lost(45.0).found


def test_a_connection_that_broke_is_made_anew(monkeypatch):
    class Store:
        def set(self, _key, text):
            said.append(text)
            if len(said) == 1:
                raise RuntimeError("connection reset")

        def check(self, _keys):
            return False

    said = []
    monkeypatch.setattr("cxrkit.training.process_watch._meeting_point", Store)
    monkeypatch.setattr("cxrkit.training.process_watch.BEAT_SECONDS", 0.02)
    with ProcessWatch(0, 2, 45.0).watching():
        until = time.monotonic() + 10
        while len(said) < 4 and time.monotonic() < until:
            time.sleep(0.02)
    assert len(said) >= 4
    assert said[-1].endswith("finished")


def test_the_scale_of_fp16_losses_goes_on():
    trainer = engine.CxrkitTrainer.__new__(engine.CxrkitTrainer)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    before = torch.amp.GradScaler("cpu", init_scale=1024.0)
    trainer._loss_scaler = lambda: scaler
    trainer._scaler_state, trainer._unlogged = json.loads(json.dumps(before.state_dict())), None
    trainer.go_on()
    assert scaler.get_scale() == 1024.0
