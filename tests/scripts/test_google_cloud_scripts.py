"""scripts/setup_gcp.sh and gcp_machine.sh: stand-ins for gcloud and sudo, real disks as files."""

import shutil
import subprocess

import pytest

WHERE = ("--project", "my-project", "--zone", "us-central1-a")
GCP, MACHINE = "scripts/setup_gcp.sh", "scripts/gcp_machine.sh"
# Knows whether disk and machine are there, and lets commands of `ssh` run in the folder `there`.
GCLOUD = """
case "$2 $3" in
    "disks list") [ ! -e "$HOME/has_disk" ] || echo READY ;;
    "instances list") [ ! -e "$HOME/state" ] || cat "$HOME/state" ;;
    "disks create") touch "$HOME/has_disk" ;;
    "instances create" | "instances start") echo RUNNING >"$HOME/state" ;;
    "instances stop") echo TERMINATED >"$HOME/state" ;;
    "scp "*) cp "$3" "$HOME/there/${4#*:}" ;;
    "ssh "*) [ ! -e "$HOME/deaf" ] || exit 255; cd "$HOME/there"; bash -c "${@: -1}" ;;
esac
"""
# Looks at disks and formats them for real, and does nothing else.
SUDO = 'case "$1" in blkid | cmp | mkfs.ext4) exec "$@" ;; esac'
NEEDED = ("blkid", "mkfs.ext4")
needs_disks = pytest.mark.skipif(
    any(shutil.which(name, path="/usr/sbin:/sbin:/usr/bin") is None for name in NEEDED),
    reason="blkid and mkfs.ext4 are not installed",
)


@pytest.fixture
def cloud(project):
    """The project beside a Google Cloud of stand-ins; `there` is the home of the machine in it."""
    (project.home / "there").mkdir()
    (project.bin / "cp").symlink_to(shutil.which("cp"))
    for name in NEEDED:
        if found := shutil.which(name, path="/usr/sbin:/sbin:/usr/bin"):
            (project.bin / name).symlink_to(found)
    project.stand_in("gcloud", GCLOUD)
    project.stand_in("sudo", SUDO)
    project.stand_in("mountpoint", "exit 1")
    project.stand_in("systemctl", "exit 3")
    project.stand_in("sleep")
    project.stand_in("nvidia-smi")
    return project


def asked_of_gcloud(project) -> list[str]:
    return [" ".join(call.split()[2:4]) for call in project.calls if call.startswith("gcloud")]


def refused(done) -> str:
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert lines[-2].startswith("error: ")
    assert lines[-1].startswith("  next      ")
    return done.stderr


def test_a_dry_run_prints_every_command_in_order_and_needs_no_gcloud(project):
    before = project.files()
    done = project.run(GCP, *WHERE, "--dry-run")
    assert done.returncode == 0, done.stderr
    commands = [
        "gcloud compute disks create", "gcloud compute instances create", "gcloud compute ssh", "tar -czf",
        "gcloud compute scp", "gcloud compute ssh", "sudo mkfs.ext4", "sudo mount /mnt/data",
        "sudo ubuntu-drivers install", "sudo apt-get install --yes make", "scripts/setup.sh",
        "sudo systemd-run", "launch_distributed_training.sh",
    ]  # fmt: skip
    place = 0
    for command in commands:
        place = done.stdout.index(command, place) + 1
    assert project.files() == before
    assert project.calls == []


def test_other_images_and_drivers_can_be_named(project):
    words = ("--image-family", "ubuntu-2604", "--driver", "595-server", "--machine-type", "g2-standard-12")
    done = project.run(GCP, *WHERE, "--dry-run", *words)
    assert "--machine-type g2-standard-12 " in done.stdout
    assert "--image-family ubuntu-2604 " in done.stdout
    assert "+ sudo ubuntu-drivers install --gpgpu nvidia:595-server" in done.stdout


def test_without_gcloud_the_script_says_so(project):
    assert "there is no gcloud" in refused(project.run(GCP, *WHERE))


@pytest.mark.parametrize("words", [(), WHERE[:2], WHERE[2:], ("--dry-run", "create")])
def test_project_and_zone_must_be_named(cloud, words):
    assert "is not named" in refused(cloud.run(GCP, *words, DATA_DISK="/none"))
    assert cloud.calls == []


@pytest.mark.parametrize(
    "words", [("--zoen", "x"), ("--zone",), ("format",), ("--name", "My Machine"), ("--name", "a;b")]
)
def test_a_wrong_option_is_told(cloud, words):
    refused(cloud.run(GCP, *WHERE, *words))
    assert cloud.calls == []


def test_the_machine_has_no_secrets_and_no_rights(cloud):
    assert cloud.run(GCP, *WHERE, "create").returncode == 0
    (made,) = (call for call in cloud.calls if "instances create" in call)
    words = made.split()
    assert {"--no-service-account", "--no-scopes", "g2-standard-48"} <= set(words)
    assert words[words.index("--maintenance-policy") + 1] == "TERMINATE"
    assert "name=cxrkit-data,device-name=cxrkit-data,boot=no,auto-delete=no" in words
    assert "metadata" not in made


