"""Pushes while training goes on: by a process of their own, newest first, ended with the training."""

import json
import logging
import subprocess
import threading
import time

import pytest
from published_runs import NAME
from test_training_runs import classify_settings

from cxrkit.training.best_models import OVERALL, RAW, Kept
from cxrkit.training.publishing.moments import Publisher


class _Best:
    def __init__(self):
        self.best = {}


@pytest.fixture
def publisher(hub, classifier_run, tmp_path):
    """Gives a publisher of a copied run, and a way to say that a model became the best."""
    run = tmp_path / "run"
    subprocess.run(["cp", "-r", classifier_run, run], check=True)
    settings = classify_settings(
        "unused", run, **{"training.hub_model_id": NAME, "training.hub_push": "checkpoint"}
    )
    best = _Best()
    publisher = Publisher(run, settings.training, best)
    state = type("State", (), {"is_world_process_zero": True})()

    def checkpoint(step):
        best.best[OVERALL] = Kept(RAW, step, {"mean_auroc": 0.5})
        metadata = run / "best_model/training_metadata.json"
        content = json.loads(metadata.read_text()) | {"step": step}
        metadata.unlink()
        metadata.write_text(json.dumps(content))
        publisher.on_save(None, state, None)

    yield publisher, checkpoint, run
    publisher.close()


def steps(hub):
    return [json.loads(commit["training_metadata.json"])["step"] for commit in hub.commits]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def test_pushes_at_checkpoints_never_block_and_the_newest_one_follows(hub, publisher):
    publisher, checkpoint, run = publisher
    hub.delay = threading.Event()
    begin = time.monotonic()
    for step in (1, 2, 3, 3):
        checkpoint(step)
    assert time.monotonic() - begin < 2
    publisher.on_step_end(None, None, None)
    assert not hub.commits
    # The one between was overtaken while it waited.
    assert sorted(path.name for path in run.glob(".hub_push*")) == [".hub_push-1-raw", ".hub_push-3-raw"]
    hub.delay.set()

    def third():
        publisher.on_step_end(None, None, None)
        return steps(hub) == [1, 3]

    wait_for(third)
    publisher.finish()
    assert steps(hub) == [1, 3]
    assert not list(run.glob(".hub_push*"))


def test_a_failing_push_before_the_end_is_told_and_mended_at_the_end(hub, publisher, caplog):
    publisher, checkpoint, run = publisher
    hub.failures += [403]
    with caplog.at_level(logging.WARNING, logger="cxrkit"):
        checkpoint(1)
        wait_for(lambda: publisher.on_step_end(None, None, None) or publisher._running is None)
    assert "hub_push.log" in caplog.text
    assert "HTTP 403" in (run / "hub_push.log").read_text()
    assert hub.token not in (run / "hub_push.log").read_text()
    publisher.finish()
    assert steps(hub) == [1]


def test_a_stopped_training_ends_its_push(hub, publisher):
    publisher, checkpoint, run = publisher
    hub.delay = threading.Event()
    checkpoint(1)
    process = publisher._running.process
    publisher.close()
    assert process.poll() is not None
    assert not list(run.glob(".hub_push*"))


def test_snapshots_of_a_killed_training_are_removed(publisher):
    publisher, _, run = publisher
    for name in (".hub_push-5-raw", ".hub_push-7-averaged.new"):
        (run / name / "tokenizer").mkdir(parents=True)
    publisher.on_train_begin(None, type("State", (), {"is_world_process_zero": True})(), None)
    assert not list(run.glob(".hub_push*"))


def test_other_processes_push_nothing(hub, publisher):
    publisher, _, run = publisher
    publisher.best.best[OVERALL] = Kept(RAW, 1, {})
    publisher.on_save(None, type("State", (), {"is_world_process_zero": False})(), None)
    assert not list(run.glob(".hub_push*"))
