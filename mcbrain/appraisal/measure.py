"""Learning curves of ridge and BEFS on the user's own held-out rows.

Rows are held out in folds; within each fold both estimators learn from the same random subsets of
the other rows, at the penalty that the laws call best. Held-out and training rows are the same rows
in turn, so their errors are not independent and no simple formula gives the standard error of a
mean reduction of error. But at a fixed penalty fits are linear in y: labels simulated from the
estimated model are further targets of the same fits, and the spread of their reductions is the
standard error. It is widened by the ratio of the spread of real to simulated reductions over
held-out rows, where that exceeds one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from mcbrain.appraisal.arrays import Arrays
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import best_penalty, missed_at
from mcbrain.befs.brain_encoder import BrainEncoder
from mcbrain.typing import Floats

__all__ = ["HeldOut", "measure", "task_sizes"]

Rows = NDArray[np.integer]

_FOLDS = 10
_SUBSETS = 4
_SIMULATED = 60
_LARGEST = 0.7
_SPARE_BRAIN = 10
# Singular values below this share of the largest count as zero.
_SINGULAR = 1e-10


@dataclass(frozen=True)
class HeldOut:
    """Both estimators at one pair of sizes, on held-out rows and in the units of y squared.

    Attributes
    ----------
    n_task, n_brain : int
        Rows that the fits saw.
    ridge_penalty, befs_penalty : float
        Per-sample penalties.
    ridge, befs : float
        Mean squared error on held-out rows.
    reduction : float
        ridge - befs on the same rows and subsets.
    reduction_se, ridge_se, befs_se : float
        Standard errors of `reduction`, `ridge` and `befs`.
    """

    n_task: int
    n_brain: int
    ridge_penalty: float
    befs_penalty: float
    ridge: float
    befs: float
    reduction: float
    reduction_se: float
    ridge_se: float
    befs_se: float


def task_sizes(n_task: int, rank: int) -> list[int]:
    """Six sizes of training sets, geometric; the smallest leaves room for the subspace.

    Parameters
    ----------
    n_task : int
        Task rows in hand.
    rank : int
        Of the subspace.

    Returns
    -------
    list of int
        Ascending, up to 0.7 n_task.
    """
    largest = int(_LARGEST * n_task)
    smallest = min(max(2 * rank + 8, n_task // 16), largest)
    return sorted({int(n) for n in np.geomspace(smallest, largest, 6).round()})


def measure(
    arrays: Arrays,
    estimates: Estimates,
    *,
    block_length: int,
    seed: int,
    progress: Callable[[float], None] | None = None,
) -> list[HeldOut]:
    """Measure both estimators at several task sizes, with all, half and a quarter of the brain.

    Parameters
    ----------
    arrays : Arrays
        As `prepare` returns them.
    estimates : Estimates
        The model, which gives the penalties and the simulated labels.
    block_length : int
        Rows are held out, drawn and counted in stretches of this many consecutive rows; with 1,
        rows of equal inputs go together.
    seed : int
        Of the folds, the subsets and the simulated labels.
    progress : callable, optional
        Called with the share done, from 0 to 1.

    Returns
    -------
    list of HeldOut
        Each task size with each number of brain rows.
    """
    s = estimates.shape
    rng = np.random.default_rng(seed)
    n, total = arrays.X.shape[0], arrays.X_brain.shape[0]
    levels = [total, *(k for k in (total // 2, total // 4) if k > s.d + _SPARE_BRAIN)]
    sizes = task_sizes(n, s.r)
    penalties = _penalties(estimates, sizes, levels)
    labels = np.column_stack([arrays.y, _simulated_labels(arrays.X, estimates, rng)])
    stretches = _stretches(arrays.X, block_length)
    folds = _folds(stretches, rng)
    tally = _Tally(len(sizes), len(levels), labels.shape[1])
    for f, held in enumerate(folds):
        rest = np.setdiff1d(np.arange(n), held)
        squares = np.zeros((len(sizes), 1 + len(levels), held.size, labels.shape[1]))
        for _ in range(_SUBSETS):
            bases = [_subspace(arrays, estimates, level, block_length, rng) for level in levels]
            order = _shuffled(rest, stretches, rng)
            for i, size in enumerate(sizes):
                squares[i] += _held_out(arrays.X, labels, order[:size], held, bases, penalties[i])
        tally.add(squares / _SUBSETS, stretches[held])
        if progress is not None:
            progress((f + 1) / len(folds))
    return _pairs(sizes, levels, penalties, tally)


class _Tally:
    """Sums over held-out rows for each target; the first is real, the others are simulated."""

    def __init__(self, sizes: int, levels: int, targets: int) -> None:
        self.rows = 0
        self.losses = np.zeros((sizes, 1 + levels, targets))
        # Sums over stretches of rows, for the spread of their mean: of the squared number of rows,
        # of the sum of losses times that number, and of the squared sum of losses.
        self.counts = 0
        self.crossed = np.zeros((sizes, levels, targets))
        self.squared = np.zeros((sizes, levels, targets))

    def add(self, squares: Floats, stretches: Rows) -> None:
        """Squared errors (sizes, 1 + levels, rows, targets) of one fold, ordered by stretch."""
        self.rows += stretches.size
        self.losses += squares.sum(axis=2)
        starts = np.flatnonzero(np.r_[True, np.diff(stretches) != 0])
        counts = np.diff(np.r_[starts, stretches.size])
        sums = np.add.reduceat(squares[:, :1] - squares[:, 1:], starts, axis=2)
        self.counts += int(np.sum(counts**2))
        self.crossed += np.einsum("ikbt,b->ikt", sums, counts)
        self.squared += np.sum(sums**2, axis=2)

    def results(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Mean losses, standard errors (sizes, 1 + levels); reductions, theirs (sizes, levels)."""
        mean = self.losses / self.rows
        reductions = mean[:, :1] - mean[:, 1:]
        spread = self.squared - 2.0 * reductions * self.crossed + reductions**2 * self.counts
        simulated = np.mean(spread[..., 1:], axis=-1)
        # Where both estimators are the same, the reductions are zero and have no spread.
        widening = np.ones_like(simulated)
        np.divide(spread[..., 0], simulated, out=widening, where=simulated > 0)
        widening = np.sqrt(np.maximum(widening, 1.0))
        error = np.std(reductions[..., 1:], axis=-1, ddof=1) * widening
        return mean[..., 0], np.std(mean[..., 1:], axis=-1, ddof=1), reductions[..., 0], error


