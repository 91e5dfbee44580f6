"""Ridge with one penalty inside the subspace and another outside (theory/README.md 5e).

The deterministic equivalent of ridge with unequal weights: an approximation, with an error of order
1/n_task, for the one estimator whose task stage has no closed form.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.theory.brain import BrainMoments
from mcbrain.typing import Floats

__all__ = ["two_penalty_excess"]


NEWTON_STEPS = 60  # quadratic from a start that is too large; a dozen are typical


def two_penalty_excess(
    brain: BrainMoments,
    *,
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    task_noise: ArrayLike,
    penalty: ArrayLike,
    eta: ArrayLike,
) -> Floats:
    """Approximate E (beta_hat - beta_te)' M (beta_hat - beta_te) for Omega = I - P + eta P.

    All arguments broadcast.

    Parameters
    ----------
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
    penalty : array_like
        Per-sample penalty outside P, > 0, or 0, which is its limit, for n_task < input_dim.
    eta : array_like
        Penalty inside over outside, > 0; 1 is ridge, eta -> 0 is BEFS: both have exact laws.

    Returns
    -------
    Array
        In units of |beta|^2; NaN where eta is not positive, and at penalty 0 for
        n_task >= input_dim, which is OLS.
    """
    n, r, d, sigma, lam, share = (
        np.asarray(x, dtype=float) for x in (n_task, rank, input_dim, task_noise, penalty, eta)
    )
    valid = (share > 0) & ((lam > 0) | ((lam == 0) & (n < d)))
    lam, share = np.where(valid, lam, 1.0), np.where(valid, share, 1.0)
    q = d - r
    kappa = _effective_penalty(n, r, q, lam, share)
    kept_in, kept_out = 1.0 / (1.0 + kappa * share), 1.0 / (1.0 + kappa)
    lost_in, lost_out = 1.0 - kept_in, 1.0 - kept_out
    # The bias is (lost_in P + lost_out (I - P)) beta; products with P from the brain's moments.
    crossed = brain.missed_signal - brain.residual
    inside = brain.signal - 2.0 * brain.missed_signal + brain.residual
    bias = lost_in**2 * inside + lost_out**2 * brain.residual + 2.0 * lost_in * lost_out * crossed
    moved = brain.drift + 2.0 * (
        lost_in * (brain.signal_drift - brain.missed_drift) + lost_out * brain.missed_drift
    )
    # Variance: label noise plus the squared bias, spread over M, E of their product over P.
    spread = kept_in**2 * brain.trace + kept_out**2 * (brain.trace_m - brain.trace)
    missed_spread = kept_in**2 * brain.m_hat_trace + kept_out**2 * (
        brain.m_hat * brain.trace_m - brain.m_hat_trace
    )
    freedom = n - r * kept_in**2 - q * kept_out**2
    noise = (sigma**2 + lost_in**2) * spread + (lost_out**2 - lost_in**2) * missed_spread
    return np.where(valid, bias + moved + noise / freedom, np.nan)


def _effective_penalty(n: Floats, r: Floats, q: Floats, penalty: Floats, eta: Floats) -> Floats:
    """kappa > 0 with kappa (1 - df/n) = penalty, df = r/(1 + kappa eta) + q/(1 + kappa).

    Without a penalty df = n: the data are interpolated. The left side is convex, and increasing
    where it is positive: Newton from the right is monotone.
    """
    kappa = penalty + (r / eta + q) / n
    for _ in range(NEWTON_STEPS):
        inside, outside = 1.0 / (1.0 + kappa * eta), 1.0 / (1.0 + kappa)
        value = kappa * (1.0 - (r * inside + q * outside) / n) - penalty
        slope = 1.0 - (r * inside**2 + q * outside**2) / n
        step = value / slope
        kappa = kappa - step
        if np.all(np.abs(step) <= 1e-13 * kappa):
            break
    return kappa
