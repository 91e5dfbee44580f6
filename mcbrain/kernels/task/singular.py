"""Estimators by singular values, for the replicates whose Gram matrix is singular or nearly so.

Inputs that repeat rows or leave a column empty (random signs, sparse inputs) have singular Gram
matrices now and then; elimination leaves pivots of rounding there, of either sign. Such a replicate
is solved again, from the data: X and y are replaced by a triangular factor X~ and y~ with the same
products, X = QX~ and y~ = Q'y, which lose no digits, and what follows is the definition.

With P = A A' spared from the penalty, Z = XA and W = X(I - P), beta_hat is the limit of the least
penalties from above (theory/README.md 2), that is the minimiser with the least norm inside P:

    delta = V s/(s^2 + lambda) U'y,  where (I - ZZ^+) W = U diag(s) V',
    beta_hat = delta + A Z^+ (y - W delta),

and with a share eta > 0 of the penalty inside P, V s/(s^2 + lambda) U'y for the inputs
X (I - P + P/sqrt(eta)), turned back in the same way. Singular values that are rounding count as 0.
"""

import math

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.lapack import dgemm, dgemv
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.linear.singular_values import decompose, length, rounding_share
from mcbrain.kernels.task.exact_data import INSIDE, OUTSIDE, ExactWork
from mcbrain.kernels.types import FINE, NOT_FINITE, SINGULAR
from mcbrain.typing import Floats

BASIS_SHARE = 1e-11
"""As `rounding_share`, where a subspace takes part: an estimated one is itself that inexact."""


@kernel
def separate(basis: Floats, eta: float, n: int, work: ExactWork) -> int:
    """Decompose what is penalised, and Z where P is spared: FINE, SINGULAR or NOT_FINITE.

    `basis` (r, d) has orthonormal rows, none for plain ridge; n is the number of rows that the
    data had. Ranks go to `work.ranks`.

    Parameters
    ----------
    basis : ndarray, shape (r, d)
        Orthonormal rows, none for plain ridge.
    eta : float
        Relative penalty inside the subspace.
    n : int
        Rows that the data had.
    work : ExactWork
        With X~ and y~; all else is filled.

    Returns
    -------
    int
        FINE, SINGULAR or NOT_FINITE.
    """
    factor, block, ranks = work.factor, work.block, work.ranks
    (m, d), r = factor.shape, basis.shape[0]
    size = length(factor)
    if not (size < np.inf and length(work.answers) < np.inf):
        return NOT_FINITE
    share = rounding_share(n, d) if r == 0 else max(rounding_share(n, d), BASIS_SHARE)
    least = share * size
    copy(factor, block)
    ranks[INSIDE] = 0
    if r > 0:
        k, Z = min(m, r), work.projected
        dgemm("T", "N", r, m, d, 1.0, basis, d, factor, d, 0.0, Z, r)
        # I - P, or I - P + P/sqrt(eta)
        weight = -1.0 if eta == 0.0 else 1.0 / math.sqrt(eta) - 1.0
        dgemm("N", "N", d, m, r, weight, basis, d, Z, r, 1.0, block, d)
        if eta == 0.0:
            ranks[INSIDE] = decompose(
                m, r, Z, work.inner_left, work.inner_values, work.inner_right, least,
                work.scratch, work.integers,
            )  # fmt: skip
            rank = ranks[INSIDE]
            if rank < 0:
                return SINGULAR
            dgemm("N", "T", d, rank, m, 1.0, block, d, work.inner_left, k, 0.0, work.across, d)
            dgemm("N", "N", d, m, rank, -1.0, work.across, d, work.inner_left, k, 1.0, block, d)
        else:
            least = share * length(block)
    left, right = work.left.reshape(m * m), work.right.reshape(m * d)
    ranks[OUTSIDE] = decompose(
        m, d, block.reshape(m * d), left, work.values, right, least, work.scratch, work.integers
    )
    return FINE if ranks[OUTSIDE] >= 0 else SINGULAR


