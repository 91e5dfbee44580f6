"""How matplotlib is imported: figures go to files, whatever backend MPLBACKEND names."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["load_matplotlib"]


def load_matplotlib() -> None:
    """Import matplotlib, even where MPLBACKEND names a backend that is not installed here.

    Notebooks hand their own backend on to every program that is started from them, and matplotlib
    refuses to be imported where it does not know it.
    """
    if "matplotlib" in sys.modules:
        return
    named = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named
    if named:
        # The caller's own figures then use the backend that MPLBACKEND names, as if nothing had
        # happened.
        with suppress(ValueError):
            matplotlib.rcParams["backend"] = named
