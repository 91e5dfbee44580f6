"""Means of inverse random matrices (theory/README.md 5b).

Symmetric positive matrices are described by the means of their diagonal entries, all other means
being 0, and by the variances of all entries, which are taken to be independent. Results are right
to the second order, and stay in range where the fluctuations are large.
"""

from __future__ import annotations

import numpy as np

from mcbrain.typing import Floats

__all__ = ["mean_inverse", "mean_inverse_diagonal", "mean_with_inverse"]

FRACTION_TERMS = 150
"""Terms of the continued fraction of `mean_inverse`."""

ROUGH_TERMS = 24
"""The same where only a correction is sought."""

STEPS = 3
"""Iterations for the mean of a row of an inverse matrix by means of the other rows."""

DAMPING = 2.0 / 3.0
"""Share of a step that is taken: the best for slopes from 0 to -1, and the slopes are such."""

SMALLEST_SHARE = 1e-3
"""What the other rows leave of a mean, at least."""


def mean_inverse_diagonal(mean: Floats, variance: Floats, terms: int = FRACTION_TERMS) -> Floats:
    """E [(1 + X)^-1]_jj for a random symmetric matrix X, shape (..., r).

    Parameters
    ----------
    mean : ndarray, shape (..., r)
        Of the diagonal entries, positive.
    variance : ndarray, shape (..., r, r)
        Of each entry.
    terms : int
        Of the continued fraction of the last step.

    Returns
    -------
    ndarray, shape (..., r)
        Means between 0 and 1.

    Notes
    -----
    Given the other rows, 1/[(1 + X)^-1]_jj = 1 + X_jj - X_j.(1 + X_..)^-1 X_.j: the last term is
    taken at its mean, which follows from the values that are sought, and X_jj is a gamma variable.
    """
    found = 1.0 / (1.0 + mean)
    for _ in range(STEPS):
        inner = _given_others(mean, variance, found)
        found = found + DAMPING * (_mean_gamma(inner, variance, ROUGH_TERMS) - found)
    return _mean_gamma(_given_others(mean, variance, found), variance, terms)


def _given_others(mean: Floats, variance: Floats, found: Floats) -> Floats:
    """Mean of X_jj - X_j.(1 + X_..)^-1 X_.j; positive, whatever the approximation."""
    left = mean - _others(variance, (1.0 - found) / mean)
    return np.maximum(left, SMALLEST_SHARE * mean)


def mean_with_inverse(lost: Floats, variance: Floats) -> Floats:
    """The mean of X for which `mean_inverse_diagonal` is 1 - lost.

    Parameters
    ----------
    lost : ndarray, shape (..., r)
        From 0 to 1.
    variance : ndarray, shape (..., r, r)

    Returns
    -------
    ndarray, shape (..., r)
        Means of the diagonal entries.
    """
    odds = lost / (1.0 - lost)
    # To second order E 1/(1+x) = 1/(1+mean) + variance/(1+mean)^3, which is where to begin.
    inner = odds + np.diagonal(variance, axis1=-2, axis2=-1) * (1.0 - lost)
    for _ in range(STEPS):
        inner = inner * odds / (1.0 / _mean_gamma(inner, variance, ROUGH_TERMS) - 1.0)
    mean = inner
    for _ in range(STEPS):
        # mean = inner + c/mean, with a c that stays the same where all latents are alike.
        mean = (inner + np.sqrt(inner**2 + 4.0 * mean * _others(variance, lost / mean))) / 2.0
    return np.asarray(mean)


def _others(variance: Floats, weight: Floats) -> Floats:
    """Sum over i other than j of variance_ji weight_i."""
    others = variance * (1.0 - np.eye(weight.shape[-1]))
    return np.asarray(np.sum(others * weight[..., None, :], axis=-1))


def _mean_gamma(mean: Floats, variance: Floats, terms: int) -> Floats:
    """E 1/(1 + x_j), x_j a gamma variable of that mean and of the variance of X_jj."""
    own = np.diagonal(variance, axis1=-2, axis2=-1)
    return mean_inverse(mean, own, np.ones(()), terms)


def mean_inverse(mean: Floats, variance: Floats, s: Floats, terms: int = FRACTION_TERMS) -> Floats:
    """E 1/(x+s) for a gamma variable x, an exponential integral e^z E_a(z).

    By the Stieltjes continued fraction, evaluated backward; 1e-8 or better for s/scale > 0.05 and
    150 terms.

    Parameters
    ----------
    mean, variance, s : ndarray, shape (...)
        Of x, and what is added to it; all positive.
    terms : int
        Of the continued fraction.

    Returns
    -------
    ndarray, shape (...)
        In units of 1/x.
    """
    mean = np.where(np.isinf(mean), 1e300, np.maximum(mean, 1e-300))
    variance = np.where(np.isinf(variance), 1e300, np.maximum(variance, 1e-300))
    scale = variance / mean
    a, z = mean / scale, s / scale
    f = z + a + terms
    for j in range(terms, 0, -1):
        f = z + (a + j - 1.0) / (1.0 + j / f)
    return np.asarray(1.0 / (f * scale))
