"""How many threads linear algebra takes: one, wherever blocks run side by side."""

from __future__ import annotations

from typing import Any

__all__ = ["one_blas_thread"]


def one_blas_thread() -> Any:
    """Limit BLAS to one thread, for good or, as a context manager, until it ends.

    The limit holds for the libraries that are there when it is set: kernels call SciPy's, which
    would otherwise be loaded later, with a thread for each core inside each worker.
    """
    import scipy.linalg.cython_blas  # noqa: F401
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1)
