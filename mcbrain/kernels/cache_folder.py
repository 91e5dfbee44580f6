"""Where machine code is kept: one folder for each state of all that decides it.

The folder's name is a hash of the kernels' sources, of the libraries and the settings of the
compiler, and of the processor, and says nothing of where these lie: a second environment with the
same sources finds the same code.
"""

import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numba
from llvmlite import binding

from mcbrain.places import cache_root

__all__ = ["cache_folder", "deciding_settings", "distrust", "make_folder", "safe_file"]

_LIBRARIES = ("numba", "llvmlite", "numpy", "scipy")
# Settings of Numba that decide no machine code; every other one, known or new, is in the name.
_IDLE = (
    "ALWAYS_WARN", "ANNOTATE", "CACHE_", "CHROME_", "COLOR_", "CUDA_", "DEVELOPER_", "DISABLE_CUDA",
    "DISABLE_PERFORMANCE", "DUMP_", "FORCE_CUDA", "FULL_", "GDB_", "HIGHLIGHT_", "HTML", "NUMBA_",
    "RUNNING_", "SHOW_", "THREADING_",
)  # fmt: skip
_KEEPERS = ("cache.py", "cache_folder.py")  # keep machine code and decide none
_OWN_ALONE = 0o755
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder() -> Path:
    """Return the folder of this state's machine code, which may not exist.

    Returns
    -------
    pathlib.Path
        ``MCBRAIN_CACHE_DIR`` (default: the user's cache folder) / a hash.

    Raises
    ------
    OSError
        There is no place to keep anything, or the sources cannot be read; says why.
    """
    return cache_root() / _state(repr(sorted(deciding_settings().items())))


def deciding_settings() -> dict[str, str]:
    """Return the settings of the compiler, as it has them now.

    Returns
    -------
    dict
        Their values as text, by name.
    """
    names = [n for n in dir(numba.config) if n.isupper() and not n.startswith(_IDLE)]
    return {name: str(getattr(numba.config, name)) for name in names}


@lru_cache
def _state(settings: str) -> str:
    """Return the hash of all that decides machine code.

    A kernel holds the code of helpers from other files, so that the sources count together.
    """
    digest = hashlib.sha256(settings.encode())
    processor = (
        binding.get_process_triple(),
        binding.get_host_cpu_name(),
        binding.get_host_cpu_features().flatten(),
    )
    python = (sys.implementation.cache_tag, sys.flags.optimize)  # -O leaves assertions out
    libraries = [(name, version(name)) for name in _LIBRARIES]
    digest.update(repr((processor, python, libraries)).encode())
    for name, source in _sources():
        digest.update(name.encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def _sources() -> list[tuple[str, bytes]]:
    """Return name and text of every kernel source, from a folder or a zip file."""
    modules = sorted(_modules(files(__package__), ""))
    if not modules:
        raise OSError("the sources of the kernels cannot be read, so that it would have no name")
    return [(name, source) for name, source in modules if name not in _KEEPERS]


def _modules(folder: Traversable, path: str) -> Iterator[tuple[str, bytes]]:
    """Path and text of the modules in a folder and in the folders within."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _modules(item, f"{path}{item.name}/")
        elif item.name.endswith(".py"):
            yield f"{path}{item.name}", item.read_bytes()


def distrust(folder: Path) -> str:
    """Return why code from a folder must not be run, or nothing.

    Loading machine code runs whatever stands there, so that nobody but the user and root may have
    put it there.

    Parameters
    ----------
    folder : pathlib.Path
        As from `cache_folder`.

    Returns
    -------
    str
        A sentence, or "".
    """
    for place in (folder, folder.parent):
        with suppress(FileNotFoundError, NotADirectoryError):
            found = place.stat()
            # Where the sticky bit is set, as in /tmp, others cannot touch what they do not own.
            shared = bool(found.st_mode & stat.S_ISVTX) and place == folder.parent
            if _foreign(found) and not shared:
                return f"{place} belongs to another user; MCBRAIN_CACHE_DIR names another place"
            if _open_to_others(found) and not shared:
                return f"others may write in {place} (chmod go-w {place} forbids it)"
    return ""


def safe_file(descriptor: int) -> bool:
    """Return whether only the user or root can have written an open file.

    Parameters
    ----------
    descriptor : int
        As from `os.open`.

    Returns
    -------
    bool
        False for what is no regular file, too.
    """
    found = os.fstat(descriptor)
    return stat.S_ISREG(found.st_mode) and not _foreign(found) and not _open_to_others(found)


def _foreign(found: os.stat_result) -> bool:
    """Return whether something belongs neither to the user nor to root."""
    return sys.platform != "win32" and found.st_uid not in (0, os.geteuid())


def _open_to_others(found: os.stat_result) -> bool:
    """Return whether somebody else may write; a group of the user's own is nobody else."""
    if sys.platform == "win32" or not found.st_mode & _OTHERS_WRITE:
        return False
    return bool(found.st_mode & stat.S_IWOTH) or not _private(found.st_gid)


def _private(group: int) -> bool:
    """Return whether a group is the user's own, as many systems make one for each user."""
    if sys.platform == "win32" or group == 0:
        return False
    import grp
    import pwd

    try:
        user, found = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    own = user.pw_gid == group and found.gr_name == user.pw_name
    return own and set(found.gr_mem) <= {user.pw_name}


def make_folder(folder: Path) -> None:
    """Make a folder in which the user alone writes, and where all may read if the umask lets them.

    Parameters
    ----------
    folder : pathlib.Path
        As from `cache_folder`.
    """
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for place in (folder.parent, folder):
        place.mkdir(mode=_OWN_ALONE, exist_ok=True)
