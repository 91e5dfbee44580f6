"""How many threads linear algebra takes: one, wherever blocks run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

__all__ = ["one_blas_thread", "one_blas_thread_for_good"]

_lock = Lock()
_users = 0
_limiter: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread until the last of those who asked for it at once has ended.

    The limit is the whole process's: were each to restore what it found, the first to come might
    end first, and the last would restore the limit. It holds for the libraries that are there when
    it is set: kernels call SciPy's, which would otherwise be loaded later, with a thread for each
    core inside each worker.
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
    global _users, _limiter
    import scipy.linalg.cython_blas  # noqa: F401
    from threadpoolctl import threadpool_limits

    with _lock:
        if not _users:
            _limiter = threadpool_limits(limits=1)
        _users += 1


def _leave() -> None:
    global _users
    with _lock:
        _users -= 1
        if not _users:
            _limiter.restore_original_limits()
