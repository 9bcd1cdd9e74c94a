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


def _pairs(builder: Any, starts: Any, weights: Any) -> Any:
    return zip(cgutils.unpack_tuple(builder, starts), cgutils.unpack_tuple(builder, weights), strict=True)


def make_steps(width: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Makes the two steps for groups of `width` channels.

    Returns:
        `gather(out, o, value, starts, weights)` adds four weighted rows of `value` to that of `out` at `o`;
        `scatter(value, grad_value, grad, o, starts, weights)` adds the weighted row of `grad` to four rows of
        `grad_value` and returns the products of that row with the four rows of `value`.
    """

    @intrinsic
    def gather(typing: Any, out: Any, o: Any, value: Any, starts: Any, weights: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            target = _Row(context, builder, out, arguments[0], arguments[1], width)
            terms = []
            for start, weight in _pairs(builder, arguments[3], arguments[4]):
                row = _Row(context, builder, value, arguments[2], start, width).load()
                terms.append(builder.fmul(row, _repeated(builder, weight, target.type), flags=_FAST))
            first = builder.fadd(terms[0], terms[1], flags=_FAST)
            second = builder.fadd(terms[2], terms[3], flags=_FAST)
            both = builder.fadd(first, second, flags=_FAST)
            target.store(builder.fadd(target.load(), both, flags=_FAST))
            return context.get_dummy_value()

        return types.void(out, o, value, starts, weights), code

    @intrinsic
    def scatter(
        typing: Any, value: Any, grad_value: Any, grad: Any, o: Any, starts: Any, weights: Any
    ) -> Any:
        result = types.UniTuple(value.dtype, 4)

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

    return gather, scatter