def _pairs(sizes: list[int], levels: list[int], penalties: Floats, tally: _Tally) -> list[HeldOut]:
    """Every size with every level of brain data, as measured."""
    mean, mean_error, reduction, reduction_error = tally.results()
    return [
        HeldOut(
            n_task=size,
            n_brain=level,
            ridge_penalty=float(penalties[i, 0]),
            befs_penalty=float(penalties[i, 1 + k]),
            ridge=float(mean[i, 0]),
            befs=float(mean[i, 1 + k]),
            reduction=float(reduction[i, k]),
            reduction_se=float(reduction_error[i, k]),
            ridge_se=float(mean_error[i, 0]),
            befs_se=float(mean_error[i, 1 + k]),
        )
        for i, size in enumerate(sizes)
        for k, level in enumerate(levels)
    ]


def _simulated_labels(X: Floats, estimates: Estimates, rng: np.random.Generator) -> Floats:
    """Labels (n, targets) of tasks with the estimated noise, signal and share outside P."""
    value, basis = estimates.value.bounded(), estimates.subspace
    inside = rng.standard_normal((basis.shape[1], _SIMULATED))
    outside = rng.standard_normal((X.shape[1], _SIMULATED))
    outside -= basis @ (basis.T @ outside)
    inside *= np.sqrt((1.0 - value.missed) / np.sum(inside**2, axis=0))
    outside *= np.sqrt(value.missed / np.sum(outside**2, axis=0))
    weights = np.sqrt(value.signal) * (basis @ inside + outside)
    noise = value.task_noise * rng.standard_normal((X.shape[0], _SIMULATED))
    return np.asarray(X @ weights + noise)


