"""What a machine has, and the choices that follow, each with its reason."""

import json
import subprocess
import sys

import pytest

from cxrkit.cli import main
from cxrkit.errors import SettingsError
from cxrkit.hardware import (
    GIBIBYTE,
    Gpu,
    Hardware,
    assumed_hardware,
    choose_device,
    choose_precision,
    detect_hardware,
    make_plan,
)

NEW = Gpu("New GPU", 80 * GIBIBYTE, has_bf16=True)
OLD = Gpu("Old GPU", 16 * GIBIBYTE, has_bf16=False)


def assumed(text, cores=48):
    return assumed_hardware(text, cores=cores, memory_bytes=64 * GIBIBYTE)


@pytest.mark.parametrize(
    ("gpus", "half_precision", "device", "precision"),
    [
        ((), True, "cpu", "fp32"),
        ((NEW,), True, "cuda", "bf16"),
        ((OLD,), True, "cuda", "fp16"),
        ((NEW, OLD), True, "cuda", "fp16"),
        ((NEW,), False, "cuda", "fp32"),
    ],
)
def test_choices_follow_from_the_machine_and_give_a_reason(gpus, half_precision, device, precision):
    hardware = Hardware(gpus, cores=8, memory_bytes=None)
    chosen = choose_precision(hardware, half_precision=half_precision)
    assert (choose_device(hardware).name, chosen.name) == (device, precision)
    assert choose_device(hardware).reason
    assert chosen.reason


def test_this_machine_is_found():
    hardware = detect_hardware()
    assert hardware.cores >= 1
    assert hardware.memory_bytes is None or hardware.memory_bytes > 2**28


@pytest.mark.parametrize(
    ("gigabytes", "batch", "accumulation"),
    [(80, 16, 4), (24, 16, 4), (20, 16, 4), (16, 12, 5), (14, 12, 5), (11, 8, 8), (8, 4, 16), (4, 2, 32)],
)
def test_batch_and_accumulation_are_those_of_the_guide(gigabytes, batch, accumulation):
    plan = make_plan(assumed(f"Some GPU {gigabytes}GB"))
    assert (plan.batch_size.value, plan.accumulation.value) == (batch, accumulation)


def test_a_gpu_that_reports_a_little_less_than_it_is_sold_with_keeps_its_row():
    reported = Hardware((Gpu("NVIDIA L4", int(22.0 * GIBIBYTE), has_bf16=True),), 8, None)
    assert make_plan(reported).batch_size.value == 16
    reported = Hardware((Gpu("NVIDIA T4", int(14.6 * GIBIBYTE), has_bf16=False),), 8, None)
    assert make_plan(reported).batch_size.value == 12


def test_several_gpus_take_deepspeed_when_it_is_there_and_the_smallest_decides():
    four = assumed("4x L4 24GB")
    plan = make_plan(four, has_deepspeed=True)
    assert (plan.effective_batch.value, plan.strategy.value, plan.deepspeed_stage.value) == (
        256, "DeepSpeed ZeRO-2", 2,
    )  # fmt: skip
    plan = make_plan(four, has_deepspeed=False)
    assert (plan.strategy.value, plan.deepspeed_stage.value) == ("DDP", 0)
    assert "not installed" in plan.strategy.reason
    assert make_plan(Hardware((NEW, OLD), 8, None)).batch_size.value == 12
    assert make_plan(assumed("A100 80GB"), has_deepspeed=True).strategy.value == "one process"


@pytest.mark.parametrize(
    ("name", "has_bf16"),
    [
        ("L4", True),
        ("A100", True),
        ("T4", False),
        ("V100", False),
        ("GTX1080Ti", False),
        ("RTX 2080Ti", False),
        ("RTX 4090", True),
    ],
)
def test_an_assumed_gpu_has_the_arithmetic_of_its_name(name, has_bf16):
    assert assumed(f"2x {name} 16GB").gpus == (Gpu(name, 16 * GIBIBYTE, has_bf16),) * 2


def test_cores_and_ram_may_be_named_too():
    machine = assumed("2x RTX 4090 24GB, 32 cores, RAM 128GB")
    assert (len(machine.gpus), machine.gpus[0].name) == (2, "RTX 4090")
    assert (machine.cores, machine.memory_bytes) == (32, 128 * GIBIBYTE)
    assert assumed("cpu, 4 CPU cores").cores == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4x",
        "L4",
        "L4 24",
        "0x L4 24GB",
        "L4 0GB",
        "24GB",
        "L4 RAM 64GB",
        "L4 24GB, 0 cores",
        "L4 24GB, fast",
        "99999999999x L4 24GB",
        "4x L4 99999999999999999999GB",
    ],
)
def test_words_that_name_no_machine_are_told(text):
    with pytest.raises(SettingsError, match="--assume"):
        assumed(text)


def test_loading_processes_leave_a_core_to_each_training_process():
    assert make_plan(assumed("4x L4 24GB", cores=8)).workers.value == 1
    assert make_plan(assumed("A100 80GB", cores=48)).workers.value == 8
    assert make_plan(assumed("cpu", cores=2)).workers.value == 0


def shown(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["hardware", *words])
    assert not ended.value.code
    return capsys.readouterr().out


def test_the_box_shows_the_guides_example_with_a_reason_for_each_choice(capsys):
    lines = shown(capsys, "--assume", "4x NVIDIA L4 24GB").splitlines()
    assert len({len(line) for line in lines}) == 1
    text = " ".join(" ".join(lines).replace("║", " ").split())
    for part in (
        "GPUs: 4 x NVIDIA L4", "24 GiB per GPU (96 GiB total)", "Batch per GPU: 16", "Grad accumulation: 4",
        "Effective batch: 256", "Strategy: DeepSpeed ZeRO-2", "Precision: bf16", "DCNv3: triton",
    ):  # fmt: skip
        assert part in text


def test_the_same_as_json(capsys):
    found = json.loads(shown(capsys, "--assume", "2x T4 16GB", "--json"))
    assert found["plan"]["batch_size"]["value"] == 12
    assert found["plan"]["precision"]["value"] == "fp16"
    assert len(found["hardware"]["gpus"]) == 2
    assert all(choice["reason"] for choice in found["plan"].values())


def test_the_module_prints_the_machine():
    result = subprocess.run(
        [sys.executable, "-m", "cxrkit.hardware"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "CPU cores" in result.stdout
