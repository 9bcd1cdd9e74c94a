"""Real SLURM: a training that the time limit ends twice goes on each time, and ends as the unbroken one."""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slurm
ROOT = Path(__file__).parents[2]
# Of training in all. SLURM looks at the time every 30 seconds, and warns up to so much earlier: a start has
# 40 to 70 seconds, of which the training's own beginning takes some.
# A machine that meanwhile became faster ends too early; then longer.
SECONDS = (150, 450)
LIMITS = ("--time=2", "--signal=B:USR1@50")
PILOT = 400
TASKS = {
    "classify": ("slurm/train_mimic.sbatch", "configs/default_classifier.yaml", {}),
    "vqa": (
        "slurm/train_vqa.sbatch", "configs/default_config.yaml",
        {
            "model.text_encoder": "scratch:tiny", "model.visual_feature_dim": 32, "model.hidden_size": 32,
            "model.intermediate_size": 64, "model.num_hidden_layers": 1, "model.num_attention_heads": 4,
            "model.sim_layers": 1, "model.visual_patches": 2, "model.max_question_length": 48,
            "data.questions_per_image": 4, "data.quality_grade": "B", "deepspeed.enabled": "false",
        },
    ),
}  # fmt: skip
COMMON = {
    "data.image_size": 64, "data.image_store_size": 96, "data.max_samples": 32,
    "model.visual_backbone": "test_vit",
    "model.pretrained": "false", "training.batch_size_per_gpu": 4, "training.gradient_accumulation_steps": 1,
    "training.num_epochs": 100000, "training.eval_steps": 100000, "training.save_steps": 100000,
    "training.logging_steps": 10, "training.dataloader_num_workers": 0, "training.ema_decay": 0.99,
    "training.gradient_checkpointing": "false", "training.early_stopping_patience": 0,
    "wandb.enabled": "false",
}  # fmt: skip


@pytest.fixture
def project(tmp_path, workspace):
    """A folder to submit from, as a user's clone is, with room for the jobs' output."""
    if "SLURM_CONF" not in os.environ:
        pytest.fail("no SLURM: run `make test-slurm`, which starts one")
    folder = tmp_path / "project"
    (folder / "logs").mkdir(parents=True)
    for name in ("slurm", "scripts", "configs"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return folder


def options(task, workspace, run_dir, steps, **more):
    chosen = COMMON | TASKS[task][2] | {"training.max_steps": steps} | more
    words = [word for key, value in chosen.items() for word in ("--set", f"{key}={value}")]
    return [
        "--skip_data_check", "--workspace", str(workspace), "--output_dir", str(run_dir), *words,
    ]  # fmt: skip


def environment(task):
    own = {"CONFIG": TASKS[task][1], "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return os.environ | own | ({"PROCESSES": "2"} if task == "vqa" else {})


def run_script(task, project, workspace, run_dir, steps):
    """Runs the job's script as it is, without SLURM."""
    ended = subprocess.run(
        ["bash", TASKS[task][0], *options(task, workspace, run_dir, steps)],
        cwd=project, env=environment(task), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


def seconds_per_update(run_dir):
    lines = (run_dir / "speed.jsonl").read_text().splitlines()
    return statistics.median(json.loads(line)["seconds_per_update"] for line in lines)


def submit(task, project, workspace, run_dir, steps, *limits, **more):
    words = ["sbatch", "--parsable", *limits, TASKS[task][0]]
    words += options(task, workspace, run_dir, steps, **more)
    return subprocess.run(
        words, cwd=project, env=environment(task), check=True, capture_output=True, text=True
    ).stdout.strip()


def shown(job):
    text = subprocess.run(["scontrol", "show", "job", job], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"(\w+)=(\S+)", text))


def wait_for_end(job, seconds):
    """Waits for the last state of a job; a requeued one is let go at once, which SLURM delays by minutes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = shown(job)
        if found["JobState"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL"):
            return found
        if found["JobState"] == "PENDING" and found.get("Reason") == "BeginTime":
            # SLURM knows killed jobs by the second: one that starts in the second of its own end fails.
            time.sleep(3)
            subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], check=False)
        time.sleep(0.5)
    raise AssertionError(f"the job has not ended: {shown(job)}")


def files_of(run_dir, steps):
    names = ["metrics.jsonl", "best_model/model.safetensors", "best_model_averaged/model.safetensors"]
    names += [f"checkpoint-{steps}/{name}" for name in ("model.safetensors", "average.safetensors")]
    return {name: (run_dir / name).read_bytes() for name in names}


def run_out_of_time_twice(task, project, workspace, folder):
    """Gives the updates of a job that the time limit ended twice, its state and its output."""
    run_script(task, project, workspace, folder / "pilot", PILOT)
    for attempt, seconds in enumerate(SECONDS):
        steps = int(seconds / seconds_per_update(folder / "pilot"))
        run_dir = folder / f"run{attempt}"
        job = submit(task, project, workspace, run_dir, steps, *LIMITS)
        found = wait_for_end(job, 1500)
        output = (project / f"logs/train_{job}.out").read_text()
        print(output)
        assert found["JobState"] == "COMPLETED", output
        if int(found["Restarts"]) >= 2:
            return steps, run_dir, int(found["Restarts"]), output
    raise AssertionError("the job ended before its time limit came twice")


@pytest.mark.parametrize("task", ["classify", "vqa"])
def test_a_job_that_runs_out_of_time_twice_ends_as_the_unbroken_run(task, project, workspace, tmp_path):
    steps, run_dir, restarts, output = run_out_of_time_twice(task, project, workspace, tmp_path)
    assert [int(number) for number in re.findall(r"restart (\d+), on", output)] == list(range(restarts + 1))
    assert output.count("back into the queue") == restarts
    run_script(task, project, workspace, tmp_path / "whole", steps)
    whole, run = files_of(tmp_path / "whole", steps), files_of(run_dir, steps)
    assert [name for name in whole if whole[name] != run[name]] == []
    assert json.loads(run["metrics.jsonl"].decode().splitlines()[-1])["step"] == steps


def test_a_cancelled_job_saves_and_stays_away(project, workspace, tmp_path):
    # SLURM tells every process of the job, those that load films too.
    loading = {"training.dataloader_num_workers": 2}
    job = submit("classify", project, workspace, tmp_path / "run", 1_000_000, **loading)
    until = time.monotonic() + 240
    while not (tmp_path / "run/metrics.jsonl").is_file():
        assert time.monotonic() < until
        assert shown(job)["JobState"] in ("PENDING", "CONFIGURING", "RUNNING")
        time.sleep(0.5)
    subprocess.run(["scancel", job], check=True)
    assert wait_for_end(job, 240)["JobState"] == "CANCELLED"
    while not list((tmp_path / "run").glob("checkpoint-*/manifest.json")):
        assert time.monotonic() < until + 60
        time.sleep(0.2)
    assert shown(job)["Restarts"] == "0"
