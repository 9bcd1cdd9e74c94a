"""DCNv3: every way of computing it against golden cases, plain loops and numerical derivatives."""

import json
import os
import subprocess
import sys
from itertools import product
from math import floor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from cxrkit.errors import CxrkitError
from cxrkit.models.ops.dcnv3 import choose_backend, dcnv3
from cxrkit.models.ops.dcnv3.window import Window

GOLDEN = Path(__file__).parent / "golden" / "dcnv3_op.safetensors"
TOLERANCE = 2e-5  # of the largest value
BASE = {
    "kernel_size": (3, 3),
    "stride": (1, 1),
    "padding": (1, 1),
    "dilation": (1, 1),
    "groups": 2,
    "group_channels": 16,
}
WINDOWS = {
    "usual": BASE,
    "uneven": BASE | {"kernel_size": (3, 5), "stride": (2, 1), "padding": (0, 3), "dilation": (1, 2)},
    "narrow groups": BASE | {"groups": 3, "group_channels": 5, "offset_scale": 2.0},
    "single channel": BASE | {"groups": 4, "group_channels": 1, "kernel_size": (2, 1)},
    "wide group": BASE | {"groups": 1, "group_channels": 48},
    "no centre": BASE | {"remove_center": True, "offset_scale": 0.5},
}


def draw(window, size=(2, 7, 5), *, dtype=torch.float64, spread=2.0, seed=0):
    """Gives value, offset and mask with gradients for a window's arguments."""
    generator = torch.Generator().manual_seed(seed)
    shape = Window(**window)
    points = shape.groups * len(shape.points)
    rows, columns = shape.output_size(*size[1:])
    channels = shape.groups * shape.group_channels
    value = torch.randn(*size, channels, generator=generator, dtype=torch.float64)
    offset = torch.randn(size[0], rows, columns, 2 * points, generator=generator, dtype=torch.float64)
    mask = torch.rand(size[0], rows, columns, points, generator=generator, dtype=torch.float64)
    return [tensor.to(dtype).requires_grad_() for tensor in (value, offset * spread, mask)]


def with_gradients(tensors, window, backend, seed=1):
    output = dcnv3(*tensors, **window, backend=backend)
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed)).to(output)
    return [output.detach(), *torch.autograd.grad((output * weights).sum(), tensors)]


