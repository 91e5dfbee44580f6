"""A risk over imagined recordings, at every number of task samples and penalty of a grid at once.

Given a subspace the risk is linear in products of the task's directions and in the noise's variance
(theory/README.md 5f). So one table over task samples and penalties, averaged over imagined
recordings (5g), serves every misalignment and task noise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.theory.any_covariance import TaskSetting, excess_risk, free_rows
from mcbrain.theory.structured import Structured, diagonal_of
from mcbrain.theory.task_curves import spared_curves
from mcbrain.typing import Floats

__all__ = ["Averages", "Choice", "Stage", "averages"]


@dataclass(frozen=True, eq=False)
class Stage:
    """A task stage that models share which differ in the weights of the task and its noise alone.

    Attributes
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the inputs' covariance; all arrays are in its eigenbasis.
    moments : sequence of Structured or ndarray, shape (d, d)
        M of the test inputs, one for each shift.
    signals : ndarray, shape (d, s)
        Directions of which the task weights of every model are a sum.
    n_task : ndarray, shape (tasks,)
        Numbers of task samples, at least 1.
    penalties : ndarray, shape (tasks, penalties)
        Per sample, in [0, inf].
    """

    spectrum: Floats
    moments: Sequence[Structured | Floats]
    signals: Floats
    n_task: Floats
    penalties: Floats

    @property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The pairs of signals, in the order of the coefficients."""
        first, second = np.triu_indices(self.signals.shape[1])
        return first, second

    def products(self, weights: Floats) -> Floats:
        """What the coefficients of the bias are multiplied with, shape (pairs,).

        Parameters
        ----------
        weights : ndarray, shape (s,)
            Shares of the signals in the task weights.

        Returns
        -------
        ndarray, shape (pairs,)
            Products of two shares, twice where they are of two signals.
        """
        first, second = self.pairs
        return np.asarray(weights[first] * weights[second] * np.where(first == second, 1.0, 2.0))


@dataclass(frozen=True, eq=False)
class Averages:
    """Coefficients of the risk, averaged over imagined recordings.

    Attributes
    ----------
    mean : ndarray, shape (shifts, coefficients, tasks, penalties)
        By the products of signals, and last by sigma_y^2.
    covariance : ndarray, shape (shifts, coefficients, coefficients, tasks, penalties)
        Of the means; zero where no recordings are imagined.
    free_rows : ndarray, shape (tasks, penalties)
        Rows that the fit leaves free, on average; infinite where the law is exact.
    infinite : ndarray of bool, shape (tasks, penalties)
        Where the risk has no mean.
    draws : int
        Imagined recordings; 0 where the subspace is known.
    seconds : float
        Of one core, spent on them.
    """

    mean: Floats
    covariance: Floats
    free_rows: Floats
    infinite: NDArray[np.bool_]
    draws: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Choice:
    """Penalties, each as a weighted sum of the penalties of a stage.

    Attributes
    ----------
    penalty : ndarray, shape (tasks, ...)
        Per sample.
    columns : ndarray of int, shape (tasks, ..., 4)
        Places among the stage's penalties.
    weights : ndarray, shape (tasks, ..., 4)
        Lagrange's, by which a value at the penalty is that of a cubic in its logarithm.
    """

    penalty: Floats
    columns: NDArray[np.intp]
    weights: Floats

    def of(self, table: Floats) -> Floats:
        """The values of a table at the chosen penalties.

        Parameters
        ----------
        table : ndarray, shape (..., tasks, penalties)

        Returns
        -------
        ndarray, shape (..., tasks, ...)
            The last axes are those of `penalty`.
        """
        tasks = np.arange(table.shape[-2]).reshape(-1, *[1] * (self.columns.ndim - 1))
        near = table[..., tasks, self.columns]
        # Where one penalty has all the weight, the others may be infinite.
        with np.errstate(invalid="ignore"):
            weighed = np.where(self.weights == 0.0, 0.0, near * self.weights)
        return np.asarray(np.sum(weighed, axis=-1))


