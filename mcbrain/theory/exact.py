"""Exact laws of the excess risk at every sample size (theory/README.md 4a, 4b, 4c, 4d).

Isotropic Gaussian inputs and |beta| = 1 throughout: callers divide the task noise by |beta| and
multiply the excess by |beta|^2. Moments of the task stage come from `wishart.task_moments`, those
of the brain stage from `brain`, be they a law's or a simulation's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.theory.brain import BrainMoments, brain_moments, known_subspace_moments
from mcbrain.theory.frame import ShiftCoefficients, concept_drift, signal_coordinates
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import TaskMoments
from mcbrain.typing import Floats

__all__ = [
    "BrainMoments",
    "ShiftCoefficients",
    "SubspaceMoments",
    "TaskMoments",
    "brain_moments",
    "concept_drift",
    "excess_risk",
    "known_subspace_moments",
    "optimal_band_penalties",
    "optimal_eta",
    "optimal_penalty",
    "optimal_shift_penalty",
    "signal_coordinates",
]


ROUNDING = 1e-13  # relative to tr M: a weight below it is zero

INFINITE = np.asarray(np.inf)


def excess_risk(
    task: TaskMoments,
    brain: BrainMoments,
    *,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
) -> Floats:
    """E (beta_hat - beta_te)' M (beta_hat - beta_te), exact (theory/README.md 4b, 4d).

    Every argument broadcasts against every other, so that a grid costs its task axis plus its brain
    axis plus one fused pass.

    Parameters
    ----------
    task : TaskMoments
        Means over the task stage, which depend on n_task, rank, input_dim and penalty alone.
    brain : BrainMoments
        Moments of the subspace, the signal and the shift.
    n_task : array_like
        Number of task samples n_T.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.

    Returns
    -------
    Array
        In units of |beta|^2; inf where the mean is infinite: |n_task - rank| <= 1 with rank > 0,
        and wherever `task.noise` is, unless what is infinite there has weight zero under M, no
        label noise or nothing to explain.
    """
    n, r, d, sigma = _floats(n_task, rank, input_dim, task_noise)
    q, variance = d - r, sigma**2
    gap, whole = n - r - 1.0, brain.trace_m
    v = _weighted(variance, task.noise, np.zeros(()))
    # Inside P: least squares against the noise plus what the outside part fails to explain.
    outside_noise = _weighted(brain.trace, variance + q * v, whole)
    outside_signal = (task.c1 + q * task.c2) * brain.m_hat_trace
    unexplained = outside_noise + outside_signal
    if np.all(gap > 0):
        inside = unexplained / gap
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(gap > 0, unexplained / gap, _weighted(unexplained, INFINITE, whole))
    outside = (
        task.c2 * (brain.m_hat * brain.trace_m - brain.m_hat_trace)
        + _weighted(brain.trace_m - brain.trace, v, whole)
        + task.c1 * brain.residual
    )
    moved = 2.0 * task.mean_f * brain.missed_drift + brain.drift
    above = np.where(r > 0, inside, 0.0) + outside + moved
    if np.all((r == 0) | (n > r)):
        return above
    below = _minimum_norm_excess(brain, n, r, variance)
    return np.where((r == 0) | (n >= r), above, below)


def _minimum_norm_excess(brain: BrainMoments, n: Floats, r: Floats, variance: Floats) -> Floats:
    """n < r - 1: the data are interpolated inside P, so no penalty acts (theory/README.md 4b).

    P beta is seen through I - G, G a Haar projection on the r - n directions of P without data.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = 1.0 - n / r
        x_plus_y = lost * (r - n + 2.0) / (r + 2.0) - lost * n / ((r + 2.0) * (r - 1.0))
        y = lost * n / ((r + 2.0) * (r - 1.0))
        amplified = np.where(r - n > 1, n / (r * (r - n - 1.0)), INFINITE)
    unexplained = variance * brain.trace + brain.m_hat_trace
    inside_trace = brain.trace - brain.m_hat_trace  # E |P beta|^2 tr(PM)
    inside_signal = brain.signal - 2.0 * brain.missed_signal + brain.residual  # E beta'PMP beta
    crossed = brain.missed_signal - brain.residual  # E beta'PM(I-P) beta
    with np.errstate(invalid="ignore"):  # r below 2, where the caller has no use for the sum
        moved = 2.0 * (lost * (brain.signal_drift - brain.missed_drift) + brain.missed_drift)
        return np.asarray(
            y * inside_trace
            + x_plus_y * inside_signal
            + _weighted(unexplained, amplified, brain.trace_m)
            + 2.0 * lost * crossed
            + brain.residual
            + moved
            + brain.drift
        )


def _weighted(weight: Floats, moment: Floats, scale: Floats) -> Floats:
    """weight * moment, 0 where an infinite moment has a weight that is 0 to rounding."""
    if np.all(np.isfinite(moment)):
        return np.asarray(weight * moment)
    nothing = np.isinf(moment) & (np.abs(weight) <= ROUNDING * np.abs(scale))
    with np.errstate(invalid="ignore"):
        return np.where(nothing, 0.0, weight * moment)


