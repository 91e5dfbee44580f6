"""How many threads linear algebra takes: one, wherever blocks run side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

__all__ = ["one_blas_thread", "one_blas_thread_for_good"]

_lock = Lock()
_users = 0
_before: list[tuple[Any, int]] = []


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread until the last of those who asked for it at once has ended.

    The limit is the whole process's: were each to restore what it found, the first to come might
    end first, and the last would restore the limit. It holds for the libraries that are there when
    it is set: kernels call SciPy's, which would otherwise be loaded later, with a thread for each
    core inside each worker. OpenMP's limit is each thread's own and is left alone.
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
    global _users
    with _lock:
        _users -= 1
        if not _users:
            for library, threads in _before:
                _set(library, threads)
            _before.clear()


def _set(library: Any, threads: int) -> None:
    """Set a library's threads from whichever thread this is.

    threadpoolctl ignores all threads but the one that was first to set a limit, in silence: the
    last to leave could not restore what the first to come had found.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(threads)
