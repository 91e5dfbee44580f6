"""Every kernel is compiled for one signature: another would be another minute of compiling.

Flags given as constants (`dual`) are the exception: the compiler makes small kernels for each.
"""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import mcbrain as mb
import mcbrain.kernels
from mcbrain.engines import warm_up

ROOT = Path(__file__).parents[1]


def dispatchers():
    for info in pkgutil.walk_packages(mcbrain.kernels.__path__, "mcbrain.kernels."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            # What is inlined into its callers is compiled with them and has no code of its own.
            kept = type(getattr(value, "_cache", None)).__name__ == "KernelCache"
            if kept and value.py_func.__module__ == module.__name__:
                yield f"{info.name}.{name}", value


def more_than_one():
    """Kernels of this process with more than one signature, and how many they have."""
    plain = numba.types.unliteral
    counts = {
        name: len({tuple(map(plain, signature)) for signature in kernel.signatures})
        for name, kernel in dispatchers()
    }
    assert len(counts) > 10
    return {name: n for name, n in counts.items() if n > 1}


def run_every_engine():
    """What a user's process runs: each engine, and models whose arrays come from elsewhere."""
    for engine in ("raw", "sufficient", "spectral"):
        warm_up(engine)
    factor = np.random.default_rng(0).standard_normal((8, 8))
    for given in ({}, {"covariance": factor @ factor.T}, {"inputs": "student:5"}):
        model = mb.Model(input_dim=8, latent_dim=2, n_channels=5, misalignment=0.2, **given)
        for engine in ("raw", "sufficient")[: 1 if "inputs" in given else 2]:
            for n_task, n_brain in ((6, 6), (20, 20)):
                asked = {"precision": 0.0, "max_replicates": 2, "engine": engine}
                mb.simulate(model, n_task, n_brain, {"ridge": 0.1, "befs": 0.1}, **asked)


def test_kernels_have_one_signature_each_after_every_engine_has_run():
    """In a process of its own: other tests call kernels with arguments of their own."""
    if numba.config.DISABLE_JIT:
        pytest.skip("nothing is compiled in this run")
    code = "from tests.test_signatures import *; run_every_engine(); print(more_than_one())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("{}\n", 0), done.stderr