def plain_loops(value, offset, mask, window):
    """The definition, number by number."""
    (kernel_h, kernel_w), (stride_h, stride_w) = window["kernel_size"], window["stride"]
    (pad_h, pad_w), (dilation_h, dilation_w) = window["padding"], window["dilation"]
    groups, width, scale = window["groups"], window["group_channels"], window.get("offset_scale", 1.0)
    films, height, breadth, _ = value.shape
    points = [(i, j) for i in range(kernel_w) for j in range(kernel_h)]
    if window.get("remove_center"):
        points.remove((kernel_w // 2, kernel_h // 2))
    centre_x, centre_y = (dilation_w * (kernel_w - 1)) >> 1, (dilation_h * (kernel_h - 1)) >> 1
    out = np.zeros((films, *mask.shape[1:3], groups * width))
    for n, row, column, g in product(range(films), range(mask.shape[1]), range(mask.shape[2]), range(groups)):
        for p, (i, j) in enumerate(points):
            at = g * len(points) + p
            off_x, off_y = offset[n, row, column, 2 * at : 2 * at + 2]
            x = column * stride_w - pad_w + centre_x + (i * dilation_w - centre_x + off_x) * scale
            y = row * stride_h - pad_h + centre_y + (j * dilation_h - centre_y + off_y) * scale
            if not (-1 < x < breadth and -1 < y < height):
                continue
            for y0, x0 in product((floor(y), floor(y) + 1), (floor(x), floor(x) + 1)):
                if 0 <= y0 < height and 0 <= x0 < breadth:
                    share = (1 - abs(x - x0)) * (1 - abs(y - y0)) * mask[n, row, column, at]
                    channels = slice(g * width, (g + 1) * width)
                    out[n, row, column, channels] += share * value[n, y0, x0, channels]
    return out


def golden_cases():
    with safe_open(GOLDEN, "pt") as file:
        return sorted(file.metadata())


@pytest.mark.parametrize("case", golden_cases())
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_golden_cases_are_met(case, backend):
    with safe_open(GOLDEN, "pt") as file:
        own = json.loads(file.metadata()[case])
        names = [name for name in file.keys() if name.startswith(f"{case}/")]  # noqa: SIM118
        data = {name.split("/")[1]: file.get_tensor(name) for name in names}
    pairs = {
        name: (own[f"{short}_h"], own[f"{short}_w"])
        for name, short in (
            ("kernel_size", "kernel"),
            ("stride", "stride"),
            ("padding", "pad"),
            ("dilation", "dilation"),
        )
    }
    tensors = [data[name].requires_grad_() for name in ("input", "offset", "mask")]
    output = dcnv3(
        *tensors, **pairs, groups=own["group"], group_channels=own["group_channels"],
        offset_scale=own["offset_scale"], remove_center=bool(own["remove_center"]), backend=backend,
    )  # fmt: skip
    gradients = torch.autograd.grad((output * data["w"]).sum(), tensors)
    off_kinks = data["kink"] == 0
    for found, expected in (
        (output, data["out"]),
        (gradients[0], data["grad_input"]),
        (gradients[2], data["grad_mask"]),
        (gradients[1] * off_kinks, data["grad_offset"] * off_kinks),
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE * float(expected.abs().max()))


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_output_is_that_of_plain_loops(name, backend):
    tensors = draw(WINDOWS[name])
    expected = plain_loops(*(tensor.detach().numpy() for tensor in tensors), WINDOWS[name])
    found = dcnv3(*tensors, **WINDOWS[name], backend=backend).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_gradients_are_those_of_differences(name, backend):
    tensors = draw(WINDOWS[name], (1, 5, 4))
    torch.autograd.gradcheck(
        lambda *own: dcnv3(*own, **WINDOWS[name], backend=backend), tensors, fast_mode=True
    )
    if name == "narrow groups":
        torch.autograd.gradcheck(lambda *own: dcnv3(*own, **WINDOWS[name], backend=backend), tensors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("spread", [0.0, 2.0, 1e6])
def test_cpu_agrees_with_the_reference_in_every_precision(dtype, spread):
    tensors = draw(BASE, dtype=dtype, spread=0.0 if dtype == torch.float16 and spread > 1e4 else spread)
    for found, expected in zip(
        with_gradients(tensors, BASE, "cpu"), with_gradients(tensors, BASE, "reference"), strict=True
    ):
        assert found.dtype == dtype
        step = torch.finfo(dtype).eps * max(1e-6, float(expected.abs().max()))
        torch.testing.assert_close(found, expected, rtol=0, atol=8 * step)


@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_what_lies_far_outside_is_zero_and_harms_nothing(backend):
    value, offset, mask = draw(BASE, dtype=torch.float32)
    offset = torch.full_like(offset, float("inf")).requires_grad_()
    for found in with_gradients([value, offset, mask], BASE, backend):
        assert not found.any()


def test_threads_do_not_change_the_result():
    tensors = draw(BASE | {"groups": 5}, (3, 9, 6), dtype=torch.float32)
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 7):
            torch.set_num_threads(threads)
            results.append(with_gradients(tensors, BASE | {"groups": 5}, "cpu"))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        for found, expected in zip(other, results[0], strict=True):
            assert torch.equal(found, expected)


def test_own_threads_do_as_well_where_pytorch_has_no_team(monkeypatch):
    from cxrkit.models.ops.dcnv3 import cpu_team

    tensors = draw(BASE, dtype=torch.float32)
    expected = with_gradients(tensors, BASE, "reference")
    monkeypatch.setattr(cpu_team, "_team", lambda: None)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    for found, other in zip(with_gradients(tensors, BASE, "cpu"), expected, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-5, atol=1e-5)


def test_layout_in_memory_does_not_matter():
    value, offset, mask = draw(BASE, (2, 6, 6))
    turned = value.detach().permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1).requires_grad_()
    for found, expected in zip(
        with_gradients([turned, offset, mask], BASE, "cpu"),
        with_gradients([value, offset, mask], BASE, "cpu"),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


def test_empty_batch_is_no_mistake():
    tensors = draw(BASE, (0, 5, 5), dtype=torch.float32)
    for found in with_gradients(tensors, BASE, "cpu"):
        assert found.numel() == 0


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiled_result_is_the_same_without_a_break(dynamic):
    tensors = draw(BASE, dtype=torch.float32)
    compiled = torch.compile(
        lambda *own: dcnv3(*own, **BASE) * 2, fullgraph=True, dynamic=dynamic, backend="aot_eager"
    )
    torch.testing.assert_close(compiled(*tensors), dcnv3(*tensors, **BASE) * 2)
    compiled(*tensors).sum().backward()
    assert tensors[1].grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"groups": 3}, "[N, H, W, 48]"),
        ({"kernel_size": (5, 3)}, "offset"),
        ({"stride": (0, 1)}, "stride = (0, 1)"),
        ({"dilation": (9, 9)}, "at least as large as the window"),
        ({"kernel_size": (2, 2), "remove_center": True}, "odd kernel"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change, told):
    tensors = draw(BASE)
    with pytest.raises(CxrkitError) as caught:
        dcnv3(*tensors, **(BASE | change))
    assert told in str(caught.value)


