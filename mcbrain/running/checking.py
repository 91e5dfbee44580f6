"""What a study would take, before anything is run: points, engine, time, memory and disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcbrain.asking.engines import engine_of
from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import DataProblem, Problem
from mcbrain.blocks.series import FIRST_LOOK
from mcbrain.engines import engine_for
from mcbrain.plan.plans import pilots_of
from mcbrain.plan.subspaces import PILOT_BLOCKS
from mcbrain.results.columns import RESULT_SCHEMA
from mcbrain.results.kept_replicates import most_bytes
from mcbrain.results.opening import open_plan
from mcbrain.running.cores import available_cores
from mcbrain.store.memory import MemoryStore

__all__ = ["Check", "check"]

# Bytes that a process takes with the libraries and kernels that it loads, that the blocks of a
# problem take in it, and that each worker takes beside matrices of the inputs' size.
_LIBRARIES, _OF_PROBLEM, _OF_WORKER = 300e6, 20e3, 8e6
_MATRICES = 20  # of input_dim^2 numbers, for each worker
# Bytes of a statistic in a block, its histogram aside; of a bin; and bins that it has at most.
_STATISTIC, _BIN, _BINS = 56, 6, 120
_BLOCK = 120  # bytes of a block, its statistics aside


@dataclass(frozen=True)
class Check:
    """What a study would take; seconds and bytes are good to a factor of three or so.

    Attributes
    ----------
    study : str
        Its name.
    models, points, outputs, rows : int
        Models, points, outputs of a point, and rows of the results.
    engine, reason : str
        The engine, and why it is this one.
    problems, pilots : int
        What is simulated, and what is simulated before it.
    replicates : (int, int)
        Replicates of all problems: where every output is precise enough at its first look, and
        where none ever is.
    core_seconds, seconds : (float, float)
        The same in seconds of one core, and of this machine with all of its cores.
    cores : int
        Cores of this machine that the process may use.
    memory : float
        Bytes.
    disk : (float, float)
        Bytes of the results folder, kept replicates included.
    """

    study: str
    models: int
    points: int
    outputs: int
    rows: int
    engine: str
    reason: str
    problems: int
    pilots: int
    replicates: tuple[int, int]
    core_seconds: tuple[float, float]
    seconds: tuple[float, float]
    cores: int
    memory: float
    disk: tuple[float, float]


def check(study: Study) -> Check:
    """What a study would take; nothing is run, compiled or written.

    Parameters
    ----------
    study : Study

    Returns
    -------
    Check

    Raises
    ------
    InputError
        The study names an engine that would be wrong for it.
    """
    engine, reason = engine_for(study)
    plan = open_plan(study, engine, MemoryStore())
    problems = plan.problems() if engine_of(engine).draws else {}
    pilots = [pilot for pilot, _ in pilots_of(plan, problems)] if problems else []
    outputs, cores = len(study.methods) * len(study.shifts), available_cores()
    low, high = (
        [(p, min(plan.most(p), most)) for p in problems] + [(p, PILOT_BLOCKS) for p in pilots]
        for most in (FIRST_LOOK, 10**12)
    )
    core = tuple(
        sum(p.block_size * p.replicate_seconds * n for p, n in some) for some in (low, high)
    )
    kept = most_bytes(study) if study.output.replicates else 0
    rows = study.n_rows * sum(_width(field.type) for field in RESULT_SCHEMA)
    d = max(model.input_dim for model in study.models)
    threads = cores if problems else 0
    return Check(
        study=study.name,
        models=len(study.models),
        points=study.n_points,
        outputs=outputs,
        rows=study.n_rows,
        engine=engine,
        reason=reason,
        problems=len(problems),
        pilots=len(pilots),
        replicates=(_replicates(low), _replicates(high)),
        core_seconds=(core[0], core[1]),
        seconds=(core[0] / cores, core[1] / cores),
        cores=cores,
        memory=_LIBRARIES
        + _OF_PROBLEM * len(problems)
        + threads * (_OF_WORKER + 8 * _MATRICES * d**2),
        disk=(rows + _of_blocks(low, outputs), rows + _of_blocks(high, outputs) + kept),
    )


def _width(kind: object) -> float:
    """Bytes of a value in the rows; words are places in their dictionary."""
    return getattr(kind, "bit_width", 32) / 8


def _replicates(some: Iterable[tuple[Problem, int]]) -> int:
    return sum(problem.block_size * blocks for problem, blocks in some)


def _of_blocks(some: Iterable[tuple[Problem, int]], outputs: int) -> float:
    """Bytes of blocks on disk; only whole data sets leave a histogram."""
    total = 0.0
    for problem, blocks in some:
        bins = min(problem.block_size, _BINS) if isinstance(problem, DataProblem) else 0
        total += blocks * (_BLOCK + outputs * (_STATISTIC + _BIN * bins))
    return total
