"""scripts/setup.sh and environment.yml with stand-ins for Python, make, conda; shellcheck for all scripts."""

import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PATTERNS = (".ci/run", "*.sh", "scripts/*.sh", "slurm/*.sh", "slurm/*.sbatch", "tests/**/*.sh")
SCRIPTS = sorted(str(path.relative_to(ROOT)) for pattern in PATTERNS for path in ROOT.glob(pattern))
# As `make setup` leaves it: a program that says that it was called.
MAKE = """mkdir -p .venv/bin
[ -e .venv/bin/cxrkit ] || ln -s "$(dirname "$0")/cxrkit" .venv/bin/cxrkit"""


@pytest.fixture
def machine(project):
    """The project on a machine with Python 3.11 and make."""
    project.stand_in("python3.11", "exit 0")
    project.stand_in("make", MAKE)
    project.stand_in("cxrkit")
    return project


def refused(done) -> str:
    """Checks that the script ended as for a mistake of the user, and gives what it said."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("  next      ")
    return done.stderr


def test_every_script_of_the_project_is_looked_at():
    names = {"scripts/setup.sh", "scripts/setup_gcp.sh", "scripts/gcp_machine.sh", "setup_mimic_env.sh"}
    assert names | {".ci/run", "slurm/requeue.sh", "slurm/train_vqa.sbatch"} <= set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_shell_can_read_it(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing():
    done = subprocess.run(
        ["shellcheck", "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_a_set_up_makes_the_environment_and_shows_the_hardware(machine):
    done = machine.run("scripts/setup.sh")
    assert done.returncode == 0, done.stderr
    python = machine.bin / "python3.11"
    assert machine.calls[-2:] == [f"make setup PYTHON={python}", "cxrkit hardware"]
    assert (machine.root / ".venv").is_dir()


def test_a_second_set_up_does_the_same(machine):
    assert machine.run("scripts/setup.sh", "--env-file").returncode == 0
    before = machine.files()
    assert machine.run("scripts/setup.sh", "--env-file").returncode == 0
    assert machine.files() == before


def test_a_dry_set_up_prints_every_command_and_changes_nothing(machine):
    before = machine.files()
    done = machine.run("scripts/setup.sh", "--dry-run", "--env-file")
    assert done.returncode == 0
    lines = [line for line in done.stdout.splitlines() if line.startswith("+ ")]
    assert [line.split()[1] for line in lines] == ["make", "write", ".venv/bin/cxrkit"]
    assert machine.files() == before
    assert not any(call.startswith(("make", "cxrkit")) for call in machine.calls)


def test_an_older_python_is_passed_over(project):
    project.stand_in("python3.11", "exit 1")
    project.stand_in("python3", "exit 0")
    project.stand_in("make")
    assert f"PYTHON={project.bin}/python3\n" in project.run("scripts/setup.sh", "--dry-run").stdout


def test_without_python_the_set_up_says_so(project):
    project.stand_in("python3", "exit 1")
    project.stand_in("make")
    assert "no Python 3.11 or newer" in refused(project.run("scripts/setup.sh"))
    assert not any(call.startswith("make") for call in project.calls)


def test_a_named_python_must_be_new_enough(machine):
    machine.stand_in("old", "exit 1")
    said = refused(machine.run("scripts/setup.sh", "--python", str(machine.bin / "old")))
    assert "bin/old is not Python 3.11" in said


def test_without_make_the_set_up_says_so(project):
    project.stand_in("python3.11", "exit 0")
    assert "there is no make" in refused(project.run("scripts/setup.sh"))


def test_a_failing_installation_ends_the_set_up(machine):
    machine.stand_in("make", "exit 3")
    assert machine.run("scripts/setup.sh", "--env-file").returncode == 3
    assert "cxrkit hardware" not in machine.calls
    assert not (machine.home / ".env").exists()


@pytest.mark.parametrize(
    "words", [["--pyton", "x"], ["--python"], ["--data", ""], ["--conda", "--python", "python3.11"], ["x"]]
)
def test_a_wrong_option_is_told(machine, words):
    refused(machine.run("scripts/setup.sh", *words))
    assert not any(call.startswith("make") for call in machine.calls)


def test_the_key_file_is_private_and_has_no_keys(machine):
    machine.run("scripts/setup.sh", "--env-file")
    file = machine.home / ".env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().splitlines()[1:] == ["WANDB_API_KEY=", "HF_TOKEN="]


def test_a_key_file_that_is_there_stays(machine):
    file = machine.home / ".env"
    file.write_text("HF_TOKEN=mine\n")
    file.chmod(0o644)
    done = machine.run("scripts/setup.sh", "--env-file")
    assert file.read_text() == "HF_TOKEN=mine\n"
    assert "chmod 600" in done.stdout
    assert "mine" not in done.stdout


def test_no_key_file_is_written_unasked(machine):
    assert machine.run("scripts/setup.sh").returncode == 0
    assert not (machine.home / ".env").exists()


def test_data_are_found_from_where_the_script_is_called(machine):
    for name in ("mimic-cxr-jpg", "mimic-ext-cxr-qba"):
        (machine.home / "my data" / name / "files").mkdir(parents=True)
    done = machine.run("scripts/setup.sh", "--data", "my data")
    assert done.returncode == 0, done.stderr
    root = str(machine.home / "my data").replace(" ", "\\ ")
    assert (
        f"analyze --mimic_cxr_path {root}/mimic-cxr-jpg --mimic_qa_path {root}/mimic-ext-cxr-qba"
        in done.stdout
    )


@pytest.mark.parametrize("made", [False, True])
def test_missing_and_empty_data_are_told_before_the_installation(machine, made):
    folder = machine.home / "films"
    if made:
        folder.mkdir()
    said = refused(machine.run("scripts/setup.sh", MIMIC_CXR_PATH=str(folder)))
    assert ("is empty" if made else "no such folder") in said
    assert machine.calls == []


CONDA = 'case "$1 $2" in "env list") echo "base  *  /opt/conda"; {line} ;; esac'


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        ("echo 'cxrkit  /opt/conda/envs/cxrkit'", "update --name cxrkit --file"),
        ("echo 'cxrkit2 /x'", "create --file"),
    ],
)
def test_conda_makes_its_environment_or_brings_it_up_to_date(project, line, verb):
    project.stand_in("conda", CONDA.format(line=line))
    done = project.run("scripts/setup.sh", "--conda")
    assert done.returncode == 0, done.stderr
    assert project.calls == [
        "conda env list",
        f"conda env {verb} environment.yml",
        "conda run --no-capture-output --name cxrkit cxrkit hardware",
    ]


def test_without_conda_the_set_up_says_so(machine):
    assert "there is no conda" in refused(machine.run("scripts/setup.sh", "--conda"))


def test_the_conda_environment_agrees_with_the_project():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (python,) = (word for word in environment["dependencies"] if str(word).startswith("python="))
    version = tuple(int(part) for part in python.removeprefix("python=").split("."))
    assert version >= tuple(int(part) for part in wanted.removeprefix(">=").split("."))
    (pip,) = (part["pip"] for part in environment["dependencies"] if isinstance(part, dict))
    assert pip == ["-r requirements.lock", "-e ."]
    assert "://" not in (ROOT / "environment.yml").read_text()
