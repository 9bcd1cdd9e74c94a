"""The loops of DCNv3 on the CPU, made into machine code by numba at their first use.

A job is one group of one film, so that several threads never write to the same place.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from cxrkit.models.ops.dcnv3.cpu_vectors import make_steps


@numba.njit(inline="always")
def _corners(x, y, one, height, width, first, stride):  # type: ignore[no-untyped-def]
    """Gives starts and shares of the four pixels around a place; a pixel that is not there has no share."""
    # Towards zero, and one less between -1 and 0: the floor of what lies above -1.
    x0, y0 = int(x) - int(x < 0), int(y) - int(y < 0)
    right, low = x - np.float32(x0), y - np.float32(y0)
    left_there, right_there = x0 >= 0, x0 < width - 1
    top_there, low_there = y0 >= 0, y0 < height - 1
    a = max(x0, 0) * stride + first
    b = min(x0 + 1, width - 1) * stride + first
    up = max(y0, 0) * width * stride
    down = min(y0 + 1, height - 1) * width * stride
    zero = one - one
    wx0, wx1 = (one - right) if left_there else zero, right if right_there else zero
    wy0, wy1 = (one - low) if top_there else zero, low if low_there else zero
    sx0, sx1 = one if left_there else zero, one if right_there else zero
    sy0, sy1 = one if top_there else zero, one if low_there else zero
    return up + a, up + b, down + a, down + b, wx0, wx1, wy0, wy1, sx0, sx1, sy0, sy1


@cache
def kernels(width: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Gives the forward and backward loops for groups of `width` channels.

    Arrays are flat: value, grad_value `[N*H*W*C]`; offset, mask and their gradients as the operator's; out,
    grad `[N*h*w*C]`. `places` are the `[P, 2]` places of the points of the first window without their
    offsets, `steps` the steps between windows in x and y and the offsets' scale, `sizes` H, W, h, w, groups.
    """
    gather, scatter = make_steps(width)

    @numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy")
    def forward(out, value, offset, mask, places, steps, sizes, begin, end):  # type: ignore[no-untyped-def]
        height, breadth, rows, columns, groups = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        scale = steps[2]
        stride, points = groups * width, len(places)
        # Numbers of the arrays' own type: with a whole number a float32 becomes a float64.
        number = places.dtype.type
        zero, one = number(0), number(1)
        starts, weights = np.empty(4 * points, np.int64), np.empty(4 * points, places.dtype)
        for job in range(begin, end):
            film, group = job // groups, job % groups
            first = film * height * breadth * stride + group * width
            for place in range(rows * columns):
                cell = (film * rows * columns + place) * groups + group
                row, column = place // columns, place % columns
                for point in range(points):
                    at = cell * points + point
                    x = number(column) * steps[0] + places[point, 0] + offset[np.uintp(2 * at)] * scale
                    y = number(row) * steps[1] + places[point, 1] + offset[np.uintp(2 * at + 1)] * scale
                    inside = (x > -1) & (x < breadth) & (y > -1) & (y < height)
                    # Not skipped but without weight: the processor would often guess wrong.
                    weight = mask[np.uintp(at)] if inside else zero
                    s00, s01, s10, s11, wx0, wx1, wy0, wy1, _, _, _, _ = _corners(
                        x if inside else zero, y if inside else zero, one, height, breadth, first, stride
                    )
                    corner = np.uintp(4 * point)
                    starts[corner], starts[corner + np.uintp(1)] = s00, s01
                    starts[corner + np.uintp(2)], starts[corner + np.uintp(3)] = s10, s11
                    top, low = wy0 * weight, wy1 * weight
                    weights[corner], weights[corner + np.uintp(1)] = wx0 * top, wx1 * top
                    weights[corner + np.uintp(2)], weights[corner + np.uintp(3)] = wx0 * low, wx1 * low
                gather(out, cell * width, value, starts, weights, points)

    @numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy")
    def backward(  # type: ignore[no-untyped-def]
        grad, value, offset, mask, grad_value, grad_offset, grad_mask, places, steps, sizes, begin, end
    ):
        height, breadth, rows, columns, groups = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        scale = steps[2]
        stride, points = groups * width, len(places)
        # Numbers of the arrays' own type: with a whole number a float32 becomes a float64.
        number = places.dtype.type
        one = number(1)
        for job in range(begin, end):
            film, group = job // groups, job % groups
            first = film * height * breadth * stride + group * width
            for place in range(rows * columns):
                cell = (film * rows * columns + place) * groups + group
                row, column = place // columns, place % columns
                for point in range(points):
                    at = cell * points + point
                    x = number(column) * steps[0] + places[point, 0] + offset[np.uintp(2 * at)] * scale
                    y = number(row) * steps[1] + places[point, 1] + offset[np.uintp(2 * at + 1)] * scale
                    if x > -1 and x < breadth and y > -1 and y < height:
                        s00, s01, s10, s11, wx0, wx1, wy0, wy1, sx0, sx1, sy0, sy1 = _corners(
                            x, y, one, height, breadth, first, stride
                        )
                        weight = mask[np.uintp(at)]
                        top, low = wy0 * weight, wy1 * weight
                        d00, d01, d10, d11 = scatter(
                            value, grad_value, grad, cell * width, (s00, s01, s10, s11),
                            (wx0 * top, wx1 * top, wx0 * low, wx1 * low),
                        )  # fmt: skip
                        grad_mask[np.uintp(at)] = wy0 * (wx0 * d00 + wx1 * d01) + wy1 * (
                            wx0 * d10 + wx1 * d11
                        )
                        slope = weight * scale
                        grad_offset[np.uintp(2 * at)] = slope * (
                            wy0 * (sx1 * d01 - sx0 * d00) + wy1 * (sx1 * d11 - sx0 * d10)
                        )
                        grad_offset[np.uintp(2 * at + 1)] = slope * (
                            sy1 * (wx0 * d10 + wx1 * d11) - sy0 * (wx0 * d00 + wx1 * d01)
                        )
                    else:
                        grad_mask[np.uintp(at)] = 0
                        grad_offset[np.uintp(2 * at)] = 0
                        grad_offset[np.uintp(2 * at + 1)] = 0

    return forward, backward
