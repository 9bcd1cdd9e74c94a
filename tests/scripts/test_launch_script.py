"""scripts/launch_distributed_training.sh: what it starts for one process, several, and several machines."""

import shlex

import pytest

SCRIPT = "scripts/launch_distributed_training.sh"


@pytest.fixture
def machine(project):
    """The project with a Python that counts two GPUs."""
    project.stand_in("python", 'case "$*" in *device_count*) echo 2 ;; esac')
    return project


def command(machine, *words: str, **environment: str) -> list[str]:
    """Gives the command that a dry run prints."""
    done = machine.run(SCRIPT, "--dry-run", *words, PYTHON="python", **environment)
    assert done.returncode == 0, done.stderr
    return shlex.split(done.stdout)


def test_one_process_needs_no_launcher(machine):
    assert command(machine, "--processes", "1", "--config", "my file.yaml") == [
        "python", "-m", "cxrkit", "train", "vqa", "--config", "my file.yaml", "--auto",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [("--no-auto",), ("--task", "classify")])
def test_the_configuration_alone_decides(words, machine):
    assert "--auto" not in command(machine, "--processes", "1", *words)


def test_four_processes_meet_on_this_machine(machine):
    assert command(machine, "--processes", "4", "--task", "classify", "--epochs", "2") == [
        "python", "-m", "cxrkit.training.launcher", "--standalone", "--nproc_per_node", "4",
        "-m", "cxrkit", "train", "classify", "--epochs", "2",
    ]  # fmt: skip


def test_without_a_number_there_is_one_process_per_gpu(machine):
    words = command(machine)
    assert words[words.index("--nproc_per_node") + 1] == "2"


def test_two_slurm_nodes_meet_at_the_first(machine):
    machine.stand_in("scontrol", "echo alpha; for n in {1..9000}; do echo beta$n; done")
    words = command(
        machine, "--processes", "4", SLURM_NNODES="2", SLURM_NODEID="1", SLURM_JOB_NODELIST="node[1-2]"
    )
    assert words[3:11] == [
        "--nnodes", "2", "--node_rank", "1", "--master_addr", "alpha", "--master_port", "29500",
    ]  # fmt: skip
    assert "scontrol show hostnames node[1-2]" in machine.calls
    assert "--standalone" not in words


def test_nodes_named_by_hand_go_before_slurm(machine):
    words = command(
        machine,
        "--processes",
        "1",
        NNODES="3",
        NODE_RANK="2",
        MASTER_ADDR="first",
        MASTER_PORT="9",
        SLURM_NNODES="2",
    )
    assert words[3:11] == [
        "--nnodes",
        "3",
        "--node_rank",
        "2",
        "--master_addr",
        "first",
        "--master_port",
        "9",
    ]


def test_a_dry_run_starts_nothing(machine):
    command(machine, "--processes", "2")
    assert machine.calls == []


def test_a_real_run_shows_the_hardware_and_ends_with_the_code_of_the_training(machine):
    machine.stand_in("python", 'case "$*" in *launcher*) echo "threads $OMP_NUM_THREADS"; exit 75 ;; esac')
    done = machine.run(SCRIPT, "--processes", "2", "--epochs", "1", PYTHON="python", OMP_NUM_THREADS="3")
    assert done.returncode == 75
    assert [call.split()[2] for call in machine.calls] == ["cxrkit", "cxrkit.training.launcher"]
    assert "threads 3" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--task", "segment"), ("--task",), ("--processes",), ("--processes", "0"), ("--processes", "-1"),
        ("--processes", "two"), ("--processes", "1.5"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_told(machine, words):
    done = machine.run(SCRIPT, "--dry-run", *words, PYTHON="python")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {words[0]}")
    assert done.stderr.splitlines()[1].startswith("  next      ")
    assert done.stdout == ""


def test_without_an_environment_the_script_says_what_makes_it(machine):
    done = machine.run(SCRIPT, "--dry-run")
    assert done.returncode == 2
    assert "run make setup" in done.stderr


def test_several_machines_must_know_where_to_meet(machine):
    done = machine.run(SCRIPT, "--dry-run", "--processes", "1", PYTHON="python", NNODES="2")
    assert done.returncode == 2
    assert "MASTER_ADDR is not set" in done.stderr
