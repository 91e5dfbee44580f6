"""The brain stage without simulation, at every number of brain samples (theory/README.md 5b).

An approximation for isotropic Gaussian inputs and linear Gaussian recordings, exact in the limit of
large dimensions, and to the next order where all latents are visible. Its relative error is
tabulated in theory/README.md 5b.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.theory.expansion import expansion
from mcbrain.theory.inverse_means import mean_inverse
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.typing import Floats

__all__ = ["subspace_law", "visibility_threshold"]


# Height, sharpness and width of the smoothed threshold, and a cap: the only numbers here that were
# fitted to simulations (theory/README.md 5b): no closed form is known for r vectors at an edge.
PEAK_BASE, PEAK_SLOPE = 1.6, 0.4
SHARPNESS = 3.0
WIDTH = 1.5
LARGEST_SHARE = 2.5


def subspace_law(
    n_brain: ArrayLike,
    gains: ArrayLike,
    *,
    neural_noise: ArrayLike,
    input_dim: int,
    n_channels: int,
    rank: int | None = None,
    encoding_penalty: float = 0.0,
) -> SubspaceMoments:
    """Approximate moments of C^ = A'PA (theory/README.md 5b).

    Parameters
    ----------
    n_brain : array_like, shape (...)
        Number of brain samples n_B.
    gains : array_like, shape (..., k)
        Gains D of the measured latents; the leading axes broadcast against `n_brain`.
    neural_noise : array_like, shape (...)
        Standard deviation sigma_r of the noise of one recording channel.
    input_dim : int
        Dimension d of the inputs.
    n_channels : int
        Number of recording channels.
    rank : int, optional
        Rank of the estimated subspace, by default k.
    encoding_penalty : float
        Per-sample penalty of the encoding model, stage 1; 0 is least squares.

    Returns
    -------
    SubspaceMoments
        Leading axes (...). NaN where there is no law: n_brain < rank, a rank below the number of
        measured latents, a penalised encoding.
    """
    D = np.asarray(gains, dtype=float)
    k = D.shape[-1]
    rank = k if rank is None else rank
    mean, variance = _overlap(n_brain, D, neural_noise, input_dim, n_channels, rank)
    if rank < k or encoding_penalty != 0.0:
        mean, variance = mean * np.nan, variance * np.nan
    # Around its mean C^ fluctuates like a rotation-invariant symmetric matrix, whose k eigenvalues
    # have variance (k+1) s^2 when an entry has variance s^2 off the diagonal and 2 s^2 on it.
    spread = np.sqrt(variance / (k + 1.0))
    eye = np.eye(k)
    noise = spread[..., :, None] * spread[..., None, :]
    square = noise * (1.0 + eye) + eye * (mean**2)[..., None, :]
    product = mean[..., :, None] * mean[..., None, :] + 2.0 * eye * noise
    return SubspaceMoments(
        rank=rank,
        c=mean[..., None, :] * eye,
        c_squared=square.sum(axis=-1)[..., None, :] * eye,
        trace_c=product.sum(axis=-1)[..., None, :] * eye,
        product=product,
        square=square,
    )


def visibility_threshold(
    gains: ArrayLike,
    *,
    neural_noise: ArrayLike,
    input_dim: int,
    n_channels: int,
    rank: int,
) -> Floats:
    """Number of brain samples at which latent j begins to be seen, (..., k) (5b).

    Below it the latent is lost in the noise of the recordings, up to the smoothing that a finite
    dimension brings; inf for a latent without gain.

    Parameters
    ----------
    gains : array_like, shape (..., k)
        Gains D of the measured latents.
    neural_noise : array_like, shape (...)
        Standard deviation sigma_r of the noise of one recording channel.
    input_dim : array_like of int
        Dimension d of the inputs.
    n_channels : int
        Number of recording channels.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.

    Returns
    -------
    ndarray, shape (..., k)
        A number of brain samples for each latent.
    """
    D = np.asarray(gains, dtype=float)
    sigma = np.asarray(neural_noise, dtype=float)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = D**2 / sigma**2  # th = strength n
        above = np.sqrt((input_dim - rank) * n_channels) / strength
        # Below n = d the noise has n - r left directions: strength^2 n^2 = (n - r) p.
        inner = n_channels**2 - 4.0 * strength**2 * n_channels * rank
        below = (n_channels + np.sqrt(np.maximum(inner, 0.0))) / (2.0 * strength**2)
        below = np.where(inner > 0, below, rank)
    return np.where(above > input_dim, above, np.minimum(below, input_dim))


def _overlap(
    n_brain: ArrayLike,
    gains: Floats,
    neural_noise: ArrayLike,
    input_dim: int,
    n_channels: int,
    rank: int,
) -> tuple[Floats, Floats]:
    """Mean of C^_jj and variance of the eigenvalues of C^ around it."""
    k = gains.shape[-1]
    n = np.asarray(n_brain, dtype=float)[..., None]
    sigma = np.asarray(neural_noise, dtype=float)[..., None]
    d, p = float(input_dim), float(n_channels)
    small, big = np.minimum(n, d), np.maximum(n, d)
    shape = np.broadcast_shapes(n.shape, sigma.shape, gains.shape)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        strength = np.where(gains > 0, gains**2 * n / sigma**2, 0.0)
        odds, odds_variance = _odds(strength, small, p, rank)
        freedom = np.abs(n - d) + rank
        seen = freedom * odds
        shown = small / d
        # The part of y's variance that the variance of S, which it shares, does not cancel: none
        # without signal, where the odds are rank/q and C_j is rank/d exactly.
        signal = np.maximum(odds - rank / (small - rank), 0.0)
        loose = (k + 1.0) * freedom * signal * odds * (1.0 + 2.0 * shown**2 / (1.0 + odds))
        mean = 1.0 - big * mean_inverse(seen, loose, rank + big)
        # Delta method for the ratio y/(y + S): y has mean seen + rank, S is Wishart(big).
        y = seen + rank
        y_variance = (k + 1.0) * (seen * (odds + 2.0) + rank + freedom**2 * odds_variance)
        slope = big / (y + big) ** 2
        scatter = slope**2 * (y_variance + (k + 1.0) * y**2 / big)
        # Below n = d only n of the d input directions were shown at all.
        shown_scatter = (k + 1.0) * shown * (1.0 - shown) / d
    scatter = np.where(np.isinf(odds), 0.0, scatter)
    scatter = scatter * (shown**2 + shown_scatter) + shown_scatter * mean**2
    mean = shown * mean
    if rank == k:
        expanded, weight = expansion(strength, n, input_dim, n_channels)
        mean = mean + weight * (expanded - mean)
    fixed = small == rank  # the subspace is all that was shown: a uniform one, or everything
    mean = np.where(n < rank, np.nan, np.where(fixed, rank / d, mean))
    null_scatter = (k + 1.0) * rank * (d - rank) / d**3
    scatter = np.where(n < rank, np.nan, np.where(fixed, null_scatter, scatter))
    return np.broadcast_to(mean, shape), np.broadcast_to(scatter, shape)


def _odds(th: Floats, shown: Floats, p: float, rank: int) -> tuple[Floats, Floats]:
    """cos^2 / sin^2 between a latent and the leading singular vectors, smoothed at the threshold.

    Also its variance over recordings, divided by k + 1. `shown` is the number of left dimensions of
    the recordings' signal, min(n_B, d).
    """
    q = shown - rank
    odds, _ = _smoothed(th, q, q, p, np.asarray(float(rank)))
    # A latent that is plainly seen takes one of the vectors for itself, and one bulk dimension.
    taken = np.maximum(1.0 - shown / (q * (1.0 + odds)), 0.0) ** 2
    others = taken.sum(axis=-1, keepdims=True) - taken
    slots, bulk = rank - others, shown - 1.0 - others
    odds, slope = _smoothed(th, bulk, q, p, slots)
    # Vectors that no latent takes hold their share of what the own vector leaves out: that of edge
    # eigenvectors, `share` times the average one.
    share = th * (th + bulk) / np.maximum(th - np.sqrt(bulk * p), 1e-100) ** 2
    share = np.where(np.isinf(th), 1.0, np.clip(share, 1.0, LARGEST_SHARE))
    odds = (1.0 + odds) * (1.0 + taken * np.maximum(slots - 1.0, 0.0) * share / bulk) - 1.0
    limit_slope = (1.0 - (p - bulk) * p / (p + th) ** 2) / bulk
    variance = (2.0 * th + p) * (slope * limit_slope) ** 2 + odds * (1.0 + odds) / q
    return odds, np.where(np.isinf(odds), 0.0, variance)


def _smoothed(
    th: Floats, bulk: Floats, q: Floats, p: float, slots: Floats
) -> tuple[Floats, Floats]:
    """The odds, and their derivative in the limit (Benaych-Georges & Nadakuditi 2012).

    The limit is the positive part of `limit`. The odds are the larger root of x^2 - limit x - c,
    where c(0) gives slots/q, the exact value without signal; (1+t)/(1-t) is the growth of the edge
    eigenvectors' overlap with an invisible latent; the peak has the Airy scale of the edge.
    """
    limit = np.where(np.isinf(th), np.inf, (th**2 - bulk * p) / (bulk * (p + th)))
    t = th / np.sqrt(bulk * p)
    floor = slots * (q + slots) / q**2
    weight = np.sqrt(p) / (np.sqrt(p) + np.sqrt(q))
    airy = (p * q / ((np.sqrt(p) + np.sqrt(q)) ** 2 * slots)) ** (1.0 / 3.0)
    edge = (weight / airy) ** 2 / floor
    peak = PEAK_BASE + PEAK_SLOPE * edge
    hidden = np.maximum((1.0 - t) / (1.0 + t), 0.0) ** SHARPNESS
    before = (hidden + (1.0 - hidden) / peak**SHARPNESS) ** (-1.0 / SHARPNESS)
    after = peak / (1.0 + ((t - 1.0) * edge**2 / WIDTH) ** 2)
    c = floor * np.where(t < 1, before, after)
    root = np.sqrt(limit**2 + 4.0 * c)
    # Without cancellation on either side of the threshold.
    odds = np.where(limit > 0, (limit + root) / 2.0, 2.0 * c / (root - limit))
    return np.where(np.isinf(limit), np.inf, odds), odds / root
