"""What this machine has."""

import os
import re
from dataclasses import dataclass

from cxrkit.errors import SettingsError

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


def _memory_bytes() -> int | None:
    names = getattr(os, "sysconf_names", {})
    if "SC_PAGE_SIZE" in names and "SC_PHYS_PAGES" in names:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return None


# Since Ampere (2020) NVIDIA's GPUs compute in bfloat16; the names of those before it.
_BEFORE_AMPERE = re.compile(
    r"\b(P100\b|P40\b|P4\b|V100|T4\b|GTX|TITAN|RTX\s?20\d\d|QUADRO|K80|M60)", re.IGNORECASE
)
MOST_GPUS, MOST_GIBIBYTES_OF_A_GPU = 1024, 1024
_ASSUMED = re.compile(r"(?:(\d+)\s*x\s*)?((?:(?!\bRAM\b).)+?)\s+(\d+)\s*(?:GB|GIB)", re.IGNORECASE)
_CORES = re.compile(r"(\d+)\s*(?:CPU\s*)?cores?", re.IGNORECASE)
_RAM = re.compile(r"(?:RAM\s*)?(\d+)\s*(?:GB|GIB)(?:\s*RAM)?", re.IGNORECASE)


def assumed_hardware(text: str, *, cores: int, memory_bytes: int | None) -> Hardware:
    """Gives a machine that one does not have, from words.

    Args:
        text: number, name and memory of its GPUs, such as `4x L4 24GB`, or `cpu` for none; after commas, if
            they are known, its cores and its RAM: `4x L4 24GB, 48 cores, 192GB RAM`.
        cores: of it, unless the words say so.
        memory_bytes: of it, unless the words say so.

    Raises:
        SettingsError: the words cannot be read.

    >>> assumed_hardware("4x L4 24GB, 48 cores", cores=2, memory_bytes=None).cores
    48
    """
    gpus, *rest = (part.strip() for part in text.split(","))
    for part in rest:
        if match := _CORES.fullmatch(part):
            cores = int(match[1])
        elif match := _RAM.fullmatch(part):
            memory_bytes = int(match[1]) * GIBIBYTE
        else:
            raise _unreadable(text)
    if not 0 < cores < 10**6 or (memory_bytes is not None and not 0 < memory_bytes < 2**60):
        raise _unreadable(text)
    return Hardware(_assumed_gpus(gpus, text), cores, memory_bytes)


def _assumed_gpus(words: str, text: str) -> tuple[Gpu, ...]:
    if words.lower() == "cpu":
        return ()
    match = _ASSUMED.fullmatch(words)
    if (
        match is None
        or not 0 < int(match[3]) <= MOST_GIBIBYTES_OF_A_GPU
        or not 0 < int(match[1] or 1) <= MOST_GPUS
    ):
        raise _unreadable(text)
    gpu = Gpu(match[2], int(match[3]) * GIBIBYTE, has_bf16=_BEFORE_AMPERE.search(match[2]) is None)
    return (gpu,) * int(match[1] or 1)


def _unreadable(text: str) -> SettingsError:
    mistake = (
        f'--assume: found {text!r}, expected such as "4x L4 24GB", "A100 80GB" or "cpu", '
        'and after a comma "48 cores" or "192GB RAM"'
    )
    return SettingsError("command line", [mistake])