@kernel
def explain(r: int, work: ExactWork) -> None:
    """Write U'y to `work.along`, the same along Z to `work.inside`, and what is left of y~.

    Parameters
    ----------
    r : int
        Rank of the subspace.
    work : ExactWork
        After `separate`; `along`, `inside` and `rest` are filled.
    """
    m, k = work.factor.shape[0], min(work.factor.shape[0], r)
    rest, along, inside = work.rest, work.along, work.inside
    for i in range(m):
        rest[i] = work.answers[i, 0]
    for a in range(work.ranks[INSIDE]):
        inside[a] = 0.0
        for i in range(m):
            inside[a] += work.inner_left[i * k + a] * rest[i]
    for a in range(work.ranks[INSIDE]):
        for i in range(m):
            rest[i] -= work.inner_left[i * k + a] * inside[a]
    for j in range(work.ranks[OUTSIDE]):
        along[j] = 0.0
        for i in range(m):
            along[j] += work.left[i, j] * rest[i]
    for j in range(work.ranks[OUTSIDE]):
        for i in range(m):
            rest[i] -= work.left[i, j] * along[j]


@kernel
def solve_exactly(basis: Floats, eta: float, penalty: float, n: int, work: ExactWork) -> int:
    """Write beta_hat to the first column of `work.solution`, after `separate`, penalty >= 0.

    With n <= r rows and eta = 0 it is the fit inside P alone, whatever the penalty.

    Parameters
    ----------
    basis : ndarray, shape (r, d)
        Orthonormal rows, none for plain ridge.
    eta : float
        Relative penalty inside the subspace.
    penalty : float
        Summed over samples; it may be infinite.
    n : int
        Rows that the data had.
    work : ExactWork
        With X~ and y~; `solution` is filled.

    Returns
    -------
    int
        FINE, SINGULAR or NOT_FINITE.
    """
    d, r, solution = work.factor.shape[1], basis.shape[0], work.solution
    verdict = separate(basis, eta, n, work)
    if verdict != FINE:
        return verdict
    spared = eta == 0.0 and r > 0
    explain(r, work)
    solution[:] = 0.0
    # Written so that a penalty that is not a number gives none.
    if penalty != np.inf and not (spared and n <= r):
        for j in range(work.ranks[OUTSIDE]):
            s = work.values[j]
            weight = work.along[j] * s / (s * s + penalty)
            for i in range(d):
                solution[i, 0] += weight * work.right[j, i]
    if spared:
        _fit_inside(basis, work)
    elif r > 0:
        row, inside, weight = work.row, work.inside, 1.0 / math.sqrt(eta) - 1.0
        for i in range(d):
            row[i] = solution[i, 0]
        dgemv("T", d, r, 1.0, basis, d, row, 1, 0.0, inside, 1)
        dgemv("N", d, r, weight, basis, d, inside, 1, 1.0, row, 1)
        for i in range(d):
            solution[i, 0] = row[i]
    return FINE


@kernel
def _fit_inside(basis: Floats, work: ExactWork) -> None:
    """Add A Z^+ (y - W delta) to delta."""
    (m, d), r, solution = work.factor.shape, basis.shape[0], work.solution
    k, rest, inside, row = min(m, r), work.rest, work.inside, work.row
    for i in range(m):
        rest[i] = work.answers[i, 0]
        for j in range(d):
            rest[i] -= work.factor[i, j] * solution[j, 0]
    for i in range(d):
        row[i] = 0.0
    for a in range(work.ranks[INSIDE]):
        weight = 0.0
        for i in range(m):
            weight += work.inner_left[i * k + a] * rest[i]
        weight /= work.inner_values[a]
        for b in range(r):
            inside[b] = weight * work.inner_right[a * r + b]
        dgemv("N", d, r, 1.0, basis, d, inside, 1, 1.0, row, 1)
    for i in range(d):
        solution[i, 0] += row[i]