def _penalties(estimates: Estimates, sizes: list[int], levels: list[int]) -> Floats:
    """Per-sample penalties (sizes, 1 + levels) of ridge and of BEFS."""
    s, value = estimates.shape, estimates.value.bounded()
    missed = [missed_at(value, estimates, level) for level in levels]
    return np.array(
        [
            [float(best_penalty(value, n, 0, 1.0, s.d))]
            + [float(best_penalty(value, n, s.r, m, s.d)) for m in missed]
            for n in sizes
        ]
    )


def _folds(stretches: Rows, rng: np.random.Generator) -> list[Rows]:
    """Held-out rows of each fold, whole stretches at a time."""
    order = rng.permutation(int(np.max(stretches)) + 1)
    parts = np.array_split(order, min(_FOLDS, order.size))
    held = [np.flatnonzero(np.isin(stretches, part)) for part in parts]
    return [rows[np.argsort(stretches[rows], kind="stable")] for rows in held]


def _stretches(X: Floats, block_length: int) -> Rows:
    """Which rows belong together, (n,): consecutive ones, or else repeats of the same input."""
    if block_length > 1:
        return np.arange(X.shape[0]) // block_length
    _, first, which = np.unique(X, axis=0, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[which.ravel()])


def _shuffled(rows: Rows, stretches: Rows, rng: np.random.Generator) -> Rows:
    """The rows with their stretches in random order."""
    rank = rng.permutation(int(np.max(stretches)) + 1)
    return rows[np.argsort(rank[stretches[rows]], kind="stable")]


def _subspace(
    arrays: Arrays, estimates: Estimates, level: int, block_length: int, rng: np.random.Generator
) -> Floats:
    """The subspace that `level` brain rows drawn at random give; the one in hand for all."""
    total = arrays.X_brain.shape[0]
    if level == total:
        return estimates.subspace
    rows = _shuffled(np.arange(total), np.arange(total) // block_length, rng)[:level]
    encoder = BrainEncoder(n_latents=estimates.shape.r)
    return np.asarray(encoder.fit(arrays.X_brain[rows], arrays.R[rows]).subspace_)


def _held_out(
    X: Floats, labels: Floats, rows: Rows, held: Rows, bases: list[Floats], penalties: Floats
) -> Floats:
    """Squared errors (1 + levels, held, targets) of ridge and of BEFS with each subspace."""
    mean, means = X[rows].mean(axis=0), labels[rows].mean(axis=0)
    centred, n, d = X[rows] - mean, rows.size, X.shape[1]
    gram, moment = centred.T @ centred / n, centred.T @ (labels[rows] - means) / n
    out = []
    for basis, penalty in zip([np.zeros((d, 0)), *bases], penalties, strict=True):
        if np.isinf(penalty):
            coef = basis @ linalg.lstsq(basis.T @ gram @ basis, basis.T @ moment)[0]
        else:
            omega = np.eye(d) - basis @ basis.T
            coef = _solve(gram + penalty * omega, moment)
        out.append((labels[held] - means - (X[held] - mean) @ coef) ** 2)
    return np.array(out)


def _solve(matrix: Floats, moment: Floats) -> Floats:
    """Solution of a positive definite system, the least one where it is singular."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", linalg.LinAlgWarning)
        try:
            return np.asarray(linalg.solve(matrix, moment, assume_a="pos"))
        except (linalg.LinAlgError, linalg.LinAlgWarning):
            return np.asarray(linalg.lstsq(matrix, moment, cond=_SINGULAR)[0])
