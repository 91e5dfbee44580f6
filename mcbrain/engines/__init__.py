"""Where replicates are drawn: each engine turns a problem and a block number into block sums."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from mcbrain.blocks.problem import Job
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.choice import choose
from mcbrain.engines.compiling import OutOfTimeError, compile_pieces
from mcbrain.engines.pieces import every_piece
from mcbrain.errors import unhandled

__all__ = ["OutOfTimeError", "choose", "simulate", "warm_up"]


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


def warm_up(
    engine: str,
    rules: bool = False,
    note: Callable[[str], None] = lambda sentence: None,
    *,
    deadline: float | None = None,
    cores: int = 1,
) -> float:
    """Compile every kernel of an engine and of its pilots, or load them; seconds it took.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.
    note, deadline, cores
        See `compile_pieces`.

    Raises
    ------
    OutOfTimeError
        The deadline came; every kernel that was finished is kept.
    """
    return compile_pieces(every_piece(engine, rules), note, deadline=deadline, cores=cores)


# The module that simulates each kind of problem.
_SIMULATORS = {
    "raw": "raw",
    "pilot-raw": "raw",
    "sufficient": "sufficient",
    "brain": "brain",
    "pilot-brain": "brain",
    "task": "task",
}
