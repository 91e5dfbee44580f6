"""The task stage in high dimension: expansion in 1/n of `wishart` (theory/README.md 5c).

Order 0 is the Marchenko-Pastur law; orders 1 and 2 are what a *real* Wishart matrix adds to it at
finite size. Nothing but square roots: use it where `wishart` would need too large a matrix, or to
see how far the limit of the literature is from the truth.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.errors import InputError
from mcbrain.theory.wishart import TaskMoments, resolvent
from mcbrain.typing import Floats

__all__ = ["asymptotic_resolvent", "asymptotic_task_moments", "mean_shrinkage"]

# Nodes of the exact law in log z; a search seldom leaves them.
_LOG_RIDGES = np.linspace(-40.0, 12.0, 521)
SERIES_REACH = 0.01  # largest T/Delta^2 at which the series stands for the exact law
TABLE_REACH = 400  # largest order of a matrix for which the exact law is as fast as a search needs


def asymptotic_resolvent(
    n_prime: ArrayLike, q: ArrayLike, z: ArrayLike, order: int = 1
) -> tuple[Floats, Floats]:
    """g(z) = E tr (W'W + z)^-1 and its derivative to the given order, W an n' x q Gaussian matrix.

    Parameters
    ----------
    n_prime, q : array_like
        Rows and columns, > 0; they need not be whole.
    z : array_like
        z > 0.
    order : int
        0 (Marchenko-Pastur), 1 or 2.

    Returns
    -------
    g, g_prime : arrays of the broadcast shape.

    Raises
    ------
    InputError
        If order is not 0, 1 or 2.

    Notes
    -----
    Relative error of order (z + n' + q) / Delta^2 to the power order + 1, with
    Delta^2 = (n' - q)^2 + 2 z (n' + q) + z^2: bad only where n' is close to q and z is small, good
    everywhere in high dimension. Source: theory/README.md 5c.
    """
    rows, columns, shift = (np.asarray(v, dtype=np.float64) for v in (n_prime, q, z))
    g, g_prime, _, _ = _expand(rows, columns, shift, order)
    return g, g_prime


def mean_shrinkage(rows: ArrayLike, columns: int, z: ArrayLike) -> Floats:
    """E sum z/(x+z) / q over the eigenvalues x of W'W, for any real number of rows.

    The series to second order where its error is below 2e-6, or where q and n' are both above 400;
    else the exact law at the whole numbers of rows on either side, and between them linear in its
    logarithm. It is for searches over many thousands of sizes; an answer that is given for whole
    numbers uses `wishart.task_moments`.

    Parameters
    ----------
    rows
        n' >= 0.
    columns
        q >= 1.
    z
        z > 0.

    Returns
    -------
    ndarray
        From 0 to 1, of the shape of `rows` and `z`, broadcast.

    Notes
    -----
    The relative error of the series is at most 1.8 (T/Delta^2)^3 where that is below 1e-3, with
    T = z + n' + q and Delta^2 = T^2 - 4 n' q (theory/README.md 5c).
    """
    n, z = np.broadcast_arrays(np.asarray(rows, dtype=float), np.asarray(z, dtype=float))
    total, gap = z + n + columns, (n - columns) ** 2
    coarse = total > SERIES_REACH * (gap + z * (z + 2.0 * (n + columns)))
    coarse &= np.minimum(n, columns) <= TABLE_REACH
    g, _ = asymptotic_resolvent(np.where(coarse, 1.0, n), float(columns), z, order=2)
    shrinkage = np.array(np.clip(z * g / columns, 0.0, 1.0))
    if np.any(coarse):
        at, log_ridge = n[coarse], np.log(z[coarse])
        low = np.floor(at)
        below, above = (_log_shrinkage(whole, columns, log_ridge) for whole in (low, np.ceil(at)))
        shrinkage[coarse] = np.exp(below + (above - below) * (at - low))
    return shrinkage


def _log_shrinkage(rows: Floats, columns: int, log_ridge: Floats) -> Floats:
    """log(z g/q) of the exact law by cubic interpolation in log z, within 3e-7; rows are whole.

    Searches ask for the same few numbers of rows thousands of times, at other penalties.
    """
    distinct, place = np.unique(rows, return_inverse=True)
    tables = np.stack([_shrinkage_table(int(n), columns) for n in distinct])
    step = (_LOG_RIDGES[-1] - _LOG_RIDGES[0]) / (_LOG_RIDGES.size - 1)
    position = (log_ridge - _LOG_RIDGES[0]) / step
    left = np.clip(np.floor(position), 0, _LOG_RIDGES.size - 2).astype(int)
    # Beyond either end the law is a power of z.
    t, beyond = np.clip(position - left, 0.0, 1.0), position - np.clip(position, 0, left + 1)
    (f0, f1), (g0, g1) = (
        (tables[place, kind, left], tables[place, kind, left + 1]) for kind in (0, 1)
    )
    inner = f0 + (f1 - f0) * t * t * (3.0 - 2.0 * t)
    inner += step * t * (1.0 - t) * (g0 * (1.0 - t) - g1 * t)
    return np.asarray(inner + step * beyond * np.where(beyond < 0, g0, g1))


@lru_cache(maxsize=20_000)
def _shrinkage_table(rows: int, columns: int) -> Floats:
    """log(z g/q) and its derivative in log z at every node, shape (2, nodes)."""
    z = np.exp(_LOG_RIDGES)
    g, slope = resolvent(rows, columns, z)
    return np.stack([np.log(z * g / columns), 1.0 + z * slope / g])


def asymptotic_task_moments(
    n_task: ArrayLike,
    rank: ArrayLike,
    input_dim: ArrayLike,
    penalty: ArrayLike,
    order: int = 1,
) -> TaskMoments:
    """`wishart.task_moments` to the given order in 1/n.

    Parameters
    ----------
    n_task, rank, input_dim : array_like
        n_task > rank and input_dim > rank + 1.
    penalty : array_like
        Per-sample penalty > 0; inf is projection.
    order : int
        0 (Marchenko-Pastur), 1 or 2.

    Returns
    -------
    TaskMoments of the broadcast shape, NaN outside the sizes above.

    Raises
    ------
    InputError
        If order is not 0, 1 or 2.

    Notes
    -----
    Source: theory/README.md 5c, with the measured error by dimension.
    """
    n, r, d, lam = (np.asarray(v, dtype=np.float64) for v in (n_task, rank, input_dim, penalty))
    q = np.where(d > r + 1, d - r, np.nan)
    rows = np.where(n > r, n - r, np.nan)
    projected = np.isinf(lam) & ~np.isnan(q + rows)
    z = n * np.where(np.isinf(lam), 1.0, lam)
    g, g_prime, variance, spread = _expand(rows, q, z, order)
    c2 = np.where(projected, 0.0, spread / (q * (q + 2.0) * (q - 1.0)))
    c1 = np.where(projected, 1.0, -(z**2) * g_prime / q - q * c2)
    return TaskMoments(
        noise=np.where(projected, 0.0, variance / q),
        c1=c1,
        c2=c2,
        mean_f=np.where(projected, 1.0, z * g / q),
    )


def _expand(n: Floats, q: Floats, z: Floats, order: int) -> tuple[Floats, Floats, Floats, Floats]:
    """g, g', g + z g' and the spread E[q sum f^2 - (sum f)^2], all to one order in 1/n.

    t = E sum x/(x+z) and Delta are those of the Marchenko-Pastur law; t' = -t / Delta and
    Delta' = (z+n+q) / Delta give every derivative.
    """
    if order not in (0, 1, 2):
        raise InputError(f"order must be 0, 1 or 2, got {order}.")
    total, gap = z + n + q, (n - q) ** 2
    delta = np.sqrt(gap + z * (z + 2.0 * (n + q)))
    t = 2.0 * n * q / (total + delta)
    below = z + n - q
    with np.errstate(divide="ignore", invalid="ignore"):
        g = np.where(below > 0, 2.0 * q / (below + delta), 0.5 * (delta - below) / z)
    g_prime = -g * (1.0 + g) / delta
    variance, spread = t / delta, (z * g) ** 2 * t / delta
    if order == 0:
        return g, g_prime, variance, spread
    g1 = t / delta**2
    g1_prime = -t * (delta + 2.0 * total) / delta**4
    # gap - z^2 - z Delta, the bracket of (g1 + z g1') Delta^4 / t
    bracket = gap - z * (z + delta)
    spread = spread - z**2 * (q * g1_prime + 2.0 * g * g1)
    if order == 1:
        return g + g1, g_prime + g1_prime, variance + t * bracket / delta**4, spread
    top = t * bracket - z * (t**2 + 2.0 * n * q)
    top_prime = (
        -t * (bracket + z * total) / delta
        - t * (2.0 * z + delta)
        + t**2 * (2.0 * z / delta - 1.0)
        - 2.0 * n * q
    )
    g2 = top / delta**5
    g2_prime = (top_prime - 5.0 * top * total / delta**2) / delta**5
    covariance = 2.0 * n * q / delta**4
    spread = spread - z**2 * (q * g2_prime + 2.0 * g * g2 + g1**2 + covariance)
    variance = variance + t * bracket / delta**4 + g2 + z * g2_prime
    return g + g1 + g2, g_prime + g1_prime + g2_prime, variance, spread