def optimal_penalty(
    task_noise: ArrayLike,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    m_bar: ArrayLike = 1.0,
) -> Floats:
    """Per-sample penalty that minimises the expected excess under `id` (theory/README.md 4c).

    Ridge is rank 0 and m_bar 1. Zero without task noise; infinite (projection) where m_bar is 0;
    NaN where m_bar is.

    Parameters
    ----------
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.
    n_task : array_like
        Number of task samples n_T.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    m_bar : array_like
        Mean share of the squared signal that the subspace misses, from 0 to 1; 1 for ridge.

    Returns
    -------
    ndarray
        Of the shape that the arguments broadcast to.
    """
    sigma, n, r, d, missed = _floats(task_noise, n_task, rank, input_dim, m_bar)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(missed <= 0, np.inf, sigma**2 * (d - r) / (n * missed))


def optimal_band_penalties(
    task_noise: ArrayLike,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    m_bar: ArrayLike,
) -> tuple[Floats, Floats]:
    """Penalties (outside P, inside P) of the two-penalty estimator (theory/README.md 4c).

    Each is the noise over the signal per direction of its band; optimal for a signal that is
    uniformly oriented within each band. eta is their ratio, inside over outside: `optimal_eta`.

    Parameters
    ----------
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.
    n_task : array_like
        Number of task samples n_T.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    m_bar : array_like
        Mean share of the squared signal that the subspace misses, from 0 to 1; 1 for ridge.

    Returns
    -------
    tuple of ndarray
        Per-sample penalties outside and inside P, each of the shape of the arguments, broadcast.
    """
    r, d, missed = _floats(rank, input_dim, m_bar)
    outside = optimal_penalty(task_noise, n_task, r, d, missed)
    return outside, optimal_penalty(task_noise, n_task, d - r, d, 1.0 - missed)


def optimal_eta(rank: ArrayLike, input_dim: ArrayLike, m_bar: ArrayLike) -> Floats:
    """Penalty inside P over that outside, r m_bar/(q (1 - m_bar)): the label noise cancels (4c).

    So it holds where that noise, and with it both penalties, are zero: what decides then is which
    of the fits that interpolate the data has the smallest weighted norm.

    Parameters
    ----------
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    m_bar : array_like
        Mean share of the squared signal that the subspace misses, from 0 to 1; 1 for ridge.

    Returns
    -------
    ndarray
        Of the shape that the arguments broadcast to.
    """
    r, d, missed = _floats(rank, input_dim, m_bar)
    with np.errstate(divide="ignore"):
        return np.asarray(r * missed / ((d - r) * (1.0 - missed)))


def optimal_shift_penalty(
    law: Callable[[ArrayLike, int, int, ArrayLike], TaskMoments],
    brain: BrainMoments,
    *,
    n_task: int,
    rank: int,
    input_dim: int,
    task_noise: float,
) -> float:
    """Per-sample penalty that minimises the expected excess under the shift of `brain`.

    A search over log penalty: 0, inf and a grid of four points per decade around the `id` optimum,
    then Brent's method within the best bracket, to 1e-6.

    Parameters
    ----------
    law : callable
        `wishart.task_moments`: (n_task, rank, input_dim, penalty) -> TaskMoments.
    brain : BrainMoments
        Scalar moments under the row's own shift.
    n_task : array_like
        Number of task samples n_T.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.

    Returns
    -------
    float
        0.0 where no penalty has an effect; NaN where `brain` has no value.
    """
    from scipy.optimize import minimize_scalar

    def risk(penalty: ArrayLike) -> Floats:
        values = excess_risk(
            law(n_task, rank, input_dim, penalty),
            brain,
            n_task=n_task,
            rank=rank,
            input_dim=input_dim,
            task_noise=task_noise,
        )
        return np.asarray(values)

    if input_dim == rank or n_task <= rank:
        return 0.0  # nothing to shrink, or no effect on the fit
    grid = _penalty_grid(task_noise, n_task, rank, input_dim, float(brain.m_hat))
    values = risk(grid)
    if np.any(np.isnan(values)):
        return float("nan")
    best = int(np.argmin(values))
    if task_noise == 0.0:
        best = _end_if_as_good(values, best)
    if not 1 < best < len(grid) - 2 or values[best] >= min(values[best - 1], values[best + 1]):
        return float(grid[best])  # at an end, or on a plateau that has no single best
    found = minimize_scalar(
        lambda t: float(risk(np.exp(t))),
        bracket=tuple(np.log(grid[best - 1 : best + 2])),
        options={"xtol": 1e-6},
    )
    return float(np.exp(found.x))


def _penalty_grid(
    task_noise: float, n_task: int, rank: int, input_dim: int, m_hat: float
) -> Floats:
    """0, four penalties per decade, inf.

    They reach eight decades beyond either scale that an optimum can have: noise over signal, which
    is the optimum under `id`, and 1, the variance of an input, where a moved task may put it.
    """
    centre = float(optimal_penalty(task_noise, n_task, rank, input_dim, max(m_hat, 1e-9)))
    if not 1e-300 < centre < 1e300:
        centre = 1.0
    away = -np.log10(centre)
    exponents = np.arange(-8.0 + min(0.0, np.floor(away)), 8.01 + max(0.0, np.ceil(away)), 0.25)
    return np.concatenate([[0.0], centre * 10.0**exponents, [np.inf]])


def _end_if_as_good(values: Floats, best: int) -> int:
    """Without noise the risk is flat near zero, and near infinity, where rounding would choose."""
    for end in (0, len(values) - 1):
        if values[end] <= values[best] * (1.0 + ROUNDING) + ROUNDING:
            return end
    return best


def _floats(*values: ArrayLike) -> list[Floats]:
    return [np.asarray(x, dtype=float) for x in values]
