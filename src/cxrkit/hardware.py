"""What this machine has, and what follows for training: each choice with its reason.

`python -m cxrkit.hardware` prints both.
"""

import os
import sys
from dataclasses import dataclass
from typing import Literal, TypeAlias

DeviceName: TypeAlias = Literal["cuda", "cpu"]
Precision: TypeAlias = Literal["bf16", "fp16", "fp32"]
GIBIBYTE = 2**30


@dataclass(frozen=True)
class Gpu:
    """One CUDA device; `has_bf16` means in hardware, not emulated."""

    name: str
    memory_bytes: int
    has_bf16: bool


@dataclass(frozen=True)
class Hardware:
    """The machine as this process may use it; `memory_bytes` is None where the system does not tell."""

    gpus: tuple[Gpu, ...]
    cores: int
    memory_bytes: int | None


@dataclass(frozen=True)
class DeviceChoice:
    """The kind of device to compute on, and why."""

    name: DeviceName
    reason: str


@dataclass(frozen=True)
class PrecisionChoice:
    """The arithmetic to train in, and why."""

    name: Precision
    reason: str


def detect_hardware() -> Hardware:
    """Looks at the GPUs that CUDA shows, the cores this process may run on, and the memory."""
    import torch

    gpus = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            # bfloat16 came with compute capability 8.0 (Ampere); before, PyTorch emulates it slowly.
            gpus.append(Gpu(properties.name, properties.total_memory, has_bf16=properties.major >= 8))
    return Hardware(tuple(gpus), cores=usable_cores(), memory_bytes=_memory_bytes())


def usable_cores() -> int:
    """Gives the number of cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_device(hardware: Hardware | None = None) -> DeviceChoice:
    """Gives the device to compute on; `hardware` None = this machine.

    >>> choose_device(Hardware((), cores=2, memory_bytes=None)).name
    'cpu'
    """
    hardware = hardware or detect_hardware()
    if not hardware.gpus:
        return DeviceChoice("cpu", "PyTorch sees no CUDA device")
    names = ", ".join(sorted({gpu.name for gpu in hardware.gpus}))
    return DeviceChoice("cuda", f"PyTorch sees {len(hardware.gpus)} CUDA device(s): {names}")


def choose_precision(hardware: Hardware | None = None, *, half_precision: bool = True) -> PrecisionChoice:
    """Gives the arithmetic to train in: bf16, else fp16 with loss scaling, else fp32.

    Args:
        hardware: None = this machine; with several GPUs, the one that can least decides.
        half_precision: the setting `training.fp16`.

    >>> choose_precision(Hardware((Gpu("T4", 2**34, has_bf16=False),), 8, None)).name
    'fp16'
    """
    hardware = hardware or detect_hardware()
    if not hardware.gpus:
        return PrecisionChoice("fp32", "the CPU trains in single precision")
    if not half_precision:
        return PrecisionChoice("fp32", "training.fp16 is false")
    without = [gpu.name for gpu in hardware.gpus if not gpu.has_bf16]
    if without:
        return PrecisionChoice("fp16", f"{without[0]} has no bfloat16 arithmetic; losses are scaled")
    return PrecisionChoice("bf16", "every GPU has bfloat16, which needs no loss scaling")


def describe_hardware(hardware: Hardware) -> str:
    """Gives the machine and the choices that follow as lines of text."""
    lines = [
        f"GPU {index}      {gpu.name}, {gpu.memory_bytes / GIBIBYTE:.0f} GiB"
        for index, gpu in enumerate(hardware.gpus)
    ]
    device, precision = choose_device(hardware), choose_precision(hardware)
    memory = hardware.memory_bytes
    lines += [
        f"cores      {hardware.cores}",
        f"memory     {memory / GIBIBYTE:.0f} GiB" if memory else "memory     unknown",
        f"device     {device.name}: {device.reason}",
        f"precision  {precision.name}: {precision.reason}",
    ]
    return "\n".join(lines)


def _memory_bytes() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" in names and "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


if __name__ == "__main__":
    sys.stdout.write(describe_hardware(detect_hardware()) + "\n")
