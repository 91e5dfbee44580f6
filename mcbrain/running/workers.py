"""Where blocks run: threads of this machine, or the workers of a dask.distributed cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from mcbrain.blas import one_blas_thread
from mcbrain.checks import integer

__all__ = ["available_cores", "open_workers"]


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def open_workers(
    threads: int | None = None,
    cluster: Any = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[tuple[Executor, int]]:
    """An executor and its number of slots; BLAS has one thread inside, restored afterwards.

    Parameters
    ----------
    threads : int, optional
        Threads on this machine; default all cores.
    cluster : str or dask.distributed.Client, optional
        Address of a scheduler, or the user's own client, in place of threads.
    note : callable, optional
        Told what the user should know of the workers, a sentence each.

    Raises
    ------
    InputError
        Threads out of range; see `open_cluster` for clusters.
    """
    if threads is not None:
        threads = integer("threads", threads, 1, 4096)
    # Here too when blocks run elsewhere: penalties and rows must have the same bits.
    with one_blas_thread():
        if cluster is not None:
            from mcbrain.running.cluster import open_cluster

            with open_cluster(cluster, note) as found:
                yield found
            return
        slots = threads or available_cores()
        pool = ThreadPoolExecutor(slots, thread_name_prefix="mcbrain")
        try:
            yield pool, slots
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
