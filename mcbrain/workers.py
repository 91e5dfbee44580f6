"""Where blocks run: threads of this machine, or the workers of a dask.distributed cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from mcbrain.errors import InputError

__all__ = ["available_cores", "open_workers"]


def available_cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def open_workers(threads: int | None = None, cluster: Any = None) -> Iterator[tuple[Executor, int]]:
    """An executor and its number of slots; BLAS has one thread inside, restored afterwards.

    Parameters
    ----------
    threads : int, optional
        Threads on this machine; default all cores.
    cluster : str or dask.distributed.Client, optional
        Address of a scheduler, or the user's own client, in place of threads.

    Raises
    ------
    InputError
        Threads out of range; the `cluster` extra is not installed; no scheduler answers.
    """
    if threads is not None and not 1 <= threads <= 4096:
        raise InputError(f"threads = {threads}: allowed is 1 to 4096")
    if cluster is not None:
        with _cluster(cluster) as found:
            yield found
        return
    from threadpoolctl import threadpool_limits

    slots = threads or available_cores()
    with threadpool_limits(limits=1):
        pool = ThreadPoolExecutor(slots, thread_name_prefix="mcbrain")
        try:
            yield pool, slots
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _cluster(cluster: Any) -> Iterator[tuple[Executor, int]]:
    try:
        from distributed import Client
    except ImportError:
        raise InputError(
            "running on a cluster needs the extra 'cluster': pip install 'mcbrain[cluster]'"
        ) from None
    owned = isinstance(cluster, str)
    try:
        connect: Any = Client  # untyped, and absent where the extra is
        client = connect(cluster, timeout="20s") if owned else cluster
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(f"--cluster {cluster}: no scheduler answers there ({error})") from None
    try:
        slots = sum(client.nthreads().values())
        if slots == 0:
            raise InputError(f"--cluster {cluster}: the scheduler has no workers; start some first")
        yield client.get_executor(pure=False, retries=3), slots
    finally:
        if owned:
            client.close()
