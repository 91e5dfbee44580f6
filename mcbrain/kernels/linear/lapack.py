"""The one bridge from kernels to the BLAS and LAPACK that SciPy ships.

Numba knows few of these routines, so kernels call SciPy's own Fortran symbols. Every routine
below takes its arguments in Fortran's order, and works in place on arrays:

- ``c`` a character such as ``"U"``, always a literal, ``i`` an integer and ``d`` a float, by
  value here (the bridge puts them where Fortran reads them), ``p`` an array, of which only the
  first element's address is used: the leading dimension is an argument of its own;
- a routine whose last argument is LAPACK's ``info`` leaves it out and returns it.

A C-contiguous array is its transpose to Fortran, ``U`` of the one is ``L`` of the other.
Adding a routine is one line: its library, its name and the kinds of its arguments.
"""

import ctypes
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.base import BaseContext
from numba.core.typing.context import BaseContext as TypingContext
from numba.core.typing.templates import Signature
from numba.extending import intrinsic
from numpy.typing import NDArray
from scipy.linalg import cython_blas, cython_lapack

from mcbrain.kernels.jit import INTERPRETED

Argument = str | float | NDArray[np.float64] | NDArray[np.int32]
"""What a routine takes: a character, a number or an array."""


def _address(library: ModuleType, name: str) -> int:
    """Return the address of a routine that SciPy exports to Cython."""
    capsule = library.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(get_pointer(capsule, get_name(capsule)))


def _address_of(kind: str, argument: Argument, kept: list[object]) -> int:
    """Return where Fortran reads an argument, which is kept until the call is over."""
    if isinstance(argument, np.ndarray):
        return argument.ctypes.data
    if isinstance(argument, str):
        cell: ctypes.c_char | ctypes.c_int32 | ctypes.c_double = ctypes.c_char(argument.encode())
    else:
        cell = ctypes.c_int32(int(argument)) if kind == "i" else ctypes.c_double(argument)
    kept.append(cell)
    return ctypes.addressof(cell)


def _interpreted(address: int, kinds: str, has_info: bool) -> Callable[..., int]:
    """Return a routine for kernels that run as plain Python."""
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(kinds) + has_info))(address)

    def call(*arguments: Argument) -> int:
        info, kept = ctypes.c_int32(0), list[object]()
        addresses = [
            _address_of(kind, argument, kept)
            for kind, argument in zip(kinds, arguments, strict=True)
        ]
        function(*addresses, *([ctypes.addressof(info)] if has_info else []))
        return info.value

    return call


def _pointer(
    context: BaseContext, builder: ir.IRBuilder, kind: str, value: ir.Value, numba_type: types.Type
) -> ir.Value:
    """Return where compiled code keeps an argument for Fortran."""
    if kind == "p":
        return context.make_array(numba_type)(context, builder, value).data
    if kind == "c" and isinstance(numba_type, types.StringLiteral):
        value = ir.Constant(ir.IntType(8), ord(numba_type.literal_value))
    elif kind == "i":
        value = context.cast(builder, value, numba_type, types.int32)
    else:
        value = context.cast(builder, value, numba_type, types.float64)
    return cgutils.alloca_once_value(builder, value)


def _compiled(symbol: str, kinds: str, has_info: bool) -> Callable[..., int]:
    """Return a routine for compiled kernels: a call of `symbol`, found by name when linked.

    The machine code holds the name and no address, so that it can be kept on disk.
    """

    def generate(
        context: BaseContext,
        builder: ir.IRBuilder,
        signature: Signature,
        arguments: Sequence[ir.Value],
    ) -> ir.Value:
        pointers = [
            _pointer(context, builder, kind, builder.extract_value(arguments[0], place), numba_type)
            for place, (kind, numba_type) in enumerate(zip(kinds, signature.args[0], strict=True))
        ]
        info = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(32), 0))
        if has_info:
            pointers.append(info)
        byte_pointer = ir.IntType(8).as_pointer()
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte_pointer] * len(pointers)),
            symbol,
        )
        builder.call(function, [builder.bitcast(pointer, byte_pointer) for pointer in pointers])
        return builder.sext(builder.load(info), ir.IntType(64))

    def typed(
        typing_context: TypingContext, *arguments: types.Type
    ) -> tuple[Signature, Callable[..., ir.Value]]:
        if len(arguments) != len(kinds):
            raise TypeError(f"{symbol} takes {len(kinds)} arguments, not {len(arguments)}")
        plain = [
            argument if kind == "c" else types.unliteral(argument)
            for kind, argument in zip(kinds, arguments, strict=True)
        ]
        return types.int64(types.StarArgTuple.from_types(plain)), generate

    routine: Callable[..., int] = intrinsic(prefer_literal=True)(typed)
    return routine


def _routine(library: ModuleType, name: str, kinds: str) -> Callable[..., int]:
    """Return a routine callable in kernels; a last kind ``o`` is LAPACK's info, returned."""
    kinds = kinds.replace(" ", "")
    has_info = kinds.endswith("o")
    kinds = kinds.removesuffix("o")
    address = _address(library, name)
    if INTERPRETED:
        return _interpreted(address, kinds, has_info)
    symbol = f"mcbrain_{name}"
    binding.add_symbol(symbol, address)
    return _compiled(symbol, kinds, has_info)


# BLAS: y = alpha op(A) x + beta y and the like.
dgemv = _routine(cython_blas, "dgemv", "c ii d pi pi d pi")
dgemm = _routine(cython_blas, "dgemm", "cc iii d pi pi d pi")
dsyrk = _routine(cython_blas, "dsyrk", "cc ii d pi d pi")
dtrmm = _routine(cython_blas, "dtrmm", "cccc ii d pi pi")
dtrsm = _routine(cython_blas, "dtrsm", "cccc ii d pi pi")
# Cholesky and QR.
dpotrf = _routine(cython_lapack, "dpotrf", "c i pi o")
dpotrs = _routine(cython_lapack, "dpotrs", "c ii pi pi o")
dgeqrf = _routine(cython_lapack, "dgeqrf", "ii pi p pi o")
dormqr = _routine(cython_lapack, "dormqr", "cc iii pi p pi pi o")
# Singular values and vectors.
dgesdd = _routine(cython_lapack, "dgesdd", "c ii pi p pi pi pi p o")
# Eigenvectors of a tridiagonal matrix.
dstemr = _routine(cython_lapack, "dstemr", "cc i pp dd ii pp pi i p p pi pi o")
