"""The engines' own jobs on the cells of the benchmarks: a fixed number of blocks on one core."""

from __future__ import annotations

import numpy as np

from bench.compat import brain_problem, sampled_problem
from bench.measure import Work
from bench.peers.problem import Design, Population
from bench.sizes import BLOCKS, Cell
from mcbrain.asking.estimators import parse_estimator
from mcbrain.asking.shift_text import parse_shift
from mcbrain.blocks.problem import Job
from mcbrain.blocks.query import Fit, Query
from mcbrain.engines import simulate
from mcbrain.plan.moments import brain_statistics
from mcbrain.plan.task_stage import task_problem, task_statistics
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model

__all__ = [
    "brain_job",
    "design_of",
    "grid",
    "model_of",
    "population_of",
    "replicates",
    "sampled_job",
    "task_job",
]

SEED = 1


def grid(count: int) -> np.ndarray:
    """Per-sample penalties, (count,)."""
    return np.geomspace(1e-3, 10.0, count)


def model_of(cell: Cell, inputs: str = "gaussian") -> Model:
    """The model of a cell under an input law, "powerlaw" and "tanh" included."""
    special = inputs in ("powerlaw", "tanh")
    return Model(
        input_dim=cell.input_dim,
        latent_dim=cell.latent_dim,
        n_channels=cell.n_channels,
        misalignment=cell.misalignment,
        task_noise=cell.task_noise,
        inputs="gaussian" if special else inputs,
        covariance="powerlaw:1.0" if inputs == "powerlaw" else "identity",
        latents="tanh" if inputs == "tanh" else "linear",
    )


def population_of(cell: Cell) -> Population:
    """The population of a cell, for a peer."""
    model = model_of(cell)
    geometry = Geometry(model, SEED)
    return Population(
        geometry.brain.T, geometry.beta, geometry.channels, model.sigma_y, model.sigma_r
    )


def design_of(cell: Cell, factors: tuple[float, ...] = (1.0,), test_points: int = 1000) -> Design:
    """What a peer is asked for on a cell."""
    return Design(
        cell.estimators,
        cell.n_task,
        cell.n_brain,
        cell.latent_dim,
        grid(cell.penalties),
        factors,
        test_points,
    )


def sampled_job(engine: str, cell: Cell, inputs: str = "gaussian", rule: str = "fixed") -> Job:
    """Blocks of an engine that draws data, "raw" or "sufficient".

    The penalties are the cell's grid, or each replicate's own by the rule "loo".
    """
    penalties = grid(cell.penalties) if rule == "fixed" else [np.nan]
    chosen = [parse_estimator(name) for name in cell.estimators]
    rows = [
        Fit(one, rule, float(p), one.eta, cell.latent_dim, 0.0) for one in chosen for p in penalties
    ]
    model = model_of(cell, inputs)
    problem = sampled_problem(engine, model, cell.n_task, cell.n_brain, SEED)
    queries = tuple(Query(row, parse_shift("id"), None) for row in rows)
    return Job(problem, queries, tuple(range(BLOCKS)))


def task_job(input_dim: int) -> Job:
    """Blocks of the task stage of ridge at n_task = 2.5 d, 20 penalties."""
    n_task = 5 * input_dim // 2
    problem = task_problem(n_task, 0, input_dim, SEED)
    assert problem is not None  # there are samples
    return Job(problem, task_statistics(n_task * grid(20)), tuple(range(8 * BLOCKS)))


def brain_job(cell: Cell) -> Job:
    """Blocks of the brain stage."""
    k = cell.latent_dim
    problem = brain_problem(model_of(cell), cell.n_brain, k, SEED)
    return Job(problem, brain_statistics(k), tuple(range(BLOCKS)))


def replicates(job: Job) -> Work:
    """Run a job's blocks; the units are replicates."""
    return lambda: float(sum(block.replicates for block in simulate(job)))
