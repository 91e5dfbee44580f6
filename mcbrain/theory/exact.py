"""Exact laws of the excess risk at every sample size (theory/README.md 4a, 4b, 4c, 4d).

Isotropic Gaussian inputs and |beta| = 1 throughout: callers divide the task noise by |beta| and
multiply the excess by |beta|^2. Moments of the task stage come from `wishart.task_moments`, those
of the brain stage from `brain`, be they a law's or a simulation's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcbrain.theory.brain import BrainMoments, brain_moments, known_subspace_moments
from mcbrain.theory.frame import ShiftCoefficients, concept_drift, signal_coordinates
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import TaskMoments

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
    "optimal_penalty",
    "optimal_shift_penalty",
    "signal_coordinates",
]

Array = NDArray[np.float64]


def excess_risk(
    task: TaskMoments,
    brain: BrainMoments,
    *,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
) -> Array:
    """E (beta_hat - beta_te)' M (beta_hat - beta_te), exact (theory/README.md 4b, 4d).

    Every argument broadcasts against every other, so that a grid costs its task axis plus its brain
    axis plus one fused pass.

    Parameters
    ----------
    task
        E over the task stage; depends on (n_task, rank, input_dim, penalty) alone.
    brain
        E over the brain stage; depends on the subspace, the signal and the shift alone.
    rank
        Rank of P; 0 for ridge and OLS.
    task_noise
        sigma_y / |beta|.

    Returns
    -------
    Array
        In units of |beta|^2; inf where the mean is infinite (|n_task - rank| <= 1 with rank > 0,
        and wherever `task.noise` is).
    """
    n, r, d, sigma = _floats(n_task, rank, input_dim, task_noise)
    q, variance = d - r, sigma**2
    gap = n - r - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        v = np.where(variance > 0, variance * task.noise, 0.0)  # 0 times inf is 0 here
        # Inside P: least squares against the noise plus what the outside part fails to explain.
        outside_noise = (variance + q * v) * brain.trace
        outside_signal = (task.c1 + q * task.c2) * brain.m_hat_trace
        inside = np.where(r > 0, (outside_noise + outside_signal) / gap, 0.0)
    outside = (
        task.c2 * (brain.m_hat * brain.trace_m - brain.m_hat_trace)
        + v * (brain.trace_m - brain.trace)
        + task.c1 * brain.residual
    )
    moved = 2.0 * task.mean_f * brain.missed_drift + brain.drift
    above = np.where(gap > 0, inside + outside + moved, np.inf)
    if np.all((r == 0) | (n > r)):
        return np.where(r == 0, outside + moved, above)
    below = np.where(r - n > 1, _minimum_norm_excess(brain, n, r, variance), np.inf)
    return np.where(r == 0, outside + moved, np.where(n > r, above, below))


def _minimum_norm_excess(brain: BrainMoments, n: Array, r: Array, variance: Array) -> Array:
    """n < r - 1: the data are interpolated inside P, so no penalty acts (theory/README.md 4b).

    P beta is seen through I - G, G a Haar projection on the r - n directions of P without data.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = 1.0 - n / r
        x_plus_y = lost * (r - n + 2.0) / (r + 2.0) - lost * n / ((r + 2.0) * (r - 1.0))
        y = lost * n / ((r + 2.0) * (r - 1.0))
        amplified = n / (r * (r - n - 1.0))
    inside_trace = brain.trace - brain.m_hat_trace  # E |P beta|^2 tr(PM)
    inside_signal = brain.signal - 2.0 * brain.missed_signal + brain.residual  # E beta'PMP beta
    crossed = brain.missed_signal - brain.residual  # E beta'PM(I-P) beta
    moved = 2.0 * (lost * (brain.signal_drift - brain.missed_drift) + brain.missed_drift)
    with np.errstate(invalid="ignore"):  # r = 1, where the caller has no use for the sum
        return np.asarray(
            y * inside_trace
            + x_plus_y * inside_signal
            + amplified * (variance * brain.trace + brain.m_hat_trace)
            + 2.0 * lost * crossed
            + brain.residual
            + moved
            + brain.drift
        )


def optimal_penalty(
    task_noise: ArrayLike,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    m_bar: ArrayLike = 1.0,
) -> Array:
    """Per-sample penalty that minimises the expected excess under `id` (theory/README.md 4c).

    Ridge is rank 0 and m_bar 1. Zero without task noise; infinite (projection) where m_bar is 0.
    """
    sigma, n, r, d, missed = _floats(task_noise, n_task, rank, input_dim, m_bar)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(missed > 0, sigma**2 * (d - r) / (n * missed), np.inf)


def optimal_band_penalties(
    task_noise: ArrayLike,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    m_bar: ArrayLike,
) -> tuple[Array, Array]:
    """Penalties (outside P, inside P) of the two-penalty estimator (theory/README.md 4c).

    Each is the noise over the signal per direction of its band; optimal for a signal that is
    uniformly oriented within each band. eta is their ratio, inside over outside.
    """
    r, d, missed = _floats(rank, input_dim, m_bar)
    outside = optimal_penalty(task_noise, n_task, r, d, missed)
    return outside, optimal_penalty(task_noise, n_task, d - r, d, 1.0 - missed)


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
    law
        `wishart.task_moments`: (n_task, rank, input_dim, penalty) -> TaskMoments.
    brain
        Scalar moments under the row's own shift.
    """
    from scipy.optimize import minimize_scalar

    def risk(moments: TaskMoments) -> Array:
        return excess_risk(
            moments,
            brain,
            n_task=n_task,
            rank=rank,
            input_dim=input_dim,
            task_noise=task_noise,
        )

    if task_noise == 0.0 or input_dim == rank or n_task <= rank:
        return 0.0  # nothing to shrink for, nothing to shrink, or no effect on the fit
    m_hat = max(float(brain.m_hat), 1e-9)
    centre = float(optimal_penalty(task_noise, n_task, rank, input_dim, m_hat))
    inner = centre * 10.0 ** np.arange(-8.0, 8.01, 0.25)
    grid = np.concatenate([[0.0], inner, [np.inf]])
    values = risk(law(n_task, rank, input_dim, grid))
    best = int(np.argmin(values))
    if not 1 < best < len(grid) - 2 or values[best] >= min(values[best - 1], values[best + 1]):
        return float(grid[best])  # at an end, or on a plateau that has no single best
    found = minimize_scalar(
        lambda t: float(risk(law(n_task, rank, input_dim, np.exp(t)))),
        bracket=tuple(np.log(grid[best - 1 : best + 2])),
        options={"xtol": 1e-6},
    )
    return float(np.exp(found.x))


def _floats(*values: ArrayLike) -> list[Array]:
    return [np.asarray(x, dtype=float) for x in values]
