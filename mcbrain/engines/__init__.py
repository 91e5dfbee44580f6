"""Where replicates are drawn: a problem and a block number become block sums.

What is drawn depends on the problem alone, whichever engine of a study asks for it: each kind of
problem has one module, imported when the first of its kind is drawn.
"""

from __future__ import annotations

from collections.abc import Callable

from mcbrain.blocks.problem import BrainProblem, Job, RawProblem, SufficientProblem, TaskProblem
from mcbrain.blocks.query import Query, only
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.automatic import engine_for
from mcbrain.engines.compiling import OutOfTimeError, compile_pieces
from mcbrain.engines.pieces import every_piece
from mcbrain.errors import unhandled

__all__ = ["OutOfTimeError", "engine_for", "simulate", "warm_up"]


def simulate(job: Job) -> list[BlockSums]:
    """Compute the blocks of a job on one core, in order.

    Parameters
    ----------
    job : Job
        A problem, the statistics wanted of it, and block numbers. It pickles by value, so that a
        cluster runs it as this machine does.

    Returns
    -------
    list of BlockSums
        One for each block number, in the order of the job. The problem and the block number alone
        decide which random numbers are drawn, so a block is the same whoever computes it.
    """
    problem, asked, indices = job.problem, job.queries, job.indices
    match problem:
        case RawProblem():
            from mcbrain.engines import raw

            return raw.simulate(problem, only(Query, asked), indices, job.keep)
        case SufficientProblem():
            from mcbrain.engines import sufficient

            return sufficient.simulate(problem, only(Query, asked), indices, job.keep)
        case BrainProblem():
            from mcbrain.engines import brain
            from mcbrain.plan.moments import BrainStatistic

            return brain.simulate(problem, only(BrainStatistic, asked), indices)
        case TaskProblem():
            from mcbrain.engines import task
            from mcbrain.plan.task_stage import TaskStatistic

            return task.simulate(problem, only(TaskStatistic, asked), indices)
    raise unhandled("kind of problem", problem.kind, "mcbrain.engines")


def warm_up(
    engine: str,
    rules: bool = False,
    note: Callable[[str], None] = lambda sentence: None,
    *,
    deadline: float | None = None,
    cores: int = 1,
) -> float:
    """Compile every kernel of an engine and of its pilots, or load them from where they are kept.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.
    note : callable, optional
        Told, in a sentence each, that kernels are being compiled and whether they could be kept.
    deadline : float, optional
        `time.monotonic()`, in seconds, after which no further kernel is compiled.
    cores : int
        Processes that may compile at once.

    Returns
    -------
    float
        Seconds of wall-clock time that it took.

    Raises
    ------
    OutOfTimeError
        The deadline came; every kernel that was finished is kept.
    """
    return compile_pieces(every_piece(engine, rules), note, deadline=deadline, cores=cores)
