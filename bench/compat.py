"""Names of mcbrain that have moved: the newest suites also measure older commits."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def moved(name: str, *modules: str) -> Any:
    """`name` from the first of some modules that has it, newest place first.

    Raises
    ------
    ImportError
        None of them has it.
    """
    for module in modules:
        try:
            return getattr(import_module(f"mcbrain.{module}"), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"{name} is in none of {', '.join(modules)}")


_PLACES = {
    "open_stream": ("kernels.seeds", "kernels.streams"),
    "brain_parameters": ("plan.moments", "moments"),
    "brain_statistics": ("plan.moments", "moments"),
    "task_problem": ("plan.task_stage", "task_stage"),
    "task_statistics": ("plan.task_stage", "task_stage"),
    "parse_shift": ("reading", "shifts"),
    "BlockStore": ("store.blockstore", "store"),
    "write_table": ("store.segments", "segments"),
}


def __getattr__(name: str) -> Any:
    """A name that is listed, looked for when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return moved(name, *_PLACES[name])
