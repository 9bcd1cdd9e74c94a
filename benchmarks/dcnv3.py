"""Measures DCNv3 at the four stages of InternImage-B, and the whole model, against plain grid_sample.

Usage: python benchmarks/dcnv3.py [--rounds N] [--batch N] [--model] [--json]

The baseline is the operator as it is plainly written with `torch.nn.functional.grid_sample`, in the same run,
the two in turn. Batch 4 in fp32 on the CPU, 32 in fp16 on a GPU. Offsets are drawn with a deviation of one
pixel. `ratio` is the smallest over stages and passes, baseline over ours, of the medians. On a GPU
`bound_ms` is the time of a copy that moves as many bytes as the forward pass must read and write.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import timm
import torch
from measure import show
from torch import Tensor
from torch.nn import functional

import cxrkit.models.internimage.layers as layers
from cxrkit.models.ops.dcnv3 import choose_backend, dcnv3

STAGES = tuple((56 >> stage, 7 << stage) for stage in range(4))  # side of the map in pixels, groups
GROUP_CHANNELS = 16
POINTS = 9


def plain(value: Tensor, offset: Tensor, mask: Tensor, *, groups: int, **_: Any) -> Tensor:
    """The operator for a kernel of 3, stride, padding and dilation 1, in normalised coordinates."""
    films, height, width, channels = value.shape
    places = torch.tensor([(i - 1, j - 1) for i in range(3) for j in range(3)], device=value.device)
    across = torch.arange(width, device=value.device).view(1, 1, -1, 1, 1)
    down = torch.arange(height, device=value.device).view(1, -1, 1, 1, 1)
    shifts = offset.view(films, height, width, groups, POINTS, 2)
    x, y = across + places[:, 0] + shifts[..., 0], down + places[:, 1] + shifts[..., 1]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    grid = grid.permute(0, 3, 1, 2, 4, 5).reshape(films * groups, height * width, POINTS, 2)
    maps = value.view(films, height, width, groups, -1).permute(0, 3, 4, 1, 2)
    samples = functional.grid_sample(
        maps.reshape(films * groups, -1, height, width), grid.to(value.dtype), "bilinear", "zeros", False
    )
    weights = mask.view(films, height * width, groups, POINTS).transpose(1, 2)
    summed = (samples * weights.reshape(films * groups, 1, height * width, POINTS)).sum(-1)
    return summed.view(films, channels, -1).transpose(1, 2).reshape(films, height, width, channels)


def in_turn(sides: list[Callable[[], Any]], rounds: int, device: str) -> list[float]:
    """Gives the median milliseconds of each side."""
    times: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 2):
        for side, own in zip(sides, times, strict=True):
            if device == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            side()
            if device == "cuda":
                torch.cuda.synchronize()
            if number >= 2:  # the first ones warm up
                own.append(1000 * (time.perf_counter() - start))
    return [statistics.median(own) for own in times]


def tensors_of(stage: int, batch: int, device: str, dtype: torch.dtype) -> list[Tensor]:
    side, groups = STAGES[stage]
    torch.manual_seed(stage)
    shapes = [(groups * GROUP_CHANNELS, 1.0), (groups * POINTS * 2, 1.0), (groups * POINTS, 1.0)]
    drawn = [torch.randn(batch, side, side, width, device=device) * spread for width, spread in shapes]
    drawn[2] = drawn[2].unflatten(-1, (groups, POINTS)).softmax(-1).flatten(-2)
    return [tensor.to(dtype).requires_grad_() for tensor in drawn]


def measure_stage(
    stage: int, options: argparse.Namespace, device: str, dtype: torch.dtype
) -> dict[str, float]:
    tensors = tensors_of(stage, options.batch, device, dtype)
    window = {
        "kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1), "dilation": (1, 1),
        "groups": STAGES[stage][1], "group_channels": GROUP_CHANNELS,
    }  # fmt: skip
    grad = torch.randn_like(tensors[0])

    def forward(operator: Any) -> Callable[[], Any]:
        return torch.no_grad()(lambda: operator(*tensors, **window))

    def both(operator: Any) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(operator(*tensors, **window), tensors, grad)

    ours, baseline = in_turn([forward(dcnv3), forward(plain)], options.rounds, device)
    ours_both, baseline_both = in_turn([both(dcnv3), both(plain)], options.rounds, device)
    figures = {
        "forward_ms": ours, "baseline_forward_ms": baseline, "forward_ratio": baseline / ours,
        "forward_backward_ms": ours_both, "baseline_forward_backward_ms": baseline_both,
        "forward_backward_ratio": baseline_both / ours_both,
    }  # fmt: skip
    if device == "cuda":
        size = sum(tensor.numel() * tensor.element_size() for tensor in (*tensors, grad))
        source = torch.empty(size // 2, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        (figures["bound_ms"],) = in_turn([lambda: target.copy_(source)], options.rounds, device)
        figures["times_bound"] = ours / figures["bound_ms"]
    return figures


def measure_model(options: argparse.Namespace, device: str, dtype: torch.dtype) -> dict[str, float]:
    """InternImage-B forward with the one operator and the other."""
    torch.manual_seed(0)
    model = timm.create_model("internimage_b", num_classes=14).to(device, dtype).eval()
    films = torch.randn(options.batch, 3, 224, 224, device=device, dtype=dtype)

    @torch.no_grad()
    def ours() -> None:
        model(films)

    @torch.no_grad()
    def baseline() -> None:
        with mock.patch.object(layers, "dcnv3", plain):
            model(films)

    found, other = in_turn([ours, baseline], max(5, options.rounds // 3), device)
    return {"model_ms": found, "baseline_model_ms": other, "model_ratio": other / found}


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21, help="timed runs of each side")
    parser.add_argument("--batch", type=int, default=32 if device == "cuda" else 4, help="films")
    parser.add_argument("--model", action="store_true", help="also InternImage-B as a whole")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    options = parser.parse_args()
    dtype = torch.float16 if device == "cuda" else torch.float32
    stages = [measure_stage(stage, options, device, dtype) for stage in range(len(STAGES))]
    for number, figures in enumerate(stages, 1):
        print(f"stage {number}")
        show({f"  {name}": value for name, value in figures.items()}, as_json=False)
    ratios = [own[name] for own in stages for name in ("forward_ratio", "forward_backward_ratio")]
    result: dict[str, object] = {"ratio": min(ratios), "stages": stages, "batch": options.batch}
    if options.model:
        result |= measure_model(options, device, dtype)
    result |= {"device": torch.cuda.get_device_name() if device == "cuda" else "cpu"}
    result |= {"backend": choose_backend(device).name, "dtype": str(dtype).removeprefix("torch.")}
    show(result | {"threads": torch.get_num_threads()}, options.json)


if __name__ == "__main__":
    main()