def test_what_is_there_is_not_made_again(cloud):
    cloud.run(GCP, *WHERE, "create")
    cloud.calls_file.unlink()
    assert cloud.run(GCP, *WHERE, "create").returncode == 0
    assert asked_of_gcloud(cloud) == ["disks list", "instances list", "ssh cxrkit"]


def test_a_stopped_machine_is_started(cloud):
    (cloud.home / "has_disk").touch()
    (cloud.home / "state").write_text("TERMINATED\n")
    cloud.run(GCP, *WHERE, "create")
    assert asked_of_gcloud(cloud) == ["disks list", "instances list", "instances start", "ssh cxrkit"]


def test_a_project_that_cannot_be_asked_gets_nothing(cloud):
    cloud.stand_in("gcloud", 'echo "no permission" >&2; exit 1')
    done = cloud.run(GCP, *WHERE)
    assert done.returncode == 1
    assert "no permission" in done.stderr
    assert asked_of_gcloud(cloud) == ["disks list"]


def test_a_machine_that_never_answers_is_told(cloud):
    (cloud.home / "deaf").touch()
    assert "does not answer" in refused(cloud.run(GCP, *WHERE, "create"))
    assert asked_of_gcloud(cloud).count("ssh cxrkit") == 20


def test_only_the_program_is_copied(cloud):
    for name in (".env", "slurm/site.sh", "workspace/film.bin", "results/predictions.parquet"):
        (cloud.root / name).parent.mkdir(exist_ok=True)
        (cloud.root / name).write_text("secret")
    stale = cloud.home / "there/cxrkit/src/cxrkit/gone.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    done = cloud.run(GCP, *WHERE, "copy")
    assert done.returncode == 0, done.stderr
    there = cloud.home / "there/cxrkit"
    copied = {str(path.relative_to(there)) for path in there.rglob("*") if path.is_file()}
    assert {"scripts/setup.sh", "Makefile", "src/cxrkit/cli/main.py", "pyproject.toml", "README.md"} <= copied
    assert not any(path.read_bytes() == b"secret" for path in there.rglob("*") if path.is_file())
    assert not (there / "src/cxrkit/gone.py").exists()
    assert not (cloud.home / "there/cxrkit.tar.gz").exists()


def test_options_of_the_training_reach_the_machine_unbroken(cloud):
    for name in ("mimic-cxr-jpg", "mimic-ext-cxr-qba"):
        (cloud.home / "mnt" / name).mkdir(parents=True)
    cloud.run(GCP, *WHERE, "copy")
    # The machine's data folder lies elsewhere in this test.
    script = cloud.home / "there/cxrkit" / MACHINE
    script.write_text(script.read_text().replace("=/mnt/data", f"={cloud.home}/mnt"))
    done = cloud.run(GCP, *WHERE, "--task", "classify", "launch", "--", "--set", "wandb.name=my run")
    assert done.returncode == 0, done.stdout + done.stderr
    (started,) = (call for call in cloud.calls if call.startswith("sudo systemd-run"))
    assert "--task classify --config configs/internimage_b_mimic_cxr_224.yaml" in started
    assert started.rstrip().endswith("--resume_from_checkpoint auto --set wandb.name=my\\ run")


def test_a_stop_saves_first_and_a_deaf_machine_is_stopped_all_the_same(cloud):
    (cloud.home / "state").write_text("RUNNING\n")
    cloud.run(GCP, *WHERE, "copy")
    cloud.stand_in("systemctl", "exit 0")
    cloud.calls_file.unlink()
    assert cloud.run(GCP, *WHERE, "stop").returncode == 0
    order = [
        call for call in cloud.calls if call.startswith(("sudo systemctl", "gcloud compute instances stop"))
    ]
    assert [call.split()[1] for call in order] == ["systemctl", "compute"]
    (cloud.home / "state").write_text("RUNNING\n")
    (cloud.home / "deaf").touch()
    assert cloud.run(GCP, *WHERE, "stop").returncode == 0
    assert (cloud.home / "state").read_text() == "TERMINATED\n"


def test_a_deletion_keeps_the_data_disk_and_lets_gcloud_ask(cloud):
    (cloud.home / "state").write_text("TERMINATED\n")
    assert cloud.run(GCP, *WHERE, "delete").returncode == 0
    assert cloud.calls[-1] == f"gcloud compute instances delete cxrkit {' '.join(WHERE)} --keep-disks data"


def test_there_must_be_a_machine_to_stop(cloud):
    assert "there is no machine cxrkit" in refused(cloud.run(GCP, *WHERE, "stop"))


def test_on_the_machine_itself_it_needs_no_project(cloud):
    disk = cloud.home / "disk"
    disk.touch()
    done = cloud.run(GCP, "--dry-run", DATA_DISK=str(disk))
    assert done.returncode == 0, done.stderr
    assert f"+ sudo mkfs.ext4 -m 0 {disk}" in done.stdout
    assert "gcloud" not in done.stdout
    assert done.stdout.index("scripts/setup.sh") < done.stdout.index("systemd-run")


