"""BLAS has one thread inside workers, whatever was loaded before them."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from threadpoolctl import threadpool_info, threadpool_limits

from mcbrain.blas import one_blas_thread

PROGRAM = """
from threadpoolctl import threadpool_info
from mcbrain.running.workers import open_workers
with open_workers(2):
    import mcbrain.kernels.replicate.raw
    print({lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"})
"""


def test_blas_has_one_thread_inside_workers_that_open_before_the_engines_are_loaded():
    run = [sys.executable, "-W", "error", "-c", PROGRAM]
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(run, env=free, capture_output=True, text=True, check=True)
    assert done.stdout == "{1}\n"


def test_blas_has_its_threads_again_after_the_last_of_several_users():
    """Were each to restore what it found, the one that ends last would restore the limit."""
    with threadpool_limits(2):
        before = _threads()
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert _threads() == {1}
        second.__exit__(None, None, None)
        assert _threads() == before


def test_blas_has_its_threads_again_after_concurrent_users():
    with threadpool_limits(2):
        before, barrier = _threads(), Barrier(8)

        def use(_):
            for _ in range(20):
                barrier.wait()
                with one_blas_thread():
                    assert _threads() == {1}

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(use, range(8)))
        assert _threads() == before


def _threads():
    import scipy.linalg.cython_blas  # noqa: F401

    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
