"""BLAS has one thread inside workers, whatever was loaded before them."""

import subprocess
import sys

PROGRAM = """
from threadpoolctl import threadpool_info
from mcbrain.workers import open_workers
with open_workers(2):
    import mcbrain.kernels.raw
    print({library["num_threads"] for library in threadpool_info()})
"""


def test_blas_has_one_thread_inside_workers_that_open_before_the_engines_are_loaded():
    run = [sys.executable, "-W", "error", "-c", PROGRAM]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "{1}\n"
