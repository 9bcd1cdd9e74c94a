"""What a training on a machine is set to, each choice with its reason; the sizes are those of the guide."""

import importlib.util
from dataclasses import dataclass
from typing import NamedTuple

from cxrkit.hardware.choices import choose_device, choose_precision
from cxrkit.hardware.inventory import GIBIBYTE, Hardware

MOST_WORKERS = 8
# The guide's table: from so much memory per GPU on, batch per GPU and accumulation.
_SIZES = ((20, 16, 4), (14, 12, 5), (10, 8, 8), (6, 4, 16), (0, 2, 32))
_WITHOUT_GPU = (16, 4)


class Choice(NamedTuple):
    """A setting and why it is so."""

    value: int | str
    reason: str


@dataclass(frozen=True)
class Plan:
    """How a training uses a machine.

    Attributes:
        processes: one per GPU, or one.
        batch_size: films per step and process.
        accumulation: steps summed before each update.
        effective_batch: films per update, all processes together.
        strategy: `one process`, `DDP`, or `DeepSpeed ZeRO-2`.
        deepspeed_stage: ZeRO stage; 0 without DeepSpeed.
        precision: bf16, fp16 or fp32.
        workers: loading processes of each process.
        attention: PyTorch's kernel for attention.
    """

    processes: Choice
    batch_size: Choice
    accumulation: Choice
    effective_batch: Choice
    strategy: Choice
    deepspeed_stage: Choice
    precision: Choice
    workers: Choice
    attention: Choice


def make_plan(hardware: Hardware, *, has_deepspeed: bool | None = None) -> Plan:
    """Plans a training.

    Args:
        hardware: of this machine or of another.
        has_deepspeed: the package deepspeed is there; None = as on this machine.

    >>> from cxrkit.hardware.inventory import assumed_hardware
    >>> plan = make_plan(assumed_hardware("4x L4 24GB", cores=48, memory_bytes=None), has_deepspeed=True)
    >>> (plan.batch_size.value, plan.accumulation.value, plan.effective_batch.value, plan.strategy.value)
    (16, 4, 256, 'DeepSpeed ZeRO-2')
    """
    if has_deepspeed is None:
        has_deepspeed = importlib.util.find_spec("deepspeed") is not None
    processes = max(1, len(hardware.gpus))
    batch, accumulation, reason = _sizes(hardware)
    precision = choose_precision(hardware)
    strategy, stage = _strategy(processes, has_deepspeed=has_deepspeed)
    return Plan(
        processes=Choice(processes, "one per GPU" if hardware.gpus else choose_device(hardware).reason),
        batch_size=Choice(batch, reason),
        accumulation=Choice(accumulation, f"{batch * accumulation} films per update and process"),
        effective_batch=Choice(
            batch * accumulation * processes, f"{batch} x {accumulation} x {processes} process(es)"
        ),
        strategy=strategy,
        deepspeed_stage=stage,
        precision=Choice(precision.name, precision.reason),
        workers=_workers(hardware, processes),
        attention=_attention(hardware),
    )


def planned_settings(hardware: Hardware) -> dict[str, Choice]:
    """Gives the settings of a training that follow from the machine, by key."""
    plan = make_plan(hardware)
    return {
        "training.batch_size_per_gpu": plan.batch_size,
        "training.gradient_accumulation_steps": plan.accumulation,
        "training.dataloader_num_workers": plan.workers,
    }


def _sizes(hardware: Hardware) -> tuple[int, int, str]:
    if not hardware.gpus:
        return *_WITHOUT_GPU, "as on a GPU; on the CPU time is what is short, not memory"
    smallest = min(gpu.memory_bytes for gpu in hardware.gpus) / GIBIBYTE
    # A GPU sold with 24 GB reports a little less.
    least, batch, accumulation = next(row for row in _SIZES if smallest >= row[0] * 0.95)
    return batch, accumulation, f"{smallest:.0f} GiB per GPU, from {least} GiB on"


def _strategy(processes: int, *, has_deepspeed: bool) -> tuple[Choice, Choice]:
    if processes == 1:
        reason = "a single device needs nothing else"
        return Choice("one process", reason), Choice(0, reason)
    if not has_deepspeed:
        reason = "deepspeed is not installed (pip install 'cxrkit[deepspeed]')"
        return Choice("DDP", reason), Choice(0, "none without DeepSpeed")
    reason = f"optimizer and gradients divided among {processes} GPUs"
    if importlib.util.find_spec("deepspeed") is None:
        reason += "; needs pip install 'cxrkit[deepspeed]'"
    whole = "every process keeps whole weights, as their running average needs them"
    return Choice("DeepSpeed ZeRO-2", reason), Choice(2, whole)


def _workers(hardware: Hardware, processes: int) -> Choice:
    if not hardware.gpus:
        return Choice(0, "the cores compute; reading from the store is cheaper than a process")
    workers = max(1, min(MOST_WORKERS, hardware.cores // processes - 1))
    return Choice(workers, f"{hardware.cores} cores for {processes} process(es), at most {MOST_WORKERS}")


def _attention(hardware: Hardware) -> Choice:
    if not hardware.gpus:
        return Choice("fused for CPU", "PyTorch's scaled_dot_product_attention")
    if all(gpu.has_bf16 for gpu in hardware.gpus):
        return Choice("flash", "PyTorch's scaled_dot_product_attention, since Ampere in half precision")
    return Choice("memory-efficient", "PyTorch's scaled_dot_product_attention, before Ampere")
