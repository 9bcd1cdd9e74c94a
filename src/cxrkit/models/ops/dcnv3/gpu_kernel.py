# mypy: disable-error-code="no-untyped-def, untyped-decorator"
"""The kernels of DCNv3 for the GPU, in Triton: each program does some windows of one group.

All arithmetic is in the type of the sums (float32, or float64 for float64); only reading and writing is in
that of the tensors. Gradients by value are summed with atomic additions, in no fixed order.
"""

import triton
import triton.language as tl


@triton.jit
def _point(
    offset, mask, places, steps, cell, at, point, height, breadth, rows, columns, live, kind: tl.constexpr
):
    """Gives a point of some windows: its left upper pixel, the way from there, if it counts, its mask."""
    scale = tl.load(steps + 2)
    x = (cell % columns).to(kind) * tl.load(steps) + tl.load(places + 2 * point)
    y = ((cell // columns) % rows).to(kind) * tl.load(steps + 1) + tl.load(places + 2 * point + 1)
    x += tl.load(offset + 2 * at, mask=live, other=0.0).to(kind) * scale
    y += tl.load(offset + 2 * at + 1, mask=live, other=0.0).to(kind) * scale
    inside = live & (x > -1) & (x < breadth) & (y > -1) & (y < height)
    x, y = tl.where(inside, x, 0.0), tl.where(inside, y, 0.0)
    left, top = tl.floor(x), tl.floor(y)
    weight = tl.load(mask + at, mask=live, other=0.0).to(kind)
    return left.to(tl.int64), top.to(tl.int64), x - left, y - top, inside, weight


@triton.jit
def _pixel(value, film, column, row, group, height, breadth, groups, inside, width: tl.constexpr,
           lanes: tl.constexpr, kind: tl.constexpr):  # fmt: skip
    """Gives the addresses of a pixel's channels for some windows, which of them are there, and the values."""
    channel = tl.arange(0, lanes)
    there = inside & (column >= 0) & (column < breadth) & (row >= 0) & (row < height)
    start = (((film * height + row) * breadth + column) * groups + group) * width
    address = start[:, None] + channel[None, :]
    known = there[:, None] & (channel < width)[None, :]
    return address, known, tl.load(value + address, mask=known, other=0.0).to(kind)


@triton.jit
def _square(value, film, x, y, group, height, breadth, groups, inside, width: tl.constexpr,
            lanes: tl.constexpr, kind: tl.constexpr):  # fmt: skip
    """Gives the four pixels of which (x, y) is the left upper one: addresses, which are there, values."""
    a00, k00, v00 = _pixel(value, film, x, y, group, height, breadth, groups, inside, width, lanes, kind)
    a01, k01, v01 = _pixel(value, film, x + 1, y, group, height, breadth, groups, inside, width, lanes, kind)
    a10, k10, v10 = _pixel(value, film, x, y + 1, group, height, breadth, groups, inside, width, lanes, kind)
    a11, k11, v11 = _pixel(
        value, film, x + 1, y + 1, group, height, breadth, groups, inside, width, lanes, kind
    )
    return a00, a01, a10, a11, k00, k01, k10, k11, v00, v01, v10, v11


@triton.jit
def forward_kernel(
    out, value, offset, mask, places, steps, cells, height, breadth, rows, columns, groups,
    points: tl.constexpr, width: tl.constexpr, lanes: tl.constexpr, block: tl.constexpr, kind: tl.constexpr,
):  # fmt: skip
    """Writes `[cells, groups, width]`; `cells` = N * h * w."""
    cell = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)
    group = tl.program_id(1)
    channel = tl.arange(0, lanes)
    live = cell < cells
    film = cell // (rows * columns)
    total = tl.zeros((block, lanes), dtype=kind)
    for point in range(points):
        at = (cell * groups + group) * points + point
        x, y, right, low, inside, weight = _point(
            offset, mask, places, steps, cell, at, point, height, breadth, rows, columns, live, kind
        )
        _, _, _, _, _, _, _, _, v00, v01, v10, v11 = _square(
            value, film, x, y, group, height, breadth, groups, inside, width, lanes, kind
        )
        upper = v00 * (1 - right)[:, None] + v01 * right[:, None]
        lower = v10 * (1 - right)[:, None] + v11 * right[:, None]
        total += (upper * (1 - low)[:, None] + lower * low[:, None]) * weight[:, None]
    address = ((cell * groups + group) * width)[:, None] + channel[None, :]
    tl.store(out + address, total.to(out.dtype.element_ty), mask=live[:, None] & (channel < width)[None, :])


@triton.jit
def backward_kernel(
    grad, value, offset, mask, grad_value, grad_offset, grad_mask, places, steps, cells, height, breadth,
    rows, columns, groups,
    points: tl.constexpr, width: tl.constexpr, lanes: tl.constexpr, block: tl.constexpr, kind: tl.constexpr,
):  # fmt: skip
    """Adds to `grad_value`, which is in the type of the sums, and writes `grad_offset` and `grad_mask`."""
    cell = (tl.program_id(0) * block + tl.arange(0, block)).to(tl.int64)
    group = tl.program_id(1)
    channel = tl.arange(0, lanes)
    live = cell < cells
    film = cell // (rows * columns)
    scale = tl.load(steps + 2)
    address = ((cell * groups + group) * width)[:, None] + channel[None, :]
    own = tl.load(grad + address, mask=live[:, None] & (channel < width)[None, :], other=0.0).to(kind)
    for point in range(points):
        at = (cell * groups + group) * points + point
        x, y, right, low, inside, weight = _point(
            offset, mask, places, steps, cell, at, point, height, breadth, rows, columns, live, kind
        )
        a00, a01, a10, a11, k00, k01, k10, k11, v00, v01, v10, v11 = _square(
            value, film, x, y, group, height, breadth, groups, inside, width, lanes, kind
        )
        share = own * weight[:, None]
        tl.atomic_add(grad_value + a00, share * ((1 - right) * (1 - low))[:, None], mask=k00)
        tl.atomic_add(grad_value + a01, share * (right * (1 - low))[:, None], mask=k01)
        tl.atomic_add(grad_value + a10, share * ((1 - right) * low)[:, None], mask=k10)
        tl.atomic_add(grad_value + a11, share * (right * low)[:, None], mask=k11)
        d00, d01 = tl.sum(own * v00, axis=1), tl.sum(own * v01, axis=1)
        d10, d11 = tl.sum(own * v10, axis=1), tl.sum(own * v11, axis=1)
        upper, lower = d00 * (1 - right) + d01 * right, d10 * (1 - right) + d11 * right
        by_x = ((d01 - d00) * (1 - low) + (d11 - d10) * low) * weight * scale
        by_y = (lower - upper) * weight * scale
        by_mask = upper * (1 - low) + lower * low
        tl.store(grad_mask + at, by_mask.to(grad_mask.dtype.element_ty), mask=live)
        tl.store(grad_offset + 2 * at, by_x.to(grad_offset.dtype.element_ty), mask=live)
        tl.store(grad_offset + 2 * at + 1, by_y.to(grad_offset.dtype.element_ty), mask=live)
