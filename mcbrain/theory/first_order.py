"""Large-sample laws in a line each: theory of the paper's kind (theory/README.md 5a, 5d, 6).

|beta| = 1, isotropic Gaussian inputs, rank = number of measured latents; misalignment, loadings and
gains are those of the measured block (m_eff, a restricted and renormalised). Arrays broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = [
    "LargeSampleBudget",
    "brain_error",
    "brain_value",
    "excess_at_optimum",
    "initial_rate",
    "large_sample_budget",
    "large_sample_value",
    "missed_fraction",
]


def brain_error(
    misalignment: ArrayLike,
    loadings: ArrayLike,
    gains: ArrayLike,
    *,
    neural_noise: ArrayLike,
    input_dim: int,
) -> Floats:
    """delta of m_bar = m + delta/(n_B - d - 1) + ..., (...) (theory/README.md 5a).

    Negative where estimation noise turns the subspace towards u more than away from the latents.

    Parameters
    ----------
    misalignment : array_like, shape (...)
        Share m of the squared signal outside the latents, from 0 to 1.
    loadings : array_like, shape (..., k)
        Unit vector a: the signal along the latents.
    gains : array_like, shape (..., k)
        Gains D > 0 of the measured latents.
    neural_noise : array_like, shape (...)
        Standard deviation sigma_r of the noise of one recording channel.
    input_dim : array_like of int
        Dimension d of the inputs.

    Returns
    -------
    ndarray, shape (...)
        delta, in units of |beta|^2 times brain samples.
    """
    m = np.asarray(misalignment, dtype=float)
    a = np.asarray(loadings, dtype=float)
    inverse = np.asarray(gains, dtype=float) ** -2.0
    q = input_dim - inverse.shape[-1]
    inside = np.sum(a**2 * inverse, axis=-1)
    variance = np.asarray(neural_noise, dtype=float) ** 2
    return np.asarray(variance * (q * (1.0 - m) * inside - m * np.sum(inverse, axis=-1)))


def missed_fraction(
    misalignment: ArrayLike, delta: ArrayLike, n_brain: ArrayLike, input_dim: ArrayLike
) -> Floats:
    """m_bar to first order in 1/n_B; inf where n_brain <= input_dim + 1 (5a).

    Parameters
    ----------
    misalignment : array_like, shape (...)
        Share m of the squared signal outside the latents, from 0 to 1.
    delta : array_like, shape (...)
        First-order error of the subspace; see `brain_error`.
    n_brain : array_like, shape (...)
        Number of brain samples n_B.
    input_dim : array_like of int
        Dimension d of the inputs.

    Returns
    -------
    ndarray, shape (...)
        A share of |beta|^2.
    """
    m, slope, n, d = _floats(misalignment, delta, n_brain, input_dim)
    spare = n - d - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spare > 0, m + slope / spare, np.inf)


def excess_at_optimum(
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
    m_bar: ArrayLike = 1.0,
) -> Floats:
    """Excess under `id` at the optimal penalty, up to O(n_T^-3) (theory/README.md 5d).

    Needs n_T >> d and n_T >> sigma_y^2 q / m_bar. Ridge is rank 0 and m_bar 1.

    Parameters
    ----------
    n_task : array_like
        Number of task samples n_T.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.
    m_bar : array_like
        Mean share of the squared signal that the subspace misses, from 0 to 1; 1 for ridge.

    Returns
    -------
    ndarray
        In units of |beta|^2.
    """
    n, r, d, sigma, missed = _floats(n_task, rank, input_dim, task_noise, m_bar)
    return np.asarray(sigma**2 * d / (n - d - 1.0) - (sigma**2 * (d - r) / n) ** 2 / missed)


def large_sample_value(
    m_bar: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
    baseline: str = "ols",
) -> Floats:
    """Task samples that brain data replaces as n_T grows, v_T (theory/README.md 6).

    Parameters
    ----------
    m_bar : array_like
        Mean share of the squared signal that the subspace misses, from 0 to 1; 1 for ridge.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.
    baseline : str
        "ols", or "ridge" (tuned), which by itself is worth sigma_y^2 d samples of OLS.

    Returns
    -------
    ndarray
        A number of task samples.
    """
    missed, r, d, sigma = _floats(m_bar, rank, input_dim, task_noise)
    with np.errstate(divide="ignore"):
        value = sigma**2 * (d - r) ** 2 / (d * missed)
    return np.asarray(value - _ridge_value(baseline, d, sigma))


def initial_rate(
    delta: ArrayLike, rank: ArrayLike, input_dim: ArrayLike, task_noise: ArrayLike
) -> Floats:
    """rho_0, task samples per brain sample where returns are not yet diminishing (6).

    (1 - r/d) SNR_B/SNR_T if the task is aligned.

    Parameters
    ----------
    delta : array_like, shape (...)
        First-order error of the subspace; see `brain_error`.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.

    Returns
    -------
    ndarray
        Task samples per brain sample.
    """
    slope, r, d, sigma = _floats(delta, rank, input_dim, task_noise)
    return np.asarray(sigma**2 * (d - r) ** 2 / (d * slope))


def brain_value(
    n_brain: ArrayLike,
    misalignment: ArrayLike,
    delta: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
    baseline: str = "ols",
) -> Floats:
    """v_T = rho_0 N/(1 + m N/delta), N = n_B - d - 1 (6): half of its limit at N = delta/m.

    Zero against OLS where n_brain <= input_dim + 1, where this law sees nothing.

    Parameters
    ----------
    n_brain : array_like, shape (...)
        Number of brain samples n_B.
    misalignment : array_like, shape (...)
        Share m of the squared signal outside the latents, from 0 to 1.
    delta : array_like, shape (...)
        First-order error of the subspace; see `brain_error`.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.
    baseline : str
        "ols", or "ridge", which is ridge at its best penalty.

    Returns
    -------
    ndarray
        A number of task samples.
    """
    n, m, slope, d, sigma = _floats(n_brain, misalignment, delta, input_dim, task_noise)
    spare = np.maximum(n - d - 1.0, 0.0)
    value = initial_rate(slope, rank, d, sigma) * spare / (1.0 + m * spare / slope)
    return np.asarray(value - _ridge_value(baseline, d, sigma))


@dataclass(frozen=True)
class LargeSampleBudget:
    """The best number of brain samples, and whether any are worth their price.

    Attributes
    ----------
    n_brain
        N_s (sqrt(rho_0/c) - 1) + d + 1, not rounded; 0 where it is not worth collecting.
    gain
        Task samples gained over spending everything on them (negative: lost) at the best n_brain.
    worth_collecting
        Whether the gain is positive.
    """

    n_brain: Floats
    gain: Floats
    worth_collecting: NDArray[np.bool_]


def large_sample_budget(
    price: ArrayLike,
    misalignment: ArrayLike,
    delta: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
    baseline: str = "ridge",
) -> LargeSampleBudget:
    """Where to stop collecting brain data for m > 0, delta > 0 (theory/README.md 6).

    Parameters
    ----------
    price : array_like, shape (...)
        Cost of a brain sample over that of a task sample, > 0.
    misalignment : array_like, shape (...)
        Share m of the squared signal outside the latents, from 0 to 1.
    delta : array_like, shape (...)
        First-order error of the subspace; see `brain_error`.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal, sigma_y / |beta|.
    baseline : str
        "ridge": what the money buys without brain data is tuned ridge; "ols": without its value.

    Returns
    -------
    LargeSampleBudget
        With the shape that the arguments broadcast to.
    """
    c, m, slope, d, sigma = _floats(price, misalignment, delta, input_dim, task_noise)
    rate, scale = initial_rate(slope, rank, d, sigma), slope / m
    entry = c * (d + 1.0) + _ridge_value(baseline, d, sigma)
    gain = scale * np.maximum(np.sqrt(rate) - np.sqrt(c), 0.0) ** 2 - entry
    worth = gain > 0
    best = scale * (np.sqrt(rate / c) - 1.0) + d + 1.0
    return LargeSampleBudget(np.where(worth, best, 0.0), np.asarray(gain), np.asarray(worth))


def _ridge_value(baseline: str, d: Floats, sigma: Floats) -> Floats:
    if baseline not in ("ols", "ridge"):
        raise InputError(f"baseline = {baseline!r}: 'ols' or 'ridge' is allowed")
    return sigma**2 * d if baseline == "ridge" else np.zeros_like(sigma * d)


def _floats(*values: ArrayLike) -> list[Floats]:
    return [np.asarray(x, dtype=float) for x in values]
