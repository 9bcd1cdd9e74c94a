"""The job scripts with a stand-in for the program and for SLURM: signals, exit codes, requeue, options."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAININGS = ["train_mimic", "train_vqa", "train_multinode"]
SCRIPTS = [
    *(f"slurm/{name}.sbatch" for name in [*TRAININGS, "ablate", "eval_mimic"]),
    "slurm/requeue.sh",
    "setup_mimic_env.sh",
]
# Writes down how it was called; ends with 75 when it is told to stop, as `cxrkit train` does.
PROGRAM = """#!/bin/bash
printf '%s\\n' "$@" > called
trap {trap} USR1
touch ready
for _ in $(seq {tenths}); do sleep 0.1; done
exit {code}
"""


@pytest.fixture
def job(tmp_path):
    """Starts a job script in an empty project; gives the process."""

    def executable(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def start(
        script: str,
        *words: str,
        tenths: int = 0,
        code: int = 0,
        trap: str = "'sleep 0.3; exit 75'",
        **environment: str,
    ):
        executable(tmp_path / ".venv/bin/cxrkit", PROGRAM.format(tenths=tenths, code=code, trap=trap))
        (tmp_path / "slurm").mkdir(exist_ok=True)
        shutil.copy(ROOT / "slurm/requeue.sh", tmp_path / "slurm/requeue.sh")
        executable(tmp_path / "bin/scontrol", '#!/bin/bash\necho "$@" > requeued\nkill $PPID\n')
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        return subprocess.Popen(
            ["bash", ROOT / script, *words],
            cwd=tmp_path,
            env={"PATH": path, "SLURM_JOB_ID": "77", **environment},
        )

    return start


def wait_for(path: Path) -> None:
    for _ in range(100):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_shell_can_read_it(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_a_warned_training_saves_and_goes_back_into_the_queue(job, tmp_path):
    process = job("slurm/train_mimic.sbatch", tenths=100)
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGUSR1)
    # Ended by SLURM, of which it waits for that.
    assert process.wait(20) == -signal.SIGTERM
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"


def test_a_cancelled_training_saves_and_stays_away(job, tmp_path):
    process = job("slurm/train_mimic.sbatch", tenths=100)
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 75
    assert not (tmp_path / "requeued").exists()


def test_a_warning_before_the_training_begins_loses_nothing(job, tmp_path):
    process = job("slurm/train_mimic.sbatch", tenths=100, trap="-")
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(20) == -signal.SIGTERM
    assert (tmp_path / "requeued").is_file()


@pytest.mark.parametrize("code", [0, 2])
def test_a_finished_or_failed_training_is_not_put_back(job, tmp_path, code):
    assert job("slurm/train_mimic.sbatch", code=code).wait(20) == code
    assert not (tmp_path / "requeued").exists()


def test_options_and_paths_reach_the_program_unbroken(job, tmp_path):
    (tmp_path / "slurm").mkdir(exist_ok=True)
    (tmp_path / "slurm/site.sh").write_text("export MIMIC_CXR_PATH='/a b/cxr'\n")
    job("slurm/train_mimic.sbatch", "--set", "training.seed=7", CONFIG="mine.yaml").wait(20)
    assert (tmp_path / "called").read_text().splitlines() == [
        "train", "classify", "--config", "mine.yaml", "--mimic_cxr_path", "/a b/cxr",
        "--resume_from_checkpoint", "auto", "--set", "training.seed=7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "started"),
    [
        ("train_vqa", []),
        ("train_multinode", ["srun", "--kill-on-bad-exit=0", "--cpus-per-task=8"]),
    ],
)
def test_several_gpus_start_through_the_launch_script(script, started, job, tmp_path):
    show = '#!/bin/bash\nprintf "%s\\n" "${0##*/}" "$@" > called\n'
    for path in ("bin/srun", "scripts/launch_distributed_training.sh"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(show)
        (tmp_path / path).chmod(0o755)
    environment = {"SLURM_CPUS_PER_TASK": "8", "PROCESSES": "4", "WORKSPACE": "a b"}
    assert job(f"slurm/{script}.sbatch", "--epochs", "2", **environment).wait(20) == 0
    launch = ["--task", "vqa", "--processes", "4", "--config", "configs/default_config.yaml"]
    rest = ["--workspace", "a b", "--resume_from_checkpoint", "auto", "--epochs", "2"]
    name = ["scripts/launch_distributed_training.sh"] if started else ["launch_distributed_training.sh"]
    assert (tmp_path / "called").read_text().splitlines() == [*started, *name, *launch, *rest]


def test_the_evaluation_is_of_the_best_model_on_the_test_split(job, tmp_path):
    assert job("slurm/eval_mimic.sbatch", RESULTS="results/x", WORKSPACE="ws").wait(20) == 0
    assert (tmp_path / "called").read_text().splitlines() == [
        "evaluate", "--model_path", "checkpoints/internimage-b-mimic-cxr-224/best_model", "--split", "test",
        "--output_dir", "results/x", "--workspace", "ws",
    ]  # fmt: skip


def test_the_ablations_of_a_pattern_go_back_into_the_queue_when_warned(job, tmp_path):
    (tmp_path / "mine").mkdir()
    for name in ("full", "no_sim"):
        (tmp_path / f"mine/{name}.yaml").touch()
    process = job("slurm/ablate.sbatch", "--epochs", "2", tenths=100, CONFIG="mine/*.yaml", WORKSPACE="a b")
    wait_for(tmp_path / "ready")
    process.send_signal(signal.SIGUSR1)
    assert process.wait(20) == -signal.SIGTERM
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    assert (tmp_path / "called").read_text().splitlines() == [
        "ablate", "--config", "mine/full.yaml", "mine/no_sim.yaml", "--workspace", "a b",
        "--output_dir", "ablations", "--epochs", "2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("train", {"gres": "gpu:a100:1", "cpus-per-task": "8", "mem": "64G", "time": "08:00:00"}),
        ("eval", {"gres": "gpu:a100:1", "cpus-per-task": "4", "mem": "32G", "time": "01:00:00"}),
    ],
)
def test_what_is_asked_of_slurm(script, asked):
    text = (ROOT / f"slurm/{script}_mimic.sbatch").read_text()
    found = dict(re.findall(r"^#SBATCH --([a-z-]+)=(\S+)$", text, flags=re.MULTILINE))
    assert asked.items() <= found.items()


def set_up(folder, *words):
    (folder / "slurm").mkdir(exist_ok=True)
    for name in SCRIPTS:
        shutil.copy(ROOT / name, folder / name)
    return subprocess.run(
        ["bash", folder / "setup_mimic_env.sh", *words], capture_output=True, text=True, check=False
    )


def test_a_dry_set_up_changes_nothing(tmp_path):
    done = set_up(tmp_path, "--dry-run", "--email", "me@example.org", "--modules", "anaconda3 cuda/11.8")
    assert done.returncode == 0
    assert "+ module load cuda/11.8" in done.stdout
    for name in SCRIPTS:
        assert (tmp_path / name).read_text() == (ROOT / name).read_text()
    assert not (tmp_path / "logs").exists()
    assert not (tmp_path / "slurm/site.sh").exists()


def test_a_set_up_writes_the_site_and_the_lines_of_the_jobs(tmp_path):
    (tmp_path / "Makefile").write_text("setup:\n\t@true\n")
    films = tmp_path / "my films"
    films.mkdir()
    words = ["--email", "me@example.org", "--partition", "gpu", "--skip-weights", "--cxr-path", str(films)]
    assert set_up(tmp_path, *words).returncode == 0
    text = (tmp_path / "slurm/train_mimic.sbatch").read_text()
    lines = ["--mail-user=me@example.org", "--mail-type=END,FAIL", "--partition=gpu", "--qos=class"]
    assert all(f"\n#SBATCH {line}\n" in text for line in lines)
    shown = subprocess.run(
        ["bash", "-c", '. slurm/site.sh; echo "$MIMIC_CXR_PATH"'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert shown.stdout == f"{films}\n"
    assert (tmp_path / "logs").is_dir()


def test_paths_are_meant_where_the_script_is_called(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "films").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ["--dry-run", "--cxr-path", "films", "--workspace", "/big disk/ws", "--skip-weights"]
    done = set_up(tmp_path / "project", *words)
    assert f"--mimic_cxr_path {tmp_path / 'films'} --mimic_qa_path FOLDER" in done.stdout
    assert "--workspace /big\\ disk/ws" in done.stdout


@pytest.mark.parametrize("words", [["--emial", "x"], ["--email"], ["--qos", "a; b"], ["--cxr-path", "/none"]])
def test_a_wrong_option_is_told(tmp_path, words):
    (tmp_path / "Makefile").write_text("setup:\n\t@true\n")
    done = set_up(tmp_path, *words, *(["--skip-weights"] if len(words) > 1 else []))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "next" in done.stderr
