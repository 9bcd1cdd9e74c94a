"""The device and the arithmetic to compute with, each with its reason."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from cxrkit.hardware.inventory import Hardware, detect_hardware

DeviceName: TypeAlias = Literal["cuda", "cpu"]
Precision: TypeAlias = Literal["bf16", "fp16", "fp32"]


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

    >>> from cxrkit.hardware.inventory import Gpu
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
