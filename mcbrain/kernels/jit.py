"""The one place of Numba options: how kernels are compiled."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from mcbrain.kernels.cache import KernelCache

_Function = TypeVar("_Function", bound=Callable[..., object])

INTERPRETED: bool = vars(numba.config)["DISABLE_JIT"]
"""Whether kernels stay plain Python (``NUMBA_DISABLE_JIT=1``)."""

_compile: Any = numba.njit  # takes options that its types leave out
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": False,
    "_nrt": False,
    "no_cfunc_wrapper": True,  # nothing calls a kernel as a C function
}
_INNER = _OPTIONS | {"forceinline": True, "no_cpython_wrapper": True}


def kernel(function: _Function) -> _Function:
    """Compile a kernel on its first call, and keep the machine code of this package's own.

    It releases the GIL, divides as NumPy does (no exceptions), keeps IEEE arithmetic (no
    fastmath) and has no parallel loops: Python threads run kernels over blocks. With
    ``NUMBA_DISABLE_JIT=1`` it stays Python, with the silent floating-point and wrapping unsigned
    arithmetic of compiled code.

    Parameters
    ----------
    function : callable
        What is compiled; of arrays, scalars and NamedTuples of these.

    Returns
    -------
    callable
        The same function, compiled when it is first called.
    """
    if INTERPRETED:
        return np.errstate(all="ignore")(function)
    compiled = _compile(**_OPTIONS)(function)
    if function.__module__.startswith(f"{__package__}."):  # what the cache's name stands for
        compiled._cache = KernelCache(f"{function.__module__}.{function.__qualname__}")
    return cast(_Function, compiled)


def helper(function: _Function) -> _Function:
    """Compile a small function as a part of the kernels that call it; Python cannot call it.

    Parameters
    ----------
    function : callable
        What is compiled.

    Returns
    -------
    callable
        What other kernels may call.
    """
    if INTERPRETED:
        return function
    compiled: _Function = _compile(**_INNER)(function)
    return compiled


def sum_helper(function: _Function) -> _Function:
    """As `helper`, and free to reorder sums, so that they vectorise.

    The order is fixed when compiling: as with BLAS, the last bits may differ between types of
    processor and never between runs, threads or blocks.

    Parameters
    ----------
    function : callable
        What is compiled.

    Returns
    -------
    callable
        What other kernels may call.
    """
    if INTERPRETED:
        return function
    compiled: _Function = _compile(**(_INNER | {"fastmath": {"reassoc", "contract", "nsz"}}))(
        function
    )
    return compiled


def part(function: _Function) -> _Function:
    """As `helper`, merged into its callers before they are compiled.

    Parameters
    ----------
    function : callable
        What is merged; it may be given as an argument to another part.

    Returns
    -------
    callable
        What other kernels may call, and Python too.
    """
    if INTERPRETED:
        return np.errstate(all="ignore")(function)
    compiled: _Function = _compile(inline="always", **_OPTIONS)(function)
    return compiled
