"""Core seconds to a standard error of 0.1 %, of an engine and of a peer on the same cell.

Core seconds of a replicate, measured now, times the replicates that the measured standard deviation
asks for (at least the 64 of a first look), at the worst output of the cell.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import mcbrain as mb
from bench.jobs import SEED, design_of, grid, model_of, population_of
from bench.sizes import REPLICATES, TARGET, Cell
from mcbrain.engines import task
from mcbrain.plan.task_stage import task_problem, task_statistics

__all__ = ["Cost", "disagreement", "engine_cost", "peer_cost"]

Floats = NDArray[np.float64]


_FEWEST = 64


@dataclass(frozen=True)
class Cost:
    """Core seconds to the target, and the means (and errors) that prove both sides agree.

    Attributes
    ----------
    seconds : float
    pace : float
        Core seconds of one replicate.
    mean, error : ndarray, shape (estimators, penalties)
    """

    seconds: float
    pace: float
    mean: Floats
    error: Floats


def engine_cost(cell: Cell, engine: str) -> Cost:
    """An engine on a cell; the exact law of the task stage is off."""
    begun = time.process_time()
    if engine == "spectral":
        _set_controls(cell)
    pilot = time.process_time() - begun
    table = mb.simulate(
        model_of(cell),
        cell.n_task,
        cell.n_brain,
        {name: list(grid(cell.penalties)) for name in cell.estimators},
        precision=0,
        max_replicates=REPLICATES[engine],
        seed=SEED + 1,
        engine=engine,
        exact_task_stage=False,
        threads=1,
    )
    shape = len(cell.estimators), -1
    mean, error = (table[name].to_numpy().reshape(shape) for name in ("mean", "mcse"))
    replicates, seconds = table["replicates"][0].as_py(), table["seconds"][0].as_py()
    share = max(float(np.max((error / mean / TARGET) ** 2)), _FEWEST / replicates)
    return Cost(pilot + share * seconds, seconds / replicates, mean, error)


def _set_controls(cell: Cell) -> None:
    """The task stage's pilot, which the blocks' own times leave out."""
    for name in cell.estimators:
        if name != "befs":
            rank = 0 if name == "ridge" else cell.latent_dim
            problem = task_problem(cell.n_task, rank, cell.input_dim, SEED)
            assert problem is not None  # every cell has more samples than the rank
            task.simulate(problem, task_statistics(cell.n_task * grid(cell.penalties)), [])


def peer_cost(
    cell: Cell, peer: ModuleType, factors: tuple[float, ...] = (1.0,), test_points: int = 1000
) -> Cost:
    """A peer on a cell, all penalties and shifts at once, on one core."""
    population, design = population_of(cell), design_of(cell, factors, test_points)
    rng, count = np.random.default_rng(SEED), REPLICATES["peer"]
    with threadpool_limits(1):
        peer.replicate(rng, population, design)
        begun = time.process_time()
        values = np.array([peer.replicate(rng, population, design) for _ in range(count)])
        pace = (time.process_time() - begun) / count
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    needed = max(float(np.max((sd / mean / TARGET) ** 2)), _FEWEST)
    return Cost(pace * needed, pace, mean[..., 0], sd[..., 0] / np.sqrt(count))


def disagreement(ours: Cost, theirs: Cost) -> float:
    """Largest |z| between the risks of the two sides."""
    return float(np.max(np.abs(ours.mean - theirs.mean) / np.hypot(ours.error, theirs.error)))
