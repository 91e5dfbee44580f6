"""Eight floats as one value, so that eight systems cost little more than one.

In compiled kernels `get` gives a vector register with the usual arithmetic, lane by lane and
with floats; in plain Python a NumPy array of eight. The compiler would not find these vectors by
itself, since it has to assume that the arrays of a kernel overlap.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.base import BaseContext
from numba.core.datamodel.manager import DataModelManager
from numba.core.typing import templates
from numba.core.typing.context import BaseContext as TypingContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from mcbrain.kernels.jit import INTERPRETED
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_ARITHMETIC = {
    operator.add: "fadd",
    operator.sub: "fsub",
    operator.mul: "fmul",
    operator.truediv: "fdiv",
}


class EightType(types.Type):
    """The compiler's type of eight floats."""

    def __init__(self) -> None:
        super().__init__(name="Eight")


eight = EightType()

Values = Sequence[ir.Value]
Generate = Callable[[BaseContext, ir.IRBuilder, Signature, Values], ir.Value]
"""Writes the instructions of a call, and returns its value."""

Intrinsic = tuple[Signature, Generate]
"""The types of a call, and what writes it."""


def _model(manager: DataModelManager, numba_type: EightType) -> models.PrimitiveModel:
    """Hold the type in one vector register."""
    return models.PrimitiveModel(manager, numba_type, _VECTOR)


def _spread(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a vector with a float in every lane."""
    index = ir.IntType(32)
    vector = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, index(0))
    mask = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
    return builder.shuffle_vector(vector, vector, mask)


def _define(symbol: Callable[..., object], instruction: str) -> None:
    """Give eights an operator, between themselves and with numbers on either side."""

    def generic(
        self: templates.AbstractTemplate,
        arguments: Sequence[types.Type],
        keywords: dict[str, types.Type],
    ) -> Signature | None:
        numbers = (types.Float, types.Integer)
        if eight in arguments and all(a is eight or isinstance(a, numbers) for a in arguments):
            kinds = [a if a is eight else types.float64 for a in arguments]
            found: Signature = templates.signature(eight, *kinds)
            return found
        return None

    def lower(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Values,
    ) -> ir.Value:
        vectors = [
            value if numba_type is eight else _spread(builder, value)
            for numba_type, value in zip(signature.args, arguments, strict=True)
        ]
        # A product and a sum may become one instruction where the processor has it.
        return getattr(builder, instruction)(*vectors, flags=("contract",))

    template = type(f"Eight_{instruction}", (templates.AbstractTemplate,), {"generic": generic})
    templates.infer_global(symbol)(template)
    for kinds in ((eight, eight), (eight, types.float64), (types.float64, eight)):
        lower_builtin(symbol, *kinds)(lower)


def _pointer(
    context: BaseContext,
    builder: ir.IRBuilder,
    array_type: types.Array,
    array: ir.Value,
    start: ir.Value,
) -> ir.Value:
    """Return the address of eight entries as that of a vector."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), _VECTOR.as_pointer())


def _get(typing_context: TypingContext, x: types.Array, start: types.Integer) -> Intrinsic:
    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Values,
    ) -> ir.Value:
        loaded = builder.load(_pointer(context, builder, signature.args[0], *arguments))
        loaded.align = 8
        return loaded

    return eight(x, types.int64), generate


def _put(
    typing_context: TypingContext, x: types.Array, start: types.Integer, value: EightType
) -> Intrinsic:
    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Values,
    ) -> ir.Value:
        place = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place).align = 8
        return context.get_dummy_value()

    return types.none(x, types.int64, eight), generate


def _least(typing_context: TypingContext, a: EightType, b: EightType) -> Intrinsic:
    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Values,
    ) -> ir.Value:
        # Written so that a NaN in `a` stays.
        keep = builder.fcmp_unordered("<", *arguments)
        return builder.select(keep, *arguments)

    return eight(eight, eight), generate


def _positive(typing_context: TypingContext, a: EightType) -> Intrinsic:
    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Values,
    ) -> ir.Value:
        zero, one = ir.Constant(_VECTOR, [0.0] * LANES), ir.Constant(_VECTOR, [1.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", arguments[0], zero), one, zero)

    return eight(eight), generate


def _total(typing_context: TypingContext, a: EightType) -> Intrinsic:
    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Values,
    ) -> ir.Value:
        index = ir.IntType(32)
        parts = [builder.extract_element(arguments[0], index(j)) for j in range(LANES)]
        while len(parts) > 1:
            parts = [builder.fadd(x, y) for x, y in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    return types.float64(eight), generate


def _interpreted_get(x: Floats, start: int) -> Floats:
    return x[start : start + LANES].copy()


def _interpreted_put(x: Floats, start: int, value: Floats) -> None:
    x[start : start + LANES] = value


def _interpreted_positive(a: Floats) -> Floats:
    return (a > 0.0).astype(np.float64)


def _interpreted_total(a: Floats) -> float:
    return float(np.sum(a))


_compiled: Any = intrinsic  # a kernel calls it with values of the types that it is written for
get: Callable[[Floats, int], Floats]
"""Return the eight entries of a flat array from a start on."""
put: Callable[[Floats, int, Floats], None]
"""Write eight entries of a flat array from a start on."""
least: Callable[[Floats, Floats], Floats]
"""Return the smaller of two, lane by lane."""
positive: Callable[[Floats], Floats]
"""Return 1 in the lanes above 0 and 0 in the others."""
total: Callable[[Floats], float]
"""Return the sum of the lanes."""

if INTERPRETED:
    get, put, least = _interpreted_get, _interpreted_put, np.minimum
    positive, total = _interpreted_positive, _interpreted_total
else:
    register_model(EightType)(_model)
    for _symbol, _instruction in _ARITHMETIC.items():
        _define(_symbol, _instruction)
    get, put, least = _compiled(_get), _compiled(_put), _compiled(_least)
    positive, total = _compiled(_positive), _compiled(_total)


def padded(n: int) -> int:
    """Return n rounded up to whole eights.

    Parameters
    ----------
    n : int
        A count, not negative.

    Returns
    -------
    int
        The next multiple of LANES.
    """
    return -(-n // LANES) * LANES
