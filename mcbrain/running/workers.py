"""Where blocks run: threads of this machine, or the workers of a dask.distributed cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from mcbrain.blas import one_blas_thread
from mcbrain.checks import integer
from mcbrain.running.cores import available_cores
from mcbrain.running.pool import Pool

__all__ = ["open_workers"]


@contextmanager
def open_workers(
    threads: int | None = None,
    cluster: object = None,
    note: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Pool]:
    """What runs the jobs of a study.

    Until it is closed BLAS has one thread in this process, since a second one would change the last
    bits of results; afterwards it has as many as before. On the way out threads finish the task
    that they are at, and tasks that have not begun are cancelled.

    Parameters
    ----------
    threads : int, optional
        Threads on this machine, 1 to 4096; default `available_cores()`. Of no effect on a cluster.
    cluster : object, optional
        Workers of a cluster in the place of threads; see `open_cluster`.
    note : callable, optional
        Called with each sentence that the user should know about the workers of a cluster.

    Yields
    ------
    Pool
        Of threads of this process, or of the workers of a cluster.

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
        executor = ThreadPoolExecutor(slots, thread_name_prefix="mcbrain")
        try:
            yield Pool(executor, slots)
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
