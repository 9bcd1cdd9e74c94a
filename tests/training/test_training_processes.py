"""Several processes train what one does: the same losses, metrics and weights, one set of files."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
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
    "data.max_samples": 34, "model.visual_backbone": "test_vit",
    "deepspeed.config_path": Path(__file__).parents[2] / "configs/deepspeed_config.json",
}  # fmt: skip
STRATEGIES = {"ddp": {"deepspeed.enabled": False}, "zero2": {"deepspeed.enabled": True}}
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


@pytest.fixture(scope="module", params=["classify", "vqa"])
def alone(request, workspace, encoder, tmp_path_factory):
    """A run of one process, and what the same run of two has to be told."""
    more = {} if request.param == "classify" else {"model.text_encoder": str(encoder)}
    folder = tmp_path_factory.mktemp("alone")
    four = {"training.gradient_accumulation_steps": 4}
    code, log = run(words(ALONE, request.param, workspace, folder / "one", **more, **four), folder / "logs")
    assert code == 0, log
    return request.param, folder / "one", more | {"training.gradient_accumulation_steps": 2}


@pytest.mark.parametrize("strategy", ["ddp", "zero2"])
def test_two_processes_train_what_one_does(alone, strategy, workspace, tmp_path):
    task, one, more = alone
    two = tmp_path / "two"
    code, log = run(words(TWO, task, workspace, two, **more, **STRATEGIES[strategy]), tmp_path / "logs")
    assert code == 0, log
    assert_alike(one, two)
    files = [sorted(path.name for path in folder.iterdir()) for folder in (one, two)]
    assert files[0] == files[1]
    manifest = read_manifest(two / "checkpoint-6")
    assert manifest["run"]["strategy"] == ("DeepSpeed ZeRO-2" if strategy == "zero2" else "replicated")
    # One process talks for all.
    assert log.count("best model, after") == 1
    assert "find_unused_parameters" not in log


@pytest.mark.parametrize("strategy", ["ddp", "zero2"])
def test_two_processes_stop_at_the_same_update_and_go_on(strategy, workspace, tmp_path):
    longer = {
        "training.max_steps": 40, "training.num_epochs": 40, "training.save_steps": 40,
        **STRATEGIES[strategy],
    }  # fmt: skip
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


def test_another_number_of_processes_goes_on_with_the_same_films(workspace, tmp_path):
    settings = {
        "training.max_steps": 6, "training.eval_steps": 6, "training.save_steps": 3,
        "training.logging_steps": 4, **STRATEGIES["ddp"],
    }  # fmt: skip
    four, two = ({"training.gradient_accumulation_steps": number} for number in (4, 2))
    commands = [
        words(launcher, "classify", workspace, tmp_path / "run", **settings, **number)
        for launcher, number in ((ALONE, four), (TWO, two), (ALONE, four))
    ]
    code, log = run(commands[0], tmp_path / "logs")
    assert code == 0, log
    (tmp_path / "run").rename(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoint-6")
    code, log = run([*commands[1], "--resume_from_checkpoint", "auto"], tmp_path / "logs")
    assert code == 0, log
    assert "batches of 2 films in 1 process(es) until here, of 2 in 2 from now on" in " ".join(log.split())
    assert_alike(tmp_path / "whole", tmp_path / "run")
    drawn = [
        torch.load(tmp_path / f"run/checkpoint-6/rng_state_{rank}.pth", weights_only=False) for rank in (0, 1)
    ]
    assert not torch.equal(drawn[0]["cpu"], drawn[1]["cpu"])
    other = {"training.gradient_accumulation_steps": 3}
    command = words(TWO, "classify", workspace, tmp_path / "run", **settings, **other)
    code, log = run([*command, "--resume_from_checkpoint", "auto"], tmp_path / "logs")
    assert code != 0
    assert "films_per_update: 8 in the checkpoint, 12 now" in log


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_gone_is_named_by_the_other(number, rank, workspace, tmp_path):
    longer = {
        "training.max_steps": 4000, "training.num_epochs": 4000, "training.save_steps": 4000,
        "training.silent_process_seconds": 6, **STRATEGIES["ddp"],
    }  # fmt: skip
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs/log.txt"
    process = start(words(TWO, "classify", workspace, tmp_path / "run", **longer), log)
    wait_for(
        lambda: (tmp_path / "run/metrics.jsonl").is_file() and len(metrics(tmp_path / "run")) > 5, process
    )
    victim = next(
        child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == str(rank)
    )
    began = time.monotonic()
    victim.send_signal(number)
    try:
        wait_for(lambda: f"process {rank} of 2" in log.read_text(), process, seconds=40)
    finally:
        if number == signal.SIGSTOP:
            victim.send_signal(signal.SIGCONT)
    assert time.monotonic() - began < 30
    assert process.wait(timeout=60) != 0
    told = " ".join(log.read_text().split())
    assert f"process {rank} of 2 (process id {victim.pid} on {socket.gethostname()}): silent for" in told
    assert "goes on from the last checkpoint" in told


def wait_for(is_there, process, seconds=120):
    end = time.monotonic() + seconds
    while not is_there():
        assert process.poll() is None or is_there()
        assert time.monotonic() < end
        time.sleep(0.05)


def test_fewer_films_than_a_batch_for_each_process_are_refused(workspace, tmp_path):
    few = {"data.max_samples": 3}
    code, log = run(words(TWO, "classify", workspace, tmp_path / "run", **few), tmp_path / "logs")
    assert code != 0
    assert "fewer films than one batch for each process" in log


BIN = Path(sys.executable).parent
LAUNCHERS = {
    "deepspeed": ([BIN / "deepspeed", "--num_accelerators", "2"], "DeepSpeed ZeRO-2", 2),
    # On the CPU it starts one process; several need MPI there.
    "accelerate": ([BIN / "accelerate", "launch", "--cpu", "--num_processes", "1"], "replicated", 1),
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_the_launchers_of_the_engines_start_it_too(name, workspace, tmp_path):
    launcher, strategy, processes = LAUNCHERS[name]
    program = Path(__file__).parents[2] / "train_mimic_cxr.py"
    command = words([], "vqa", workspace, tmp_path / "run", **{"training.max_steps": 2})[2:]
    # The launchers look for their own interpreter in PATH.
    command = ["env", f"PATH={BIN}:{os.environ['PATH']}", *map(str, launcher), str(program), *command]
    code, log = run(command, tmp_path / "logs")
    assert code == 0, log
    found = read_manifest(tmp_path / "run/checkpoint-2")["run"]
    assert (found["strategy"], found["processes"]) == (strategy, processes)


def test_two_machines_meet_at_the_first(workspace, tmp_path):
    """Two launchers, as on two machines, of one process each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = Path(__file__).parents[2] / "scripts/launch_distributed_training.sh"
    options = words([], "classify", workspace, tmp_path / "run", **{"training.max_steps": 4})[2:]
    (tmp_path / "logs").mkdir()
    launchers = []
    for node in ("0", "1"):
        own = {
            "NNODES": "2", "NODE_RANK": node, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
            "PYTHON": sys.executable,
        }  # fmt: skip
        command = ["env", *(f"{name}={value}" for name, value in own.items()), str(script)]
        command += ["--task", "classify", "--processes", "1", *options]
        launchers.append(start(command, tmp_path / f"logs/{node}.txt"))
    codes = [launcher.wait(timeout=240) for launcher in launchers]
    assert codes == [0, 0], (tmp_path / "logs/0.txt").read_text()
    assert read_manifest(tmp_path / "run/checkpoint-4")["run"]["processes"] == 2
