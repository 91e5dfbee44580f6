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
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils as _cgutils
from numba.extending import intrinsic
from scipy.linalg import cython_blas, cython_lapack

_settings: Any = numba.config
cgutils: Any = _cgutils
plain_type: Any = types.unliteral
pack: Any = types.StarArgTuple.from_types
_C_TYPES = {"c": ctypes.c_char, "i": ctypes.c_int32, "d": ctypes.c_double}


def _address(library: Any, name: str) -> int:
    """Return the address of a routine that SciPy exports to Cython."""
    capsule = library.__pyx_capi__[name]
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype = ctypes.c_void_p
    get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return int(get_pointer(capsule, get_name(capsule)))


def _plain(kind: str, argument: Any) -> Any:
    """Return an argument as ctypes takes it."""
    return argument.encode() if kind == "c" else int(argument) if kind == "i" else argument


def _interpreted(address: int, kinds: str, has_info: bool) -> Callable[..., int]:
    """Return a routine for kernels that run as plain Python."""
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (len(kinds) + has_info))(address)

    def call(*arguments: Any) -> int:
        cells: list[Any] = [
            argument if kind == "p" else _C_TYPES[kind](_plain(kind, argument))
            for kind, argument in zip(kinds, arguments, strict=True)
        ]
        info = ctypes.c_int32(0)
        pointers = [
            cell.ctypes.data if kind == "p" else ctypes.addressof(cell)
            for kind, cell in zip(kinds, cells, strict=True)
        ]
        function(*pointers, *([ctypes.addressof(info)] if has_info else []))
        return info.value

    return call


def _compiled(symbol: str, kinds: str, has_info: bool) -> Callable[..., int]:
    """Return a routine for compiled kernels: a call of `symbol`, found by name when linked.

    The machine code holds the name and no address, so that it can be kept on disk.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        packed, tuple_type = arguments[0], signature.args[0]
        pointers = []
        for place, kind in enumerate(kinds):
            value, numba_type = builder.extract_value(packed, place), tuple_type[place]
            if kind == "p":
                pointers.append(context.make_array(numba_type)(context, builder, value).data)
                continue
            if kind == "c":
                value = ir.Constant(ir.IntType(8), ord(numba_type.literal_value))
            elif kind == "i":
                value = context.cast(builder, value, numba_type, types.int32)
            else:
                value = context.cast(builder, value, numba_type, types.float64)
            pointers.append(cgutils.alloca_once_value(builder, value))
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

    def typed(typing_context: Any, *arguments: Any) -> Any:
        if len(arguments) != len(kinds):
            raise TypeError(f"{symbol} takes {len(kinds)} arguments, not {len(arguments)}")
        plain = [
            argument if kind == "c" else plain_type(argument)
            for kind, argument in zip(kinds, arguments, strict=True)
        ]
        return types.int64(pack(plain)), generate

    routine: Callable[..., int] = intrinsic(prefer_literal=True)(typed)
    return routine


def _routine(library: Any, name: str, kinds: str) -> Callable[..., int]:
    """Return a routine callable in kernels; a last kind ``o`` is LAPACK's info, returned."""
    kinds = kinds.replace(" ", "")
    has_info = kinds.endswith("o")
    kinds = kinds.removesuffix("o")
    address = _address(library, name)
    if _settings.DISABLE_JIT:
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
