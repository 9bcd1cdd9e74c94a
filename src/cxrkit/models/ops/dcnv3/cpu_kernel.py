# mypy: disable-error-code="no-untyped-def"
"""The loops of DCNv3 on the CPU, made into machine code by numba at their first use.

A job is one group of one film, so that several threads never write to the same place. Arrays are flat:
value, grad_value `[N*H*W*C]`; offset, mask and their gradients as the operator's; out, grad `[N*h*w*C]`.
`places` are the `[P, 2]` places of the points of the first window without their offsets, `steps` the steps
between windows in x and y and the offsets' scale, `sizes` H, W, h, w, groups.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from cxrkit.models.ops.dcnv3.cpu_vectors import make_gather, make_scatter

_compiled = numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy")
_inlined = numba.njit(inline="always")


@_inlined
def _place(point, at, left, top, offset, places, scale):
    """Gives x and y of a point in pixels, from the window's distance from the first one."""
    x = left + places[point, 0] + offset[np.uintp(2 * at)] * scale
    y = top + places[point, 1] + offset[np.uintp(2 * at + 1)] * scale
    return x, y


@_inlined
def _inside(x, y, height, width):
    return (x > -1) & (x < width) & (y > -1) & (y < height)


@_inlined
def _corners(x, y, one, height, width, first, stride):
    """Gives starts of the four pixels around a place, their shares in x and y, and which of them are there.

    A pixel that is not there has no share, and the start of one that is.
    """
    # Towards zero, and one less between -1 and 0: the floor of what lies above -1.
    x0, y0 = int(x) - int(x < 0), int(y) - int(y < 0)
    right, low = x - np.float32(x0), y - np.float32(y0)
    zero = one - one
    sx0, sx1 = one if x0 >= 0 else zero, one if x0 < width - 1 else zero
    sy0, sy1 = one if y0 >= 0 else zero, one if y0 < height - 1 else zero
    wx0, wx1 = (one - right) if x0 >= 0 else zero, right if x0 < width - 1 else zero
    wy0, wy1 = (one - low) if y0 >= 0 else zero, low if y0 < height - 1 else zero
    a = max(x0, 0) * stride + first
    b = min(x0 + 1, width - 1) * stride + first
    up = max(y0, 0) * width * stride
    down = min(y0 + 1, height - 1) * width * stride
    return (up + a, up + b, down + a, down + b), (wx0, wx1, wy0, wy1), (sx0, sx1, sy0, sy1)


@_inlined
def _slopes(products, shares, there):
    """Gives the slopes by mask, x and y from the products of the gradient with the four pixels."""
    d00, d01, d10, d11 = products
    wx0, wx1, wy0, wy1 = shares
    sx0, sx1, sy0, sy1 = there
    upper, lower = wx0 * d00 + wx1 * d01, wx0 * d10 + wx1 * d11
    by_x = wy0 * (sx1 * d01 - sx0 * d00) + wy1 * (sx1 * d11 - sx0 * d10)
    return wy0 * upper + wy1 * lower, by_x, sy1 * lower - sy0 * upper


@cache
def forward_loop(width: int) -> Callable[..., Any]:
    """Makes the loop of the forward pass for groups of `width` channels."""
    gather = make_gather(width)

    @_compiled
    def forward(out, value, offset, mask, places, steps, sizes, begin, end):
        height, breadth, rows, columns, groups = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        stride, points = groups * width, len(places)
        # In the arrays' own type: a float32 and a whole number would make a float64.
        number = places.dtype.type
        zero, one = number(0), number(1)
        # Not read again for each point, as they would be: a write to another array might change them.
        across, down, scale = steps[0], steps[1], steps[2]
        starts, weights = np.empty(4 * points, np.int64), np.empty(4 * points, places.dtype)
        for job in range(begin, end):
            film, group = job // groups, job % groups
            first = film * height * breadth * stride + group * width
            for window in range(rows * columns):
                cell = (film * rows * columns + window) * groups + group
                left, top = number(window % columns) * across, number(window // columns) * down
                for point in range(points):
                    at = cell * points + point
                    x, y = _place(point, at, left, top, offset, places, scale)
                    # Not skipped but without weight: the processor would often guess wrong.
                    inside = _inside(x, y, height, breadth)
                    weight = mask[np.uintp(at)] if inside else zero
                    corners, shares, _ = _corners(
                        x if inside else zero, y if inside else zero, one, height, breadth, first, stride
                    )
                    upper, lower, own = shares[2] * weight, shares[3] * weight, 4 * point
                    starts[np.uintp(own)], starts[np.uintp(own + 1)] = corners[0], corners[1]
                    starts[np.uintp(own + 2)], starts[np.uintp(own + 3)] = corners[2], corners[3]
                    weights[np.uintp(own)], weights[np.uintp(own + 1)] = shares[0] * upper, shares[1] * upper
                    weights[np.uintp(own + 2)], weights[np.uintp(own + 3)] = (
                        shares[0] * lower,
                        shares[1] * lower,
                    )
                gather(out, cell * width, value, starts, weights, points)

    return forward


@cache
def backward_loop(width: int) -> Callable[..., Any]:
    """Makes the loop of the backward pass for groups of `width` channels; it adds to `grad_value`."""
    scatter = make_scatter(width)

    @_compiled
    def backward(
        grad, value, offset, mask, grad_value, grad_offset, grad_mask, places, steps, sizes, begin, end
    ):
        height, breadth, rows, columns, groups = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        stride, points = groups * width, len(places)
        # In the arrays' own type: a float32 and a whole number would make a float64.
        number = places.dtype.type
        zero, one = number(0), number(1)
        # Not read again for each point, as they would be: a write to another array might change them.
        across, down, scale = steps[0], steps[1], steps[2]
        for job in range(begin, end):
            film, group = job // groups, job % groups
            first = film * height * breadth * stride + group * width
            for window in range(rows * columns):
                cell = (film * rows * columns + window) * groups + group
                left, top = number(window % columns) * across, number(window // columns) * down
                for point in range(points):
                    at = cell * points + point
                    x, y = _place(point, at, left, top, offset, places, scale)
                    by_mask, by_x, by_y = zero, zero, zero
                    if _inside(x, y, height, breadth):
                        corners, shares, there = _corners(x, y, one, height, breadth, first, stride)
                        weight = mask[np.uintp(at)]
                        upper, lower = shares[2] * weight, shares[3] * weight
                        weights = (shares[0] * upper, shares[1] * upper, shares[0] * lower, shares[1] * lower)
                        products = scatter(value, grad_value, grad, cell * width, corners, weights)
                        by_mask, by_x, by_y = _slopes(products, shares, there)
                        by_x, by_y = weight * scale * by_x, weight * scale * by_y
                    grad_mask[np.uintp(at)] = by_mask
                    grad_offset[np.uintp(2 * at)], grad_offset[np.uintp(2 * at + 1)] = by_x, by_y

    return backward
