"""Modules of mcbrain that have moved: the newest suites also measure older commits.

Importing this module makes the newest name of a module work where only an older one is there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

__all__ = ["OLDER", "find_moved"]

OLDER: dict[str, tuple[str, ...]] = {
    "asking.estimators": ("estimators",),
    "asking.from_toml": ("reading",),
    "asking.shift_text": ("reading", "shifts"),
    "blocks.problem": ("blocks",),
    "blocks.query": ("blocks",),
    "blocks.sums": ("blocks",),
    "kernels.brain.encode": ("kernels.encode",),
    "kernels.linear.eigen": ("kernels.eigen",),
    "kernels.linear.householder": ("kernels.householder",),
    "kernels.linear.implicit_ql": ("kernels.implicit_ql",),
    "kernels.random.bartlett": ("kernels.bartlett",),
    "kernels.random.seeds": ("kernels.seeds", "kernels.streams"),
    "kernels.random.streams": ("kernels.streams",),
    "kernels.task.spectrum": ("kernels.spectrum",),
    "plan.moments": ("moments",),
    "plan.task_stage": ("task_stage",),
    "population.geometry": ("geometry",),
    "population.model": ("model",),
    "running.runner": ("runner",),
    "running.workers": ("workers",),
    "store.blockstore": ("store",),
    "store.segments": ("segments",),
}
"""Today's name of a module, and those that it had before, newest first."""


def find_moved(older: dict[str, tuple[str, ...]]) -> None:
    """Register each module that is not there under today's name as the one that it was before.

    Parameters
    ----------
    older : dict of str to tuple of str
        As `OLDER`.
    """
    for name, names in older.items():
        if not _is_there(name):
            for known in filter(_is_there, names):
                sys.modules[f"mcbrain.{name}"] = import_module(f"mcbrain.{known}")
                break


def _is_there(name: str) -> bool:
    """Whether this commit of mcbrain has a module of a name."""
    try:
        return find_spec(f"mcbrain.{name}") is not None
    except ModuleNotFoundError:  # a part of its path is a module, or not there either
        return False


find_moved(OLDER)
