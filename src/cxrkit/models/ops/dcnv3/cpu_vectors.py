"""Steps over the channels of one group, as vector instructions of the CPU.

Written as loops they would not become vector instructions: the compiler must assume that the arrays overlap.
Each step reads what it needs before it writes, so that they may.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# Sums may be taken in any order, and a product and a sum in one instruction.
_FAST = ("reassoc", "contract", "nsz")
CORNERS = 4  # pixels around a place


class _Row:
    """Some neighbouring elements of a flat array, while code is being made."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any, start: Any, width: int) -> None:
        self.builder = builder
        element = context.get_value_type(kind.dtype)
        self.type = ir.VectorType(element, width)
        self.align = element.get_abi_size(context.target_data)
        data = cgutils.create_struct_proxy(kind)(context, builder, array).data
        self.pointer = builder.bitcast(builder.gep(data, [start]), self.type.as_pointer())

    def load(self) -> Any:
        return self.builder.load(self.pointer, align=self.align, typ=self.type)

    def store(self, vector: Any) -> None:
        self.builder.store(vector, self.pointer, align=self.align)


def _repeated(builder: Any, number: Any, vector: Any) -> Any:
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        one,
        ir.Constant(vector, ir.Undefined),
        ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count),
    )


def _element(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    data = cgutils.create_struct_proxy(kind)(context, builder, array).data
    return builder.load(builder.gep(data, [place]), typ=context.get_value_type(kind.dtype))


def _pairs(builder: Any, starts: Any, weights: Any) -> Any:
    return zip(cgutils.unpack_tuple(builder, starts), cgutils.unpack_tuple(builder, weights), strict=True)


def make_gather(width: int) -> Callable[..., Any]:
    """Makes the step of the forward pass for groups of `width` channels.

    Returns:
        `gather(out, o, value, starts, weights, count)` writes the sum of weighted rows of `value`, four for
        each of `count` points, to the row of `out` at `o`.
    """

    @intrinsic
    def gather(typing: Any, out: Any, o: Any, value: Any, starts: Any, weights: Any, count: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target = _Row(context, builder, out, arguments[0], arguments[1], width)
            # Four sums side by side: one alone would wait for each of its additions.
            sums = [
                cgutils.alloca_once_value(builder, ir.Constant(target.type, None)) for _ in range(CORNERS)
            ]
            with cgutils.for_range(builder, arguments[5]) as loop:
                first = builder.mul(loop.index, ir.Constant(loop.index.type, CORNERS))
                for corner, total in enumerate(sums):
                    place = builder.add(first, ir.Constant(first.type, corner))
                    start = _element(context, builder, starts, arguments[3], place)
                    weight = _element(context, builder, weights, arguments[4], place)
                    row = _Row(context, builder, value, arguments[2], start, width).load()
                    share = builder.fmul(row, _repeated(builder, weight, target.type), flags=_FAST)
                    builder.store(builder.fadd(builder.load(total), share, flags=_FAST), total)
            upper, lower = (
                builder.fadd(builder.load(one), builder.load(other), flags=_FAST)
                for one, other in (sums[:2], sums[2:])
            )
            target.store(builder.fadd(upper, lower, flags=_FAST))
            return context.get_dummy_value()

        return types.void(out, o, value, starts, weights, count), code

    return gather


def make_scatter(width: int) -> Callable[..., Any]:
    """Makes the step of the backward pass for groups of `width` channels.

    Returns:
        `scatter(value, grad_value, grad, o, starts, weights)` adds the weighted row of `grad` at `o` to four
        rows of `grad_value` and returns the products of that row with the four rows of `value`.
    """

    @intrinsic
    def scatter(
        typing: Any, value: Any, grad_value: Any, grad: Any, o: Any, starts: Any, weights: Any
    ) -> Any:
        result = types.UniTuple(value.dtype, CORNERS)

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            own = _Row(context, builder, grad, arguments[2], arguments[3], width)
            gradient = own.load()
            element = own.type.element
            name = f"llvm.vector.reduce.fadd.v{width}f{32 if isinstance(element, ir.FloatType) else 64}"
            kind = ir.FunctionType(element, [element, own.type])
            reduce = cgutils.get_or_insert_function(builder.module, kind, name)
            products = []
            for start, weight in _pairs(builder, arguments[4], arguments[5]):
                row = _Row(context, builder, value, arguments[0], start, width).load()
                product = builder.fmul(row, gradient, flags=_FAST)
                products.append(builder.call(reduce, [ir.Constant(element, 0.0), product], fastmath=_FAST))
                target = _Row(context, builder, grad_value, arguments[1], start, width)
                share = builder.fmul(gradient, _repeated(builder, weight, own.type), flags=_FAST)
                target.store(builder.fadd(target.load(), share, flags=_FAST))
            return context.make_tuple(builder, result, products)

        return result(value, grad_value, grad, o, starts, weights), code

    return scatter
