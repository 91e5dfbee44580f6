"""How often zeros or signs among the inputs make a least-squares fit singular (README 4a).

Inputs without a density, such as sparse ones and signs, have singular Gram matrices with a positive
probability, and nearly singular ones more often than inputs with a density do.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, xlog1py, xlogy

__all__ = ["MOST_CONDITIONS", "near_singular_chances", "smallest_of_signs", "unused_chances"]

MOST_CONDITIONS = 8
"""Largest number of conditions that matters: up to it, the fourth moment of 1/s is infinite."""


def unused_chances(
    n: int, w: int, others: int, smoothness: str, share: float
) -> NDArray[np.float64]:
    """How often a direction near w coordinates is used by none but for k conditions; shape (8,).

    Sparse inputs X: of u coordinates, u - 1 ratios are free. All numbers that the u and the
    `others` hold lie in m rows, a condition each, and in c columns of the others, whose errors have
    to be zero: k = m + c - (u - 1). What is not in them is zero with probability
    (1 - f)^((n - m) (u + others - c)); the expected number of such sets bounds the probability of
    one. Signs: two columns of the w are equal up to sign, and j pairs of the others are:
    k = others - j.

    Parameters
    ----------
    n, w, others : int
    smoothness : str
    share : float

    Returns
    -------
    ndarray, shape (8,)
        Bounds on probabilities, for k = 1, 2, ...

    Raises
    ------
    ValueError
        If `smoothness` is not one of the words above.
    """
    found = np.zeros(MOST_CONDITIONS + 1)
    if smoothness == "signs":
        for k in range(min(others, MOST_CONDITIONS) + 1):
            found[k] = w * (w - 1) * 2.0**-n * (others * (others - 1) * 2.0**-n) ** (others - k)
    elif smoothness == "sparse":
        for u in range(1, w + 1):
            for k in range(1, MOST_CONDITIONS + 1):
                m = np.arange(max(0, k + u - 1 - others), min(n, k + u - 1) + 1)
                c = k + u - 1 - m
                empty = xlog1py((n - m) * (u + others - c), -share)
                sets = _log_choose(w, np.array(u)) + _log_choose(n, m) + _log_choose(others, c)
                found[k] += np.exp(np.minimum(sets + empty, 0.0)).sum()
    else:
        raise ValueError(f"smoothness {smoothness!r}")
    return np.asarray(np.minimum(found[1:], 1.0))


def near_singular_chances(
    n: int, w: int, input_dim: int, share: float, most: int = MOST_CONDITIONS
) -> NDArray[np.float64]:
    """How often zeros leave k = 1, 2, ... conditions for a singular fit; shape (most,).

    With independent numbers that are zero with probability q = 1 - share. Above w samples the fit
    in w generic directions of R^d is singular along a direction that feels only rows with a number
    outside a set of t coordinates: with m such rows, if w - t unknowns up to scale solve m
    equations, k = m - (w - t) + 1. Below w samples the same of rows in place of directions. The
    expected number of such sets bounds the probability of one.

    Parameters
    ----------
    n, w, input_dim : int
    share : float
    most : int
        Largest k.

    Returns
    -------
    ndarray, shape (most,)
        Bounds on probabilities, for k = 1, 2, ...
    """
    d, q = input_dim, 1.0 - share
    k = np.arange(1, most + 1)
    if n >= w:
        unknowns = np.arange(1, w + 1)[:, None]
        free = w - unknowns
        touched = 1.0 - q ** (d - free).astype(float)
        log_sets = _log_choose(d, free)
        chance = np.exp(np.minimum(log_sets + _log_binomial(n, unknowns + k - 1, touched), 0.0))
    else:
        rows = np.arange(1, n + 1)[:, None]
        touched = 1.0 - q ** rows.astype(float)
        columns = rows + k - 1
        log_one = _log_binomial(d, columns, touched)
        # What is touched beyond w directions adds no condition.
        tail = np.array(
            [np.logaddexp.reduce(_log_binomial(d, np.arange(w, d + 1), p)) for p in touched[:, 0]]
        )[:, None]
        log_one = np.where(columns < w, log_one, np.where(columns == w, tail, -np.inf))
        chance = np.exp(np.minimum(_log_choose(n, rows) + log_one, 0.0))
    return np.asarray(np.minimum(chance.sum(axis=0), 1.0))


def _log_choose(n: int, k: NDArray[np.integer]) -> NDArray[np.float64]:
    return np.asarray(gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0))


def _log_binomial(
    n: int, k: NDArray[np.integer], chance: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Log probability of k successes in n trials; -inf above n."""
    inside = np.minimum(k, n)
    value = _log_choose(n, inside) + xlogy(inside, chance) + xlog1py(n - inside, -chance)
    return np.asarray(np.where(k <= n, value, -np.inf))


def smallest_of_signs(n: int, w: int) -> float:
    """About the smallest eigenvalue that a Gram matrix of signs can have without being singular.

    Its determinant is a multiple of 4^(m-1), m = min(n, w), and the other eigenvalues multiply to
    what they do on average: n (n-1) ... for the determinant, over the smallest.

    Parameters
    ----------
    n, w : int
        Samples and dimensions.

    Returns
    -------
    float
        Above 0; in units of a squared input.
    """
    large, small = max(n, w), min(n, w)
    typical = gammaln(large + 1.0) - gammaln(large - small + 2.0)
    return math.exp(max((small - 1) * math.log(4.0) - typical, -600.0))
