"""Workers whose numbers would be those of this machine: the same libraries, sources, settings."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from mcbrain.blas import one_blas_thread_for_good
from mcbrain.errors import InputError
from mcbrain.store.identity import code_identity

__all__ = ["alike", "libraries", "processor"]

T = TypeVar("T")

_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite")


def alike(
    wanted: Mapping[str, str],
    fn: Callable[..., T],
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
) -> T:
    """On a worker: call a function where it gives the numbers that the caller's machine would.

    BLAS has one thread from then on: a worker's process serves nothing else.

    Parameters
    ----------
    wanted : mapping
        What the caller's machine has; see `libraries`.
    fn : callable
        What to run.
    args : tuple
        Arguments of `fn`.
    kwargs : mapping
        Its keyword arguments.

    Returns
    -------
    object
        The value of `fn`.

    Raises
    ------
    InputError
        This worker has other libraries, sources or compiler settings.
    """
    for name, there in wanted.items():
        found = libraries()[name]
        if found != there:
            raise InputError(
                f"--cluster: a worker on {platform.node()} has {name} {found}, this machine has "
                f"{there}; numbers would differ, so all workers need the same"
            )
    _one_blas_thread()
    return fn(*args, **kwargs)


@lru_cache(maxsize=1)
def libraries() -> dict[str, str]:
    """What decides the bits of a block: versions, and a hash of mcbrain's own sources.

    Returns
    -------
    dict of str to str
        By the name of a library, or of what else decides them.
    """
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    # The code's identity counts too: of a package in an archive there are no files to hash.
    own = {"mcbrain": digest.hexdigest()[:12], "code": code_identity().digest}
    own["compiler settings (NUMBA_...)"] = _settings()
    return own | {name: version(name) for name in _LIBRARIES}


def processor() -> str:
    """Type of this machine's processor.

    Returns
    -------
    str
        As the compiler names it.
    """
    from llvmlite.binding import get_host_cpu_name

    return str(get_host_cpu_name())


def _settings() -> str:
    """A hash of what the compiler is told, which decides last bits too."""
    from mcbrain.kernels.cache_folder import deciding_settings

    return hashlib.sha256(repr(sorted(deciding_settings().items())).encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _one_blas_thread() -> None:
    """Hold BLAS to one thread for good, since a second one would change last bits."""
    one_blas_thread_for_good()
