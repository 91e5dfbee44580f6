"""What has moved or changed in mcbrain: the newest suites also measure older commits.

Importing this module makes the newest name of a module work where only an older one is there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcbrain.blocks.problem import Problem
    from mcbrain.population.model import Model

__all__ = ["OLDER", "brain_problem", "find_moved", "sampled_problem"]

OLDER: dict[str, tuple[str, ...]] = {
    "asking.estimators": ("estimators",),
    "asking.from_toml": ("reading",),
    "asking.shift_text": ("reading", "shifts"),
    "blocks.problem": ("blocks",),
    "blocks.query": ("blocks",),
    "blocks.sums": ("blocks",),
    "kernels.linear.eigen": ("kernels.eigen",),
    "kernels.linear.householder": ("kernels.householder",),
    "kernels.linear.implicit_ql": ("kernels.implicit_ql",),
    "kernels.linear.inverse_iteration": ("kernels.linear.eigen", "kernels.eigen"),
    "kernels.linear.orthonormal": ("kernels.brain.encode", "kernels.encode"),
    "kernels.random.bartlett": ("kernels.bartlett",),
    "kernels.random.poisson": ("kernels.random.streams", "kernels.streams"),
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
_query = import_module("mcbrain.blocks.query")
if not hasattr(_query, "Fit"):
    _query.Fit = _query.Row  # type: ignore[attr-defined]


def sampled_problem(kind: str, model: Model, n_task: int, n_brain: int, seed: int) -> Problem:
    """A problem of whole data sets, in this commit's spelling or as a kind and its parameters.

    Parameters
    ----------
    kind : str
        "raw" or "sufficient".
    model : Model
    n_task, n_brain : int
    seed : int
    """
    module: Any = import_module("mcbrain.blocks.problem")
    if hasattr(module, "data_problem"):
        found: Problem = module.data_problem(kind, model, n_task, n_brain, seed)
        return found
    older: Problem = module.Problem(kind, module.data_parameters(model, n_task, n_brain), seed)
    return older


def brain_problem(model: Model, n_brain: int, rank: int, seed: int) -> Problem:
    """A brain problem without a penalty in stage 1, likewise.

    Parameters
    ----------
    model : Model
    n_brain : int
    rank : int
    seed : int
    """
    module: Any = import_module("mcbrain.blocks.problem")
    if hasattr(module, "BrainProblem"):
        found: Problem = module.BrainProblem.of(model, n_brain, rank, 0.0, seed)
        return found
    parameters = import_module("mcbrain.plan.moments").brain_parameters(model, n_brain, rank, 0.0)
    older: Problem = module.Problem("brain", parameters, seed)
    return older
