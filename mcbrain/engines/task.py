"""Task problems: sums over the spectrum of the penalised block (theory/README.md 3, 4b)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mcbrain.blocks.problem import TaskProblem
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.pieces import Piece
from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.task.spectrum import task_block
from mcbrain.plan.task_stage import KINDS, TaskStatistic, task_statistics
from mcbrain.typing import Floats

__all__ = ["compile_piece", "simulate"]


_TOGETHER = 16  # blocks whose sums are taken at once
_BLOCKS, _PILOT = 0, 1  # roles: replicates, and the pilot that sets the control coefficients
_PILOT_REPLICATES = 256


def simulate(
    problem: TaskProblem, statistics: tuple[TaskStatistic, ...], indices: Sequence[int]
) -> list[BlockSums]:
    """Compute blocks of a task problem, each value less its control variates.

    The controls are the sums of t and t^2 over the spectrum, whose means are known. Their
    coefficients come from a stream of their own, so that the means stay unbiased.

    Parameters
    ----------
    problem : TaskProblem
        The task stage alone: the sizes of the penalised block, and the seed.
    statistics : tuple of TaskStatistic
        Sums over the spectrum at some ridge; they are the columns of the sums.
    indices : sequence of int
        Block numbers, each of which has a random stream of its own.

    Returns
    -------
    list of BlockSums
        One for each block number, in their order. Up to 16 blocks are summed at once, and share
        the time that this took equally.
    """
    ridges = tuple(sorted({s.z for s in statistics}))
    columns = [len(ridges) * KINDS.index(s.kind) + ridges.index(s.z) for s in statistics]
    if statistics == task_statistics(ridges):  # the usual case, in which no search is needed
        columns = np.arange(len(statistics)).reshape(len(KINDS), -1).T.ravel().tolist()
    first, second = _coefficients(problem, ridges)
    blocks: list[BlockSums] = []
    for start in range(0, len(indices), _TOGETHER):
        begun, group = time.thread_time(), indices[start : start + _TOGETHER]
        values, controls = _draw(problem, ridges, group, _BLOCKS, problem.block_size)
        values -= first * controls[:, :1]
        values -= second * controls[:, 1:]
        blocks += _sums(group, values[:, columns], begun)
    return blocks


def _draw(
    problem: TaskProblem, ridges: tuple[float, ...], indices: Sequence[int], role: int, size: int
) -> tuple[Floats, Floats]:
    """Statistics (blocks, 4 ridges, replicates), kind by kind, and controls (blocks, 2, .)."""
    out = np.empty((len(indices), size, len(KINDS), len(ridges)))
    controls, grid = np.empty((len(indices), size, 2)), np.array(ridges)
    for place, index in enumerate(indices):
        stream = open_stream(problem.seed, problem.words, index, role)
        task_block(stream, problem.n_prime, problem.q, grid, out[place], controls[place])
    values = out.reshape(len(indices), size, -1).transpose(0, 2, 1)
    return np.ascontiguousarray(values), np.ascontiguousarray(controls.transpose(0, 2, 1))


@lru_cache(maxsize=64)
def _coefficients(problem: TaskProblem, ridges: tuple[float, ...]) -> Floats:
    """Least-squares coefficients of each statistic on the controls, shape (2, 4 ridges, 1).

    Sums run along the contiguous axis, so that a ridge's coefficients never depend on its company.
    """
    (values,), (controls,) = _draw(problem, ridges, (0,), _PILOT, _PILOT_REPLICATES)
    y = values - values.mean(axis=1, keepdims=True)
    first, second = controls - controls.mean(axis=1, keepdims=True)
    # The second control counts for what the first leaves of it, so that both stand alone.
    share = (first * second).sum() / (first**2).sum()
    second = second - share * first
    on_second = (y * second).sum(axis=1) / (second**2).sum()
    on_first = (y * first).sum(axis=1) / (first**2).sum() - share * on_second
    return np.stack([on_first, on_second])[:, :, None]


def _sums(indices: Sequence[int], values: Floats, begun: float) -> list[BlockSums]:
    """Sums over the replicates of each block; the blocks share the time."""
    _, n, replicates = values.shape
    mean = values.mean(axis=2)
    values = values - mean[..., None]
    m2 = np.square(values, out=values).sum(axis=2)
    seconds = (time.thread_time() - begun) / len(indices)
    return [
        BlockSums(
            index=index,
            replicates=replicates,
            count=np.full(n, replicates),
            mean=mean[place],
            m2=m2[place],
            better=np.zeros(n, np.int64),
            bin_sizes=np.zeros(0, np.int64),
            seconds=seconds,
        )
        for place, index in enumerate(indices)
    ]


def compile_piece(piece: Piece) -> None:
    """Compile the kernel, or load it from the cache.

    Parameters
    ----------
    piece : Piece
        The only piece of this module; every module of an engine is asked in the same way.
    """
    problem = TaskProblem(n_prime=4, q=3, seed=0)
    simulate(problem, task_statistics([1.0]), [0])
