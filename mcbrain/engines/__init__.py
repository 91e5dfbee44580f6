"""Where replicates are drawn: each engine turns a problem and a block number into block sums."""

from __future__ import annotations

import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from mcbrain.blocks import BlockSums, Job
from mcbrain.engines.choice import choose
from mcbrain.errors import unhandled

__all__ = ["choose", "is_warm", "simulate", "warm_up"]


def simulate(job: Job) -> list[BlockSums]:
    """Compute the blocks of a job on one core, in order.

    Parameters
    ----------
    job : Job
        A problem, the statistics wanted of it, and block numbers. It pickles by value, so that a
        cluster runs it as this machine does.
    """
    kind = job.problem.kind
    if kind not in _SIMULATORS:
        raise unhandled("kind of problem", kind, "mcbrain.engines")
    engine = import_module(f"mcbrain.engines.{_SIMULATORS[kind]}")
    blocks: list[BlockSums] = engine.simulate(job.problem, job.queries, job.indices)
    return blocks


def warm_up(engine: str, rules: bool = False) -> float:
    """Compile the kernels of an engine and of its pilots, or load them; seconds it took.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.
    """
    begun = time.perf_counter()
    for name in _compiled(engine):
        import_module(f"mcbrain.engines.{name}").warm_up()
    if rules and engine == "raw":
        import_module("mcbrain.engines.raw").warm_up_rules()
    if _compiled(engine) and _compiles() and (mark := _mark(engine, rules)) is not None:
        with suppress(OSError):
            mark.touch()
    return time.perf_counter() - begun


def is_warm(engine: str, rules: bool = False) -> bool:
    """Whether the machine code that `warm_up` makes is kept from before."""
    if not _compiled(engine) or not _compiles():
        return True
    mark = _mark(engine, rules)
    return mark is not None and mark.exists()


def _compiles() -> bool:
    """Whether kernels are compiled in this process."""
    return not import_module("numba").config.DISABLE_JIT


def _mark(engine: str, rules: bool) -> Path | None:
    """The file beside the machine code that says that it is complete; None where none is kept."""
    folder = import_module("mcbrain.kernels.jit").CACHE_FOLDER
    if folder is None:
        return None
    return Path(folder) / f"warm-{engine}{'-rules' if rules and engine == 'raw' else ''}"


def _compiled(engine: str) -> tuple[str, ...]:
    """Modules whose kernels an engine and its pilots run."""
    match engine:
        case "raw" | "sufficient":
            return engine, "brain"
        case "spectral":
            return "brain", "task"
        case "law":
            return ()
    raise unhandled("engine", engine, "mcbrain.engines")


# The module that simulates each kind of problem.
_SIMULATORS = {
    "raw": "raw",
    "pilot-raw": "raw",
    "sufficient": "sufficient",
    "brain": "brain",
    "pilot-brain": "brain",
    "task": "task",
}
