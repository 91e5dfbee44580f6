"""The number of threads for linear algebra: one, wherever blocks are computed side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

__all__ = ["one_blas_thread", "one_blas_thread_for_good"]

_lock = Lock()
_users = 0
_before: list[tuple[Any, int]] = []  # threadpoolctl has no types


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread until the last of the callers that asked for it has finished.

    The limit belongs to the whole process. If each caller restored what it found, the caller that
    began first might finish first, and the last one would restore the limit instead of the user's
    setting. The limit applies to libraries that are loaded when it is set; therefore SciPy's BLAS,
    which the kernels call, is loaded here first. Otherwise it would be loaded inside each worker
    later, with one thread for each core. OpenMP's limit belongs to each thread of its own and is
    left alone.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def one_blas_thread_for_good() -> None:
    """Limit BLAS to one thread in a process that serves nothing else."""
    _enter()


def _enter() -> None:
    """Count one more user of the limit; the first user sets it."""
    global _users
    import scipy.linalg.cython_blas  # noqa: F401
    from threadpoolctl import ThreadpoolController

    with _lock:
        if not _users:
            for library in ThreadpoolController().select(user_api="blas").lib_controllers:
                if (threads := library.get_num_threads()) is not None:
                    _before.append((library, threads))
                    _set(library, 1)
        _users += 1


def _leave() -> None:
    """Count one user less; the last one restores what the first found."""
    global _users
    with _lock:
        _users -= 1
        if not _users:
            for library, threads in _before:
                _set(library, threads)
            _before.clear()


def _set(library: Any, threads: int) -> None:
    """Set the number of threads of a library, whichever thread calls this.

    threadpoolctl silently ignores every thread but the first that ever set a limit, so that the
    last caller could not restore what the first had found; its private method does not.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)
