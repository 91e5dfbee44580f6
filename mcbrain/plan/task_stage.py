"""Task problems: what their sums hold, and the moments of the task stage from laws or from blocks.

Once the spared directions are partialled out, all that task data contributes to a risk is a few
means over the spectrum of an n' x q Gaussian matrix (theory/README.md 3, 4b), n' = n_task - rank
and q = input_dim - rank, at each ridge z = n_task * penalty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np

from mcbrain.blocks.problem import TaskProblem
from mcbrain.blocks.query import statistic_id
from mcbrain.blocks.series import Series
from mcbrain.theory import exact
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = [
    "TASK_FIELDS",
    "TaskEstimate",
    "TaskStatistic",
    "estimate_task",
    "task_problem",
    "task_statistics",
]


TASK_FIELDS = tuple(f.name for f in fields(exact.TaskMoments))

# The sums at one ridge, in the order of the rows that the kernel fills (kernels/task/spectrum.py).
KINDS = ("sum_f", "sum_f2", "spread", "noise")

# Where there are more blocks than this, the jackknife leaves out groups of neighbouring ones. From
# so many groups a standard error is known to 4 %.
_GROUPS = 256


@dataclass(frozen=True)
class TaskStatistic:
    """One column of a task problem's sums: a sum over the spectrum at one ridge z.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    z : float
        Ridge n_task * penalty, finite.
    """

    kind: str
    z: float

    @property
    def label(self) -> str:
        """Name by content."""
        return f"{self.kind} {self.z!r}"

    @property
    def id(self) -> int:
        """64-bit name."""
        return _identity(self)


@lru_cache(maxsize=200_000)
def _identity(statistic: TaskStatistic) -> int:
    return statistic_id(statistic.label)


@dataclass(frozen=True)
class TaskEstimate:
    """TaskMoments, and how far each group of blocks pulls them.

    Attributes
    ----------
    mean : TaskMoments
        Fields of shape (methods, n_task, noises).
    deviation : ndarray, shape (4, choices, n_task, noises, groups), or None
        Jackknife deviations of `TASK_FIELDS`, scaled so that the covariance of the means is their
        sum of products over the last axis; zero-padded. None for a law.
    """

    mean: exact.TaskMoments
    deviation: Floats | None = None


def task_problem(n_task: int, rank: int, input_dim: int, seed: int) -> TaskProblem | None:
    """The task problem behind a number of samples.

    Parameters
    ----------
    n_task : int
        Number of task samples.
    rank : int
        Of the spared subspace.
    input_dim : int
        Number of inputs.
    seed : int
        The study's seed.

    Returns
    -------
    TaskProblem or None
        None where no data act outside the subspace: it is the whole space, or has at least as many
        directions as there are samples.
    """
    n_prime, q = n_task - rank, input_dim - rank
    if n_prime <= 0 or q == 0:
        return None
    return TaskProblem(n_prime=n_prime, q=q, seed=seed)


def task_statistics(values: Iterable[float]) -> tuple[TaskStatistic, ...]:
    """What is asked of a task problem: the sums of `KINDS` at each finite ridge.

    Parameters
    ----------
    values : iterable of float
        Ridges z, in any order and repeated as often as they come. Infinite ones are left out, since
        the sums are known there.

    Returns
    -------
    tuple of TaskStatistic
        In order of z, each ridge once, and of `KINDS` at each.
    """
    distinct = sorted({float(z) for z in values if not math.isinf(z)})
    return tuple(TaskStatistic(kind, z) for z in distinct for kind in KINDS)


def estimate_task(
    n_task: Floats,
    rank: int,
    input_dim: int,
    penalty: Floats,
    series: Mapping[int, tuple[tuple[TaskStatistic, ...], Series]],
) -> TaskEstimate:
    """Moments of the task stage from the blocks of its problems (theory/README.md 4b).

    Parameters
    ----------
    n_task : ndarray, shape (n,)
        Numbers of task samples.
    rank, input_dim : int
        Of the spared subspace, and of the inputs.
    penalty : ndarray, shape (methods, n, noises)
        Per-sample penalties.
    series : mapping
        For each place in `n_task` that has a problem: its statistics and their blocks.

    Returns
    -------
    TaskEstimate
        Where no data act, or the penalty is infinite, the moments are those known exactly.
    """
    limit = task_moments(n_task[:, None], rank, input_dim, np.full(penalty.shape, math.inf))
    mean = np.stack([np.broadcast_to(getattr(limit, f), penalty.shape) for f in TASK_FIELDS])
    mean = np.array(mean)
    groups = max((min(s.n_blocks, _GROUPS) for _, s in series.values()), default=0)
    deviation = np.zeros((*mean.shape, groups))
    for place, (statistics, blocks) in series.items():
        known = np.array([s.z for s in statistics[:: len(KINDS)]])
        z = n_task[place] * penalty[:, place]
        finite = np.isfinite(z)
        at = np.searchsorted(known, z[finite])
        q = input_dim - rank
        whole = _fields(blocks.totals()[1], q)
        leave = _fields(_without_each_group(blocks), q)
        n = leave.shape[-1]
        pulled = (leave - leave.mean(axis=-1, keepdims=True)) * math.sqrt((n - 1) / n)
        mean[:, :, place][:, finite] = whole[:, at]
        deviation[:, :, place, :, :n][:, finite] = pulled[:, at]
    return TaskEstimate(replace(limit, **dict(zip(TASK_FIELDS, mean, strict=True))), deviation)


def _fields(sums: Floats, q: int) -> Floats:
    """TASK_FIELDS at each ridge from the four sums at each: (4 ridges, ...) -> (4, ridges, ...)."""
    f, f2, spread, noise = (sums[i :: len(KINDS)] for i in range(len(KINDS)))
    c2 = spread / (q * (q + 2.0) * max(q - 1.0, 1.0))
    return np.stack([noise / q, f2 / q - q * c2, c2, f / q])


def _without_each_group(series: Series) -> Floats:
    """Means with one group of neighbouring blocks left out, shape (statistics, groups)."""
    edges = np.linspace(0, series.n_blocks, min(series.n_blocks, _GROUPS) + 1).astype(np.int64)
    count = np.add.reduceat(series.count, edges[:-1], axis=1)
    total = np.add.reduceat(series.count * series.mean, edges[:-1], axis=1)
    left = count.sum(axis=1, keepdims=True) - count
    return np.asarray((total.sum(axis=1, keepdims=True) - total) / left)


assert TASK_FIELDS == ("noise", "c1", "c2", "mean_f")
