"""The task stage at its optimal penalty, for any real number of samples (README 4a to 4c).

The closed form of the task stage takes whole numbers of samples. Searches over hundreds of
thousands of splits of a budget need real ones, and are within 2e-6 of it (`mean_shrinkage`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.theory.marchenko_pastur import mean_shrinkage
from mcbrain.typing import Floats

__all__ = ["best_below_rank", "tuned_excess"]

# A number of samples to compute with where the result is not used: the law is cheapest there.
_PLENTY = 1e9
# Below this m_bar the task is taken as exactly aligned, and the best penalty as infinite.
_SMALLEST = 1e-13


def tuned_excess(
    n_task: ArrayLike, rank: int, input_dim: int, task_noise: ArrayLike, m_bar: ArrayLike
) -> Floats:
    """Excess risk under `id` of an estimator that spares a subspace, at its optimal penalty.

    With fewer task samples than the rank the data are interpolated inside the subspace (4a);
    outside it the error is e_U = m_bar E sum f / q.

    Parameters
    ----------
    n_task : (...)
        Real numbers >= 0.
    rank : int
        Rank r of the subspace; 0 is tuned ridge.
    input_dim : int
        Dimension d of the inputs.
    task_noise : (...)
        sigma_y / |beta|.
    m_bar : (...)
        Share of beta that the subspace misses, from 0 to 1; 1 for ridge.

    Returns
    -------
    array (...)
        In units of |beta|^2; infinite within 1 of the rank, and where m_bar is NaN.
    """
    n, missed = np.asarray(n_task, dtype=float), np.asarray(m_bar, dtype=float)
    q, rows, variance = input_dim - rank, n - rank, np.asarray(task_noise, dtype=float) ** 2
    fits = rows > (1.0 if rank else 0.0)
    if q == 0:
        outside = np.zeros(np.broadcast_shapes(n.shape, missed.shape))
    else:
        z = variance * q / np.maximum(missed, _SMALLEST)
        shrinkage = mean_shrinkage(np.where(fits, rows, _PLENTY), q, z)
        outside = np.where(missed > _SMALLEST, missed * shrinkage, 0.0)
    if rank == 0:
        return np.where(fits, outside, missed * np.ones_like(outside))
    gap = np.where(fits, n - rank - 1.0, 1.0)
    above = (outside * (n - 1.0) + variance * rank) / gap
    risk = np.where(fits, above, _excess_below_rank(n, rank, variance, missed))
    return np.where(np.isnan(missed), np.inf, risk)


def best_below_rank(
    n_task: ArrayLike, rank: int, task_noise: ArrayLike, m_bar: ArrayLike
) -> Floats:
    """The number of task samples below the rank at which the risk is least, up to a given one.

    Parameters
    ----------
    n_task : (...)
        The samples that one has, real numbers >= 0.
    rank : int
        Rank r of the subspace.
    task_noise : (...)
        sigma_y / |beta|.
    m_bar : (...)
        Share of beta that the subspace misses, from 0 to 1.

    Returns
    -------
    array (...)
        Whole numbers, or `n_task` itself.
    """
    missed, most = np.asarray(m_bar, dtype=float), np.asarray(n_task, dtype=float)
    variance = np.asarray(task_noise, dtype=float) ** 2
    spread = (variance + missed) * rank * (rank - 1.0)
    turn = rank - 1.0 - np.sqrt(spread / np.maximum(1.0 - missed, 1e-300))
    low = np.clip(np.floor(turn), 0.0, most)
    high = np.clip(low + 1.0, 0.0, most)
    here, above = (_excess_below_rank(n, rank, variance, missed) for n in (low, high))
    return np.asarray(np.where(here <= above, low, high))


def _excess_below_rank(n: Floats, rank: int, variance: Floats, missed: Floats) -> Floats:
    """Excess with n < rank - 1 samples, interpolated inside the subspace; else inf (4a)."""
    few = (n >= 0) & (n < rank - 1.0)
    gap = np.where(few, rank - n - 1.0, 1.0)
    risk = missed + (1.0 - missed) * (1.0 - n / rank) + (variance + missed) * n / gap
    return np.where(few, risk, np.inf)
