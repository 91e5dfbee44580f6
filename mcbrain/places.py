"""Where this user's programs keep what they can make again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache_root"]


def cache_root() -> Path:
    """The folder of all that mcbrain can make again, which may not exist.

    Returns
    -------
    Path
        ``MCBRAIN_CACHE_DIR``; by default `mcbrain` in the user's cache folder.

    Raises
    ------
    OSError
        The user has no home folder, and no other place is named.
    """
    if chosen := os.environ.get("MCBRAIN_CACHE_DIR"):
        return Path(chosen).absolute()
    return _user_cache() / "mcbrain"


def _user_cache() -> Path:
    """Where this platform keeps what a program can make again."""
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if sys.platform not in ("win32", "darwin") and named.is_absolute():
        return named
    try:
        home = Path.home()
    except RuntimeError:
        # A user who is in no list of users, as in many containers, has no home.
        home = Path()
    if not home.is_absolute():
        raise OSError("this user has no home folder; MCBRAIN_CACHE_DIR names another place")
    places = {"win32": "AppData/Local", "darwin": "Library/Caches"}
    return home / places.get(sys.platform, ".cache")