def averages(stage: Stage, subspaces: Iterator[Floats], looks: Sequence[int]) -> Iterator[Averages]:
    """Average over more and more imagined recordings.

    Parameters
    ----------
    stage : Stage
    subspaces : iterator of ndarray, shape (d, r)
        Orthonormal bases of the spared subspaces, as many as the last look has.
    looks : sequence of int
        Numbers of recordings at which to look, ascending; (1,) where the subspace is known.

    Yields
    ------
    Averages
        One for each look.
    """
    began = time.thread_time()
    first: Floats | None = None
    total, squares, free, count = np.zeros(()), np.zeros(()), np.zeros(()), 0
    infinite = np.zeros(stage.penalties.shape, bool)
    for look in looks:
        while count < look:
            found, rows, infinite = _coefficients(stage, next(subspaces))
            first = found if first is None else first
            # About the first, so that no digits are lost.
            away = found - first
            total = total + away
            squares = squares + away[:, :, None] * away[:, None]
            free, count = free + rows, count + 1
        assert first is not None
        known = looks[-1] == 1
        spread = squares - total[:, :, None] * total[:, None] / count
        yield Averages(
            mean=first + total / count,
            covariance=spread * (0.0 if known else 1.0 / (count * (count - 1.0))),
            free_rows=free / count,
            infinite=infinite,
            draws=0 if known else count,
            seconds=0.0 if known else time.thread_time() - began,
        )


def _coefficients(stage: Stage, V: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Coefficients (shifts, coefficients, tasks, penalties), free rows, and where there is no mean.

    Task samples are fewer than the subspace has directions, as many, or more.
    """
    n, rank = stage.n_task, V.shape[1]
    shape = stage.penalties.shape
    values = np.zeros((len(stage.moments), len(stage.pairs[0]) + 1, *shape))
    free, infinite = np.full(shape, math.inf), np.zeros(shape, bool)
    if rank:
        infinite[np.abs(n - rank) <= 1] = True
    for t in np.flatnonzero(n < rank - 1):  # no penalty acts
        rows = int(n[t])
        values[:, :, t] = _quadratic(stage, lambda s: excess_risk(s, 0.0, V), rows)[:, :, None]
        free[t] = free_rows(_setting(stage, 0, stage.signals[:, 0], 0.0, rows), 0.0, V)
    more = np.flatnonzero(n > (rank + 1 if rank else 0))
    if more.size:
        curves = spared_curves(stage.spectrum, stage.moments, stage.signals, V)
        with np.errstate(all="ignore"):  # replaced below where nothing is left free
            found = curves.coefficients(n[more, None], stage.penalties[more])
        values[:, :-1, more], values[:, -1, more] = found.bias, found.noise
        free[more] = np.where(np.isinf(stage.penalties[more]), math.inf, found.free_rows)
    _least_squares(stage, values, free, infinite)
    values[:, :, infinite] = 0.0
    return values, free, infinite


def _least_squares(stage: Stage, values: Floats, free: Floats, infinite: NDArray[np.bool_]) -> None:
    """Write the exact risk of every fit without a penalty, where samples are no fewer than inputs.

    It is sigma_y^2 tr(M Sigma^-1)/(n - d - 1), without a mean beside n = d.
    """
    spare = stage.n_task - stage.spectrum.size - 1.0
    here = (stage.penalties == 0.0) & (spare >= -2.0)[:, None]
    infinite[here & (spare <= 0.0)[:, None]] = True
    values[:, :, here], free[here] = 0.0, math.inf
    cost = np.array([np.sum(diagonal_of(M) / stage.spectrum) for M in stage.moments])
    left = np.broadcast_to(np.maximum(spare, 1.0)[:, None], here.shape)[here]
    values[:, -1, here] = cost[:, None] / left


def _quadratic(stage: Stage, risk: Callable[[TaskSetting], float], n_task: int) -> Floats:
    """The coefficients of a risk that is known as a function of a setting, (shifts, coefficients).

    A quadratic form is known by its values at signals and at sums of two of them.
    """
    signals, (first, second) = stage.signals, stage.pairs
    count = signals.shape[1]
    found = np.zeros((len(stage.moments), first.size + 1))
    for m in range(len(stage.moments)):
        own = [risk(_setting(stage, m, signals[:, a], 0.0, n_task)) for a in range(count)]
        for place, (a, b) in enumerate(zip(first, second, strict=True)):
            both = _setting(stage, m, signals[:, a] + signals[:, b], 0.0, n_task)
            found[m, place] = own[a] if a == b else 0.5 * (risk(both) - own[a] - own[b])
        found[m, -1] = risk(_setting(stage, m, np.zeros(len(signals)), 1.0, n_task))
    return found


def _setting(stage: Stage, m: int, weights: Floats, noise: float, n_task: int) -> TaskSetting:
    """One task of the stage under one of its shifts."""
    return TaskSetting(stage.spectrum, weights, stage.moments[m], noise, n_task)