def test_mixed_types_are_refused():
    value, offset, mask = draw(BASE)
    with pytest.raises(CxrkitError, match="one floating-point type"):
        dcnv3(value, offset.float(), mask, **BASE)


def test_a_backend_is_never_replaced_in_silence(monkeypatch):
    tensors = draw(BASE)
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(CxrkitError, match="tensors on cpu"):
        dcnv3(*tensors, **BASE, backend="triton")
    with pytest.raises(CxrkitError, match="unknown backend"):
        dcnv3(*tensors, **BASE, backend="cuda")
    monkeypatch.setenv("CXRKIT_DCNV3_BACKEND", "nonsense")
    with pytest.raises(CxrkitError, match="CXRKIT_DCNV3_BACKEND"):
        dcnv3(*tensors, **BASE)


def test_choice_says_why(monkeypatch):
    monkeypatch.delenv("CXRKIT_DCNV3_BACKEND", raising=False)
    assert choose_backend("cpu").name == "cpu"
    assert choose_backend("cuda").name == "triton"
    assert choose_backend("mps").name == "reference"
    monkeypatch.setenv("CXRKIT_DCNV3_BACKEND", "reference")
    assert choose_backend("cpu").name == "reference"
    monkeypatch.delenv("CXRKIT_DCNV3_BACKEND")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    choice = choose_backend("cpu")
    assert choice.name == "reference"
    assert "numba is not installed" in choice.reason


TRITON_CHECK = """
import sys; sys.path.insert(0, {folder!r})
import torch
from test_models_dcnv3 import BASE, WINDOWS, draw, with_gradients
for name, window in WINDOWS.items():
    for dtype in (torch.float32, torch.float16, torch.bfloat16) if name == "usual" else (torch.float64,):
        for spread in (0.0, 2.0):
            tensors = draw(window, (2, 5, 4), dtype=dtype, spread=spread)
            both = [with_gradients(tensors, window, backend) for backend in ("triton", "reference")]
            for place, (found, expected) in enumerate(zip(*both)):
                step = torch.finfo(dtype).eps * float(expected.abs().max())
                assert found.dtype == dtype, (name, dtype)
                assert float((found - expected).abs().max()) <= 8 * step, (name, dtype, spread, place)
print("all alike")
"""


def test_gpu_kernels_agree_with_the_reference_when_interpreted():
    script = TRITON_CHECK.format(folder=str(Path(__file__).parent))
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False,
        env=os.environ | {"TRITON_INTERPRET": "1"},
    )  # fmt: skip
    assert "all alike" in result.stdout, result.stderr[-2000:]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_gpu_kernels_agree_with_the_reference_on_a_gpu(name, dtype):
    tensors = [tensor.detach().cuda().requires_grad_() for tensor in draw(WINDOWS[name], dtype=dtype)]
    for found, expected in zip(
        with_gradients(tensors, WINDOWS[name], "triton"),
        with_gradients(tensors, WINDOWS[name], "reference"),
        strict=True,
    ):
        step = torch.finfo(dtype).eps * float(expected.abs().max())
        torch.testing.assert_close(found, expected, rtol=0, atol=16 * step)
