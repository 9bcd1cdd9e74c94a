"""The room that there is: on the disk of the run, in shared memory, on the GPU."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from cxrkit.hardware import Hardware, detect_hardware

SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Room:
    """Free bytes.

    Attributes:
        disk_bytes: where the run's folder is or will be; None for a machine that is only described.
        shared_bytes: for batches on their way from the loading processes; None where there is no such place.
        gpu_bytes: of the smallest GPU, all of it; None without one.
        gpu_name: of that GPU.
    """

    disk_bytes: int | None
    shared_bytes: int | None
    gpu_bytes: int | None
    gpu_name: str


def find_room(run_dir: Path, hardware: Hardware | None = None) -> Room:
    """Looks.

    Args:
        run_dir: the run's folder, there or not.
        hardware: another machine, of which only the GPUs are looked at; None = this one.
    """
    existing = next(path for path in (run_dir.resolve(), *run_dir.resolve().parents) if path.exists())
    found = hardware or detect_hardware()
    smallest = min(found.gpus, key=lambda gpu: gpu.memory_bytes, default=None)
    return Room(
        disk_bytes=shutil.disk_usage(existing).free if hardware is None else None,
        shared_bytes=_shared_bytes() if hardware is None else None,
        gpu_bytes=None if smallest is None else smallest.memory_bytes,
        gpu_name="" if smallest is None else smallest.name,
    )


def _shared_bytes() -> int | None:
    return shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else None