def make_disk(project, *command: str):
    """Gives a disk of 32 MiB as a file: blank, or with what the command puts on it."""
    disk = project.home / "disk"
    with disk.open("wb") as file:
        file.truncate(32 << 20)
    if command:
        subprocess.run([*command, disk], check=True, capture_output=True)
    return disk


def formatted(project) -> bool:
    return any("mkfs" in call for call in project.calls)


def mount_steps(project, disk, folder):
    return project.run(MACHINE, "disk", "--device", str(disk), "--mount", str(folder))


@needs_disks
def test_a_blank_disk_is_formatted_once_and_mounted(cloud):
    disk = make_disk(cloud)
    assert mount_steps(cloud, disk, cloud.home / "mnt").returncode == 0
    assert formatted(cloud)
    assert f"sudo mount {cloud.home}/mnt" in cloud.calls
    assert any("chown" in call for call in cloud.calls)
    cloud.calls_file.unlink()
    contents = disk.read_bytes()
    assert mount_steps(cloud, disk, cloud.home / "mnt").returncode == 0
    assert f"sudo mount {cloud.home}/mnt" in cloud.calls
    assert not formatted(cloud)
    assert not any("chown" in call for call in cloud.calls)
    assert disk.read_bytes() == contents


@needs_disks
@pytest.mark.parametrize("place", [0, 510, 4096, (16 << 20) - 1])
def test_a_disk_with_anything_on_it_is_never_formatted(cloud, place):
    disk = make_disk(cloud)
    with disk.open("r+b") as file:
        file.seek(place)
        # At 510 the mark of a partition table.
        file.write(b"\x55\xaa" if place == 510 else b"x")
    assert "neither blank nor a file system" in refused(mount_steps(cloud, disk, cloud.home / "mnt"))
    assert not formatted(cloud)


@needs_disks
def test_a_disk_that_cannot_be_read_is_never_formatted(cloud):
    disk = make_disk(cloud)
    cloud.stand_in("sudo", "exit 1")
    refused(mount_steps(cloud, disk, cloud.home / "mnt"))
    assert not formatted(cloud)


def test_a_mounted_disk_is_left_alone(cloud):
    cloud.stand_in("mountpoint", "exit 0")
    assert mount_steps(cloud, "/none", "/mnt/data").returncode == 0
    assert not any(call.startswith("sudo") for call in cloud.calls)


@pytest.mark.parametrize(
    "words", [("--device", "/none"), ("--mount", "/a b"), ("--device", "/d'; x"), ("--dive", "x")]
)
def test_a_disk_that_is_not_there_or_badly_named_is_told(cloud, words):
    refused(cloud.run(MACHINE, "disk", *words))
    assert not any(call.startswith("sudo") for call in cloud.calls)


def test_a_driver_that_is_there_stays(cloud):
    assert cloud.run(MACHINE, "driver").returncode == 0
    assert cloud.calls == ["nvidia-smi -L"]


def test_a_missing_driver_is_installed(cloud):
    (cloud.bin / "nvidia-smi").unlink()
    # It comes with the packages of its version.
    cloud.stand_in(
        "sudo", f'case "$*" in *nvidia-utils*) ln -s "$(dirname "$0")/ls" {cloud.bin}/nvidia-smi ;; esac'
    )
    cloud.run(MACHINE, "driver", "--driver", "590-server")
    assert "sudo ubuntu-drivers install --gpgpu nvidia:590-server" in cloud.calls
    assert "sudo apt-get install --yes nvidia-utils-590-server" in cloud.calls


@pytest.mark.parametrize(
    ("program", "step"), [("nvidia-smi", "exit 9"), ("sudo", 'case "$1" in modprobe) exit 1 ;; esac')]
)
def test_a_driver_that_does_not_answer_is_told(cloud, program, step):
    if program == "sudo":
        (cloud.bin / "nvidia-smi").unlink()
    cloud.stand_in(program, step)
    assert "sudo reboot" in refused(cloud.run(MACHINE, "driver"))


def test_without_data_nothing_is_launched(cloud):
    assert "mimic-cxr-jpg" in refused(cloud.run(MACHINE, "launch", "--mount", str(cloud.home / "mnt")))
    assert not any(call.startswith("sudo") for call in cloud.calls)


def test_a_second_training_is_not_launched_beside_the_first(cloud):
    for name in ("mimic-cxr-jpg", "mimic-ext-cxr-qba"):
        (cloud.home / "mnt" / name).mkdir(parents=True)
    cloud.stand_in("systemctl", "exit 0")
    assert "is running already" in refused(cloud.run(MACHINE, "launch", "--mount", str(cloud.home / "mnt")))
    assert not any(call.startswith("sudo") for call in cloud.calls)


def test_a_pause_without_a_training_is_no_mistake(cloud):
    assert cloud.run(MACHINE, "pause").returncode == 0
    assert not any(call.startswith("sudo") for call in cloud.calls)
