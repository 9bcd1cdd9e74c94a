"""Several processes train what one does: the same losses, metrics and weights, one set of files."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file
from test_training_runs import COMMON, TINY_VQA
from transformers import BertConfig, BertModel

from cxrkit.models.text import train_tokenizer
from cxrkit.training.checkpoints import checkpoints_of, read_manifest

# Sums in another order differ in their last bits, and Adam divides small differences by small numbers.
TOLERANCE = 2e-4
STEPS = 6
SHARED = {
    "training.max_steps": STEPS, "training.eval_steps": 3, "training.save_steps": 3,
    "training.batch_size_per_gpu": 2, "training.warmup_ratio": 0.0, "training.ema_decay": 0.9,
    "data.max_samples": 34, "model.visual_backbone": "test_vit", "deepspeed.enabled": False,
}  # fmt: skip
WITHOUT_DROPOUT = {"model.hidden_dropout_prob": 0.0, "model.attention_probs_dropout_prob": 0.0}
ALONE = [sys.executable, "-m", "cxrkit"]
TWO = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "cxrkit"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A text encoder without dropout: the processes draw other numbers than one alone does."""
    folder = tmp_path_factory.mktemp("encoder")
    tokenizer = train_tokenizer(["Is there edema in the left lung?", "What is seen?", "Where is it?"], 200)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=48, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def words(launcher, task, workspace, run_dir, **more):
    own = {"model.drop_path_rate": 0.0} if task == "classify" else TINY_VQA | WITHOUT_DROPOUT
    settings = COMMON | own | SHARED | {"data.workspace": workspace, "training.output_dir": run_dir} | more
    given = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return [*launcher, "train", task, "--skip_data_check", *given]


def start(command, log):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}
    with log.open("wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)


def run(command, folder):
    folder.mkdir(parents=True, exist_ok=True)
    process = start(command, folder / "log.txt")
    code = process.wait(timeout=240)
    return code, (folder / "log.txt").read_text()


def metrics(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def assert_alike(one, two):
    for before, after in zip(metrics(one), metrics(two), strict=True):
        assert before.keys() == after.keys()
        for key, value in before.items():
            assert after[key] == pytest.approx(value, rel=TOLERANCE, abs=TOLERANCE), (key, before["step"])
    for kind in ("best_model", "best_model_averaged"):
        first, second = (load_file(folder / kind / "model.safetensors") for folder in (one, two))
        for name, weight in first.items():
            torch.testing.assert_close(second[name], weight, rtol=0, atol=TOLERANCE, msg=name)


@pytest.mark.parametrize("task", ["classify", "vqa"])
def test_two_processes_train_what_one_does(task, workspace, encoder, tmp_path):
    more = {} if task == "classify" else {"model.text_encoder": str(encoder)}
    for name, launcher, accumulation in (("one", ALONE, 4), ("two", TWO, 2)):
        command = words(
            launcher, task, workspace, tmp_path / name,
            **more, **{"training.gradient_accumulation_steps": accumulation},
        )  # fmt: skip
        code, log = run(command, tmp_path / "logs")
        assert code == 0, log
    assert_alike(tmp_path / "one", tmp_path / "two")
    files = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("one", "two")]
    assert files[0] == files[1]
    assert read_manifest(tmp_path / "two/checkpoint-6")["run"]["processes"] == 2
    # One process talks for all.
    assert log.count("best model, after") == 1
    assert "find_unused_parameters" not in log


def test_two_processes_stop_at_the_same_update_and_go_on(workspace, tmp_path):
    longer = {"training.max_steps": 40, "training.num_epochs": 40, "training.save_steps": 40}
    command = words(TWO, "classify", workspace, tmp_path / "run", **longer)
    (tmp_path / "logs").mkdir()
    process = start(command, tmp_path / "logs/first.txt")
    wait_for(
        lambda: (tmp_path / "run/metrics.jsonl").is_file() and len(metrics(tmp_path / "run")) > 2, process
    )
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=120)
    stopped = checkpoints_of(tmp_path / "run")
    assert len(stopped) == 1
    assert 0 < read_manifest(stopped[0])["step"] < 40
    code, log = run([*command, "--resume_from_checkpoint", "auto"], tmp_path / "logs")
    assert code == 0, log
    code, log = run(words(TWO, "classify", workspace, tmp_path / "whole", **longer), tmp_path / "logs")
    assert code == 0, log
    lines = [(folder / "metrics.jsonl").read_text() for folder in (tmp_path / "run", tmp_path / "whole")]
    assert lines[0] == lines[1]
    last = [checkpoints_of(tmp_path / name)[0] for name in ("run", "whole")]
    assert last[0].name == last[1].name
    assert (last[0] / "model.safetensors").read_bytes() == (last[1] / "model.safetensors").read_bytes()


def wait_for(is_there, process, seconds=120):
    end = time.monotonic() + seconds
    while not is_there():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)


def test_fewer_films_than_a_batch_for_each_process_are_refused(workspace, tmp_path):
    few = {"data.max_samples": 3}
    code, log = run(words(TWO, "classify", workspace, tmp_path / "run", **few), tmp_path / "logs")
    assert code != 0
    assert "fewer films than one batch for each process" in log
