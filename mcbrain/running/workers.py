"""Where blocks run: threads of this machine, or the workers of a dask.distributed cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager

from mcbrain.blas import one_blas_thread
from mcbrain.checks import integer

__all__ = ["available_cores", "open_workers"]


def available_cores() -> int:
    """Cores that this process may use.

    Returns
    -------
    int
        Those to which the system has bound the process, as a batch job's limit does; all of the
        machine's where the system does not say. At least 1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def open_workers(
    threads: int | None = None,
    cluster: object = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[tuple[Executor, int]]:
    """An executor and its number of slots.

    Until it is closed BLAS has one thread in this process, since a second one would change the last
    bits of results; afterwards it has as many as before. On the way out threads finish the task
    that they are at, and tasks that have not begun are cancelled.

    Parameters
    ----------
    threads : int, optional
        Threads on this machine, 1 to 4096; default `available_cores()`. Of no effect on a cluster.
    cluster : str or dask.distributed.Client, optional
        Address of a scheduler, or the user's own client, in place of threads.
    note : callable, optional
        Called with each sentence that the user should know about the workers of a cluster.

    Yields
    ------
    executor : Executor
        Threads of this process, or a `ClusterExecutor`.
    slots : int
        How many tasks it runs at once.

    Raises
    ------
    InputError
        `threads` is not a whole number from 1 to 4096, or the cluster cannot be used: see
        `open_cluster`.
    UnfinishedError
        The cluster was lost while it was in use.
    """
    if threads is not None:
        threads = integer("threads", threads, 1, 4096)
    # Also when a cluster computes the blocks: penalties and rows are computed in this process.
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
