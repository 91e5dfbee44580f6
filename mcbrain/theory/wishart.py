"""The task stage in closed form: one function of a real Wishart matrix (theory/README.md 4f).

W is an n' x q standard Gaussian matrix. All that the task stage contributes to a risk is a mean of
sums over the eigenvalues of W'W, and by the Stein-Haff identity each of these is a single integral
against the mean spectral density. `wishart_table` holds those integrals for each (n', q).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.errors import InputError
from mcbrain.theory.wishart_table import EigenvalueSums, table
from mcbrain.typing import Floats

__all__ = ["TaskMoments", "resolvent", "task_moments"]


@dataclass(frozen=True)
class TaskMoments:
    """What the task stage contributes to every risk (theory/README.md 4b); arrays of one shape.

    Attributes
    ----------
    noise : array
        v / sigma_y^2 = E sum x/(x+z)^2 / q over the eigenvalues x of W'W, z = n_task * penalty.
    c1, c2 : arrays
        For a fixed vector b outside P and F the operator with eigenvalues f = z/(x+z) there,
        E F b b' F = c1 b b' + c2 |b|^2 (I - P).
    mean_f : array
        E sum f / q, the mean shrinkage, in [0, 1].
    """

    noise: Floats
    c1: Floats
    c2: Floats
    mean_f: Floats


def resolvent(n_prime: ArrayLike, q: ArrayLike, z: ArrayLike) -> tuple[Floats, Floats]:
    """g(z) = E tr (W'W + z)^-1 and its derivative, W an n' x q standard Gaussian matrix.

    Parameters
    ----------
    n_prime, q : array_like of int
        Rows and columns, >= 0; broadcast against each other and against z.
    z : array_like
        z > 0. z = 0 gives the limit (infinite where it is), z = inf gives zero.

    Returns
    -------
    g, g_prime : arrays of the broadcast shape.

    Raises
    ------
    InputError
        If n' or q is negative or not whole, or z is negative or NaN.

    Notes
    -----
    Exact up to rounding: relative error below 1e-10 (typically 1e-13) for q up to 2,000 and n' up
    to 1e7.
    Source: theory/README.md 4f.
    """
    rows, columns, shift = _whole("n_prime", n_prime), _whole("q", q), _non_negative("z", z)
    sums = _sums(rows, columns, shift)
    zeros = np.maximum(columns - rows, 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        free = np.where(zeros > 0, zeros / shift, 0.0)
        free_squared = np.where(zeros > 0, free / shift, 0.0)
    return sums.inverse + free, -(sums.inverse_squared + free_squared)


def task_moments(
    n_task: ArrayLike, rank: ArrayLike, input_dim: ArrayLike, penalty: ArrayLike
) -> TaskMoments:
    """Moments of ridge regression outside an unpenalised subspace, exact at every size.

    Parameters
    ----------
    n_task, rank, input_dim : array_like of int
        n' = n_task - rank samples remain for q = input_dim - rank dimensions. Ridge has rank 0.
    penalty : array_like
        Per-sample penalty >= 0: 0 is the limit from above (OLS or minimum norm), inf projection.

    Returns
    -------
    TaskMoments
        Of the broadcast shape. `noise` is inf where its mean is, at penalty 0 with |n' - q| <= 1.
        Where n' <= 0 nothing is fitted outside the subspace (c1 = mean_f = 1, the others 0); where
        q = 0 there is no outside, and all fields are 0.

    Raises
    ------
    InputError
        If a size is negative or not whole, rank > input_dim, or a penalty is negative or NaN.

    Notes
    -----
    Exact up to rounding: relative error of each field below 1e-9 (typically 1e-12) for q up to
    2,000 and n_task up to 1e7. Source: theory/README.md 4b, 4f.
    """
    n, r, d = _whole("n_task", n_task), _whole("rank", rank), _whole("input_dim", input_dim)
    if np.any(r > d):
        raise InputError(f"rank must not exceed input_dim; it does, by {np.max(r - d):.0f}.")
    per_sample = _non_negative("penalty", penalty)
    with np.errstate(invalid="ignore", over="ignore"):
        z = np.where(n > 0, n * per_sample, 0.0)
    q, n_prime = d - r, np.maximum(n - r, 0.0)
    sums = _sums(n_prime, q, z)
    free = np.maximum(q - n_prime, 0.0)
    outside = np.maximum(q, 1.0)
    c2 = sums.spread / (outside * (q + 2.0) * np.maximum(q - 1.0, 1.0))
    c1 = (sums.shrinkage_squared + free) / outside - q * c2
    mean_f = (sums.shrinkage + free) / outside
    projected = np.isinf(z) & (q > 0)  # exactly 1, free of rounding
    return TaskMoments(
        noise=sums.variance / outside,
        c1=np.where(projected, 1.0, c1),
        c2=c2,
        mean_f=np.where(projected, 1.0, mean_f),
    )


def _sums(rows: Floats, columns: Floats, z: Floats) -> EigenvalueSums:
    """Look every (rows, columns) up once, then evaluate all of its z together."""
    shape = np.broadcast_shapes(rows.shape, columns.shape, z.shape)
    sizes = np.stack(np.broadcast_arrays(rows, columns), axis=-1)
    pairs, which = np.unique(sizes.reshape(-1, 2), axis=0, return_inverse=True)
    which = np.broadcast_to(which.reshape(sizes.shape[:-1]), shape).ravel()
    z = np.broadcast_to(z, shape).ravel()
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(pairs) + 1))
    out = np.zeros((6, z.size))
    for k, (n, q) in enumerate(pairs):
        if n > 0 and q > 0:
            chosen = order[bounds[k] : bounds[k + 1]]
            out[:, chosen] = table(int(n), int(q)).sums(z[chosen])
    return EigenvalueSums(*out.reshape(6, *shape))


def _whole(name: str, value: ArrayLike) -> Floats:
    array = np.asarray(value, dtype=np.float64)
    wrong = ~((array >= 0) & (array == np.floor(array)) & np.isfinite(array))
    if np.any(wrong):
        raise InputError(f"{name} must be a whole number >= 0, got {array[wrong].flat[0]}.")
    return array


def _non_negative(name: str, value: ArrayLike) -> Floats:
    array = np.asarray(value, dtype=np.float64)
    wrong = ~(array >= 0)
    if np.any(wrong):
        raise InputError(f"{name} must be >= 0, got {array[wrong].flat[0]}.")
    return array
