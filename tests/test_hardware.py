"""What the machine has, and the choices that follow, each with its reason."""

import subprocess
import sys

import pytest

from cxrkit.hardware import (
    Gpu,
    Hardware,
    choose_device,
    choose_precision,
    describe_hardware,
    detect_hardware,
)

NEW = Gpu("New GPU", 80 * 2**30, has_bf16=True)
OLD = Gpu("Old GPU", 16 * 2**30, has_bf16=False)


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


def test_this_machine_is_described():
    hardware = detect_hardware()
    assert hardware.cores >= 1
    assert hardware.memory_bytes is None or hardware.memory_bytes > 2**28
    assert "precision" in describe_hardware(hardware)


def test_description_names_each_gpu():
    text = describe_hardware(Hardware((NEW, OLD), cores=8, memory_bytes=64 * 2**30))
    assert "New GPU, 80 GiB" in text
    assert "Old GPU, 16 GiB" in text
    assert "fp16: Old GPU has no bfloat16" in text


def test_the_module_prints_the_machine():
    result = subprocess.run(
        [sys.executable, "-m", "cxrkit.hardware"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "device" in result.stdout
