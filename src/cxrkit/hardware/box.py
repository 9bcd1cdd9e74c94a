"""A machine and its plan as a box of text, and as JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from textwrap import wrap
from typing import Any

from cxrkit.hardware.inventory import GIBIBYTE, Hardware
from cxrkit.hardware.plan import Choice, Plan

WIDTH = 76
_TITLES = {
    "processes": "Processes",
    "batch_size": "Batch per GPU",
    "accumulation": "Grad accumulation",
    "effective_batch": "Effective batch",
    "strategy": "Strategy",
    "deepspeed_stage": "DeepSpeed stage",
    "precision": "Precision",
    "workers": "Loading processes",
    "attention": "Attention",
}
Rows = Sequence[tuple[str, str, str]]


def draw_box(hardware: Hardware, plan: Plan, free_disk_bytes: int, more: Mapping[str, Choice]) -> str:
    """Gives the box.

    Args:
        hardware: the machine.
        plan: what follows from it.
        free_disk_bytes: where the command was called.
        more: further choices by title.
    """
    choices = {_TITLES[name]: choice for name, choice in _choices(plan).items()} | dict(more)
    lines = [
        "╔" + "═" * WIDTH + "╗",
        _line("HARDWARE"),
        "╠" + "═" * WIDTH + "╣",
        *(_line(f"{name + ':':<20}{value}") for name, value in _machine(hardware, free_disk_bytes)),
        "╠" + "═" * WIDTH + "╣",
        _line("Settings that follow:"),
    ]
    for title, choice in choices.items():
        lines.append(_line(f"  {title + ':':<20}{choice.value}"))
        lines += [_line(f"      {part}") for part in wrap(choice.reason, WIDTH - 8)]
    return "\n".join([*lines, "╚" + "═" * WIDTH + "╝"])


def as_json(
    hardware: Hardware, plan: Plan, free_disk_bytes: int, more: Mapping[str, Choice]
) -> dict[str, Any]:
    """Gives machine and plan as JSON values; arguments as for `draw_box`, `more` by key."""
    choices = _choices(plan) | dict(more)
    return {
        "hardware": {**asdict(hardware), "free_disk_bytes": free_disk_bytes},
        "plan": {name: choice._asdict() for name, choice in choices.items()},
    }


def _choices(plan: Plan) -> dict[str, Choice]:
    return {field.name: getattr(plan, field.name) for field in fields(plan)}


def _machine(hardware: Hardware, free_disk_bytes: int) -> list[tuple[str, str]]:
    names = sorted({gpu.name for gpu in hardware.gpus})
    each = sorted({round(gpu.memory_bytes / GIBIBYTE) for gpu in hardware.gpus})
    total = sum(gpu.memory_bytes for gpu in hardware.gpus) / GIBIBYTE
    memory = hardware.memory_bytes
    gpus = f"{len(hardware.gpus)} x {', '.join(names)}" if names else "none"
    of_gpus = f"{' or '.join(map(str, each))} GiB per GPU ({total:.0f} GiB total)" if names else "-"
    return [
        ("GPUs", gpus),
        ("GPU memory", of_gpus),
        ("CPU cores", str(hardware.cores)),
        ("RAM", f"{memory / GIBIBYTE:.0f} GiB" if memory else "unknown"),
        ("Free disk here", f"{free_disk_bytes / GIBIBYTE:.0f} GiB"),
    ]


def _line(text: str) -> str:
    return f"║ {text:<{WIDTH - 2}} ║"
