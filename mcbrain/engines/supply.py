"""The streams of a block; and inputs that a user's function draws, laid down for the kernels.

The kernels take such inputs from one pool of rows: those of the task stage, replicate after
replicate, then those of the brain stage. Each stage's function is called once a replicate with
NumPy's own generator of the role, so that anybody can draw the same numbers again.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcbrain.blocks.problem import DataProblem
from mcbrain.engines.bridge import Asked
from mcbrain.errors import unhandled
from mcbrain.kernels.random.roles import Streams, open_streams
from mcbrain.kernels.types import Population
from mcbrain.typing import Floats

__all__ = ["lay_down", "own_rows", "streams_of", "with_pool"]

TASK_INPUTS, BRAIN_INPUTS = 0, 2
"""Roles of the inputs (`open_streams`)."""


def with_pool(problem: DataProblem, wanted: Asked, count: int) -> Asked:
    """What is asked, with room for the inputs of a block where a user's function draws them.

    Parameters
    ----------
    problem : DataProblem
    wanted : Asked
    count : int
        Replicates.

    Returns
    -------
    Asked
        With a pool of its own, so that it serves one thread; the same where inputs are mcbrain's.
    """
    if problem.model.own_inputs is None:
        return wanted
    population = wanted.setting.population
    rows = np.full((count * (problem.n_task + problem.n_brain), population.scale.size), np.nan)
    setting = wanted.setting._replace(population=population._replace(rows=rows))
    return replace(wanted, setting=setting)


def lay_down(problem: DataProblem, population: Population, index: int) -> None:
    """Fill the pool with the inputs of a block; nothing where inputs are mcbrain's.

    Parameters
    ----------
    problem : DataProblem
    population : Population
        Whose `rows` are filled, as many replicates as they have room for.
    index : int
        Number of the block.
    """
    if problem.model.own_inputs is None:
        return
    at, count = 0, _replicates(problem, population)
    for role, n in ((TASK_INPUTS, problem.n_task), (BRAIN_INPUTS, problem.n_brain)):
        rows = population.rows[at : at + count * n]
        rows[:] = own_rows(problem, (index, role), n, count)
        rows *= population.scale
        at += count * n


def own_rows(problem: DataProblem, place: tuple[int, int], n: int, count: int) -> Floats:
    """What a user's function draws for some replicates, of variance 1.

    Parameters
    ----------
    problem : DataProblem
        With inputs of a plug-in.
    place : (int, int)
        Number of the block, and the role.
    n, count : int
        Inputs of a replicate, and replicates.

    Returns
    -------
    ndarray, shape (count * n, q)
    """
    own = problem.model.own_inputs
    if own is None:
        raise unhandled("inputs", str(problem.model.inputs), "the supply of inputs of plug-ins")
    key = np.random.SeedSequence(problem.seed, spawn_key=(*problem.words, *place))
    rng, q = np.random.Generator(np.random.SFC64(key)), problem.model.native_dim
    each = [own.drawn(rng, n, q) for _ in range(count if n else 0)]
    return np.concatenate([np.zeros((0, q)), *each])


def streams_of(problem: DataProblem, population: Population, index: int) -> Streams:
    """The streams of a block; where inputs are laid down, those of the inputs count rows.

    Parameters
    ----------
    problem : DataProblem
    population : Population
        Whose `rows` hold the inputs of the block, if a user's function draws them.
    index : int
        Number of the block.

    Returns
    -------
    Streams
    """
    streams = open_streams(problem.seed, problem.words, index)
    if problem.model.own_inputs is not None:
        streams.task.inputs.state[0] = 0
        streams.brain.inputs.state[0] = _replicates(problem, population) * problem.n_task
    return streams


def _replicates(problem: DataProblem, population: Population) -> int:
    return int(population.rows.shape[0] // (problem.n_task + problem.n_brain))
