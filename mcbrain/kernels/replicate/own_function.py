"""A user's function as the machine code that `own.own_replicates` takes, whichever it is."""

import traceback
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from numba import njit, typeof, types
from numba.core.errors import NumbaError, NumbaExperimentalFeatureWarning

from mcbrain.kernels.cache import KernelCache
from mcbrain.kernels.jit import INTERPRETED
from mcbrain.kernels.replicate.own import OwnData, own_replicates
from mcbrain.typing import Floats

Function = Callable[[OwnData, Floats, Floats], None]
"""Of data, the values of the parameters, and the coefficients, which it writes."""

_NUMBERS = types.float64[::1]
_LOCK = Lock()  # of the compiler, which many threads may ask at once
# A user's function may allocate; nothing that it reads is behind its back.
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False}


# Any: a user's own function, and a type of Numba's.
def named_parameters(names: Sequence[str]) -> Any:
    """The type of `parameters`: its fields have the names that the user gave them.

    Parameters
    ----------
    names : sequence of str
        In their order.

    Returns
    -------
    type
        A NamedTuple.
    """
    return namedtuple("parameters", names)


def shim(function: Callable[..., Any], names: Sequence[str]) -> Function:
    """The function of an array of values that names them and calls a user's function.

    NamedTuples of other fields are other types, for which the kernel would be compiled again.

    Parameters
    ----------
    function : callable
        Of data, parameters and coefficients.
    names : sequence of str
        Of the parameters.

    Returns
    -------
    callable
    """
    values = "".join(f"values[{i}], " for i in range(len(names)))
    space: dict[str, Any] = {
        "__name__": __name__,  # by which machine code that is loaded finds its module
        "own": function,
        "Parameters": named_parameters(names),
    }
    lines = [
        "def shim(data, values, beta):",
        f"    own(data, Parameters({values}), beta)",
    ]
    exec("\n".join(lines), space)
    made: Function = space["shim"]
    return made


def compile_function(
    function: Callable[..., Any],
    names: Sequence[str],
    data: OwnData,
    name: str = "",
    bounds: bool = False,
) -> Function:
    """Compile a user's function for `own_replicates`, or load its machine code.

    Parameters
    ----------
    function : callable
        Of data, parameters and coefficients, in what Numba compiles.
    names : sequence of str
        Of the parameters.
    data : OwnData
        Any, for its type.
    name : str
        What its machine code is kept by: it stands for the text of the function and of all that it
        calls. Empty: it is not kept.
    bounds : bool
        Whether reading or writing beside an array is an error.

    Returns
    -------
    callable
        What `run_own` takes.

    Raises
    ------
    numba.core.errors.NumbaError
        The function cannot be compiled; the message has the line.
    """
    if INTERPRETED:
        return shim(function, names)
    options: dict[str, Any] = {**_OPTIONS, "boundscheck": bounds}
    compile_one: Any = njit
    with _LOCK, _experimental():
        own = getattr(function, "py_func", function)
        compiled: Any = compile_one(**options)(shim(compile_one(**options)(own), names))
        if name and not bounds:
            compiled._cache = KernelCache(f"own-{name}")
        signature = types.void(typeof(data), _NUMBERS, _NUMBERS)
        compiled.compile(signature)
        compiled.disable_compile()
        return compiled  # type: ignore[no-any-return]


# Any: the arguments of `own.own_replicates`, after the function.
def run_own(function: Function, *arguments: Any) -> None:
    """Call `own.own_replicates`, which is compiled once for all functions.

    Parameters
    ----------
    function : callable
        Of `compile_function`.
    *arguments
        As `own_replicates` has them.
    """
    kernel: Any = own_replicates
    if not INTERPRETED and not kernel.signatures:
        with _LOCK, _experimental():
            if not kernel.signatures:
                data = arguments[5].data
                own = types.FunctionType(types.void(typeof(data), _NUMBERS, _NUMBERS))
                kernel.compile(types.void(own, *map(typeof, arguments)))
                kernel.disable_compile()
    kernel(function, *arguments)


def line_of(error: BaseException, file: str) -> int:
    """The line of a user's file in which an error was raised.

    Parameters
    ----------
    error : Exception
        As it came from Python, from compiled code or from the compiler.
    file : str
        The file, as its code object names it.

    Returns
    -------
    int
        The innermost line; 0 where the error does not say.
    """
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    if lines and lines[-1]:
        return lines[-1]
    if isinstance(error, NumbaError):
        loc = getattr(error, "loc", None)
        if loc is not None and loc.filename == file:
            return int(loc.line)
        for line in str(error).splitlines():
            if line.startswith('File "') and file in line:
                number = line.rpartition("line ")[2].rstrip(":")
                return int(number) if number.isdigit() else 0
    return 0


@contextmanager
def _experimental() -> Iterator[None]:
    """Do without Numba's warning that functions as arguments are new."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NumbaExperimentalFeatureWarning)
        yield
