"""The one place of Numba options: how kernels are compiled and where machine code is kept."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])
_settings: Any = numba.config
_compile: Any = numba.njit
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": False, "_nrt": False}


def _user_cache_folder() -> Path:
    """Return where this platform keeps what a program can rebuild."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _source_hash() -> str:
    """Hash every kernel source and the versions that decide the machine code.

    Numba notices a change in a kernel's own file but not in a helper it calls from another
    file, so one folder for each state of all sources is what keeps stale code away.
    """
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def cache_folder() -> Path | None:
    """Return the folder of this version's machine code, made if need be.

    Returns
    -------
    pathlib.Path or None
        ``MCBRAIN_CACHE_DIR`` (default: the user's cache folder) / ``mcbrain`` / hash of the
        sources; None where it cannot be made, and then every process compiles for itself.
    """
    chosen = os.environ.get("MCBRAIN_CACHE_DIR")
    root = Path(chosen) if chosen else _user_cache_folder() / "mcbrain"
    folder = root.absolute() / _source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


CACHE_FOLDER = cache_folder()


def kernel(function: _Function) -> _Function:
    """Compile a kernel on its first call, and keep the machine code for later processes.

    It releases the GIL, divides as NumPy does (no exceptions), keeps IEEE arithmetic (no
    fastmath) and has no parallel loops: Python threads run kernels over blocks. With
    ``NUMBA_DISABLE_JIT=1`` it stays Python, with the silent floating-point and wrapping unsigned
    arithmetic of compiled code.
    """
    if _settings.DISABLE_JIT:
        return np.errstate(all="ignore")(function)
    before = _settings.CACHE_DIR
    _settings.CACHE_DIR = str(CACHE_FOLDER or "")
    try:
        compiled: _Function = _compile(cache=CACHE_FOLDER is not None, **_OPTIONS)(function)
    finally:
        _settings.CACHE_DIR = before
    return compiled


def helper(function: _Function) -> _Function:
    """Compile a small function as a part of the kernels that call it, never on its own."""
    if _settings.DISABLE_JIT:
        return function
    compiled: _Function = _compile(forceinline=True, **_OPTIONS)(function)
    return compiled


def sum_helper(function: _Function) -> _Function:
    """As `helper`, and free to reorder sums, so that they vectorise.

    The order is fixed when compiling: as with BLAS, the last bits may differ between types of
    processor and never between runs, threads or blocks.
    """
    if _settings.DISABLE_JIT:
        return function
    compiled: _Function = _compile(
        forceinline=True, **(_OPTIONS | {"fastmath": {"reassoc", "contract", "nsz"}})
    )(function)
    return compiled


def part(function: _Function) -> _Function:
    """As `helper`, merged into its callers before they are compiled."""
    if _settings.DISABLE_JIT:
        return np.errstate(all="ignore")(function)
    compiled: _Function = _compile(inline="always", **_OPTIONS)(function)
    return compiled
