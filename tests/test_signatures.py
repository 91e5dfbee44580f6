"""Every kernel is compiled for one signature: another would be another minute of compiling.

Flags given as constants (`dual`) are the exception: the compiler makes small kernels for each.
"""

import importlib
import pkgutil

import pytest

import mcbrain.kernels
from mcbrain.engines import warm_up


def dispatchers():
    for info in pkgutil.walk_packages(mcbrain.kernels.__path__, "mcbrain.kernels."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            # What is inlined into its callers is compiled with them and has no code of its own.
            kept = type(getattr(value, "_cache", None)).__name__ == "KernelCache"
            if kept and value.py_func.__module__ == module.__name__:
                yield f"{info.name}.{name}", value


def test_kernels_have_one_signature_each_after_every_engine_has_run():
    import numba

    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled in this run")
    for engine in ("raw", "sufficient", "spectral"):
        warm_up(engine)
    plain = numba.types.unliteral
    counts = {
        name: len({tuple(map(plain, signature)) for signature in kernel.signatures})
        for name, kernel in dispatchers()
    }
    assert len(counts) > 10
    assert {name: n for name, n in counts.items() if n > 1} == {}
