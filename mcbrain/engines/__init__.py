"""Where replicates are drawn: each engine turns a problem and a block number into block sums."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module

from mcbrain.blocks.problem import Job
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.choice import choose
from mcbrain.errors import unhandled

__all__ = ["OutOfTimeError", "choose", "simulate", "warm_up"]


class OutOfTimeError(BaseException):
    """A time limit came while kernels were compiled.

    The compiler makes an error of its own of every `Exception` that is raised within it.
    """


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
    deadline: float | None = None,
) -> float:
    """Compile the kernels of an engine and of its pilots, or load them; seconds it took.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.
    note : callable, optional
        Told before kernels are compiled, and whether the machine code is kept; nothing where it
        was there.
    deadline : float, optional
        `time.monotonic()` after which no further kernel is compiled.

    Raises
    ------
    OutOfTimeError
        The deadline came; every kernel that was finished is kept.
    """
    begun = time.perf_counter()
    if not _compiled(engine):
        return 0.0
    from mcbrain.kernels.cache import watching

    def once_more() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError

    def first() -> None:
        account.compiling = once_more  # called before each kernel that is compiled from now on
        once_more()
        note("compiling the kernels, a minute or two, once")

    with watching(first) as account:
        before = account.compiled
        for name in _compiled(engine):
            import_module(f"mcbrain.engines.{name}").warm_up()
        if rules and engine == "raw":
            import_module("mcbrain.engines.raw").warm_up_rules()
    seconds = time.perf_counter() - begun
    if account.compiled > before:
        why = account.unkept
        end = f"; could not be kept because {why}" if why else ", kept for later runs"
        note(f"compiled in {seconds:.0f} s{end}")
    return seconds


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
