"""A replicate in an interactive session, or in a function of the user's own under the debugger."""

from __future__ import annotations

import code
import pdb  # the user has asked for it
from collections.abc import Callable

import numpy as np

from mcbrain.running.data_sets import DataSet
from mcbrain.running.replaying import Replay

__all__ = ["DEBUGGED", "debug"]

DEBUGGED = ("X", "y", "X_brain", "R", "beta")
"""The names of a session; as in `DataSet`."""


def debug(again: Replay, function: Callable[[DataSet], object] | None = None) -> object:
    """Look at a replicate: a prompt where its data have names, or a function run line by line.

    Parameters
    ----------
    again : Replay
        The replicate.
    function : callable, optional
        Called with the replicate's data set under `pdb`, which stops at its first line; default a
        prompt of Python with the names X, y, X_brain, R and beta, the whole data set as `data`, the
        engine's outputs as `rows`, and NumPy as `np`. It ends with the end of the input.

    Returns
    -------
    object
        What the function has returned; None after a session.
    """
    if function is not None:
        return pdb.Pdb().runcall(function, again.data_set)
    names = {name: getattr(again.data_set, name) for name in DEBUGGED}
    shapes = ", ".join(f"{name} {value.shape}" for name, value in names.items())
    banner = (
        f"replicate {again.place} of block {again.block}: {shapes}; also data (the data set, with "
        "its estimated basis), rows (the engine's outputs) and np"
    )
    more = {"data": again.data_set, "rows": again.rows, "np": np}
    code.interact(banner, local={**names, **more}, exitmsg="")
    return None
