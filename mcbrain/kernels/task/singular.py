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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.linear.householder import Reduction, reflect
from mcbrain.kernels.linear.lapack import dgemm, dgemv, dgesdd
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.types import (
    ESTIMATED,
    FINE,
    LANES,
    MEASURED,
    NOT_FINITE,
    ROUNDING,
    SINGULAR,
    SOUND,
    CodeArray,
    Fits,
)
from mcbrain.typing import Floats, Integers

LapackIntegers = NDArray[np.int32]

BASIS_SHARE = 1e-11
"""As `rounding_share`, where a subspace takes part: an estimated one is itself that inexact."""

INSIDE, OUTSIDE = range(2)
"""Ranks of Z and of what is left of W (`ExactWork.ranks`)."""


class ExactWork(NamedTuple):
    """Room for m = min(n, d) rows of data, p answers to each, and a subspace of rank r."""

    factor: Floats
    """(m, d) X~."""
    answers: Floats
    """(m, p) Y~, labels or recordings."""
    row: Floats
    """(d,)"""
    answer: Floats
    """(p,)"""
    block: Floats
    """(m, d) W, and then (I - ZZ^+) W."""
    left: Floats
    """(m, m) U, a singular vector in each column."""
    values: Floats
    """(m,) s, falling."""
    right: Floats
    """(m, d) V', a singular vector in each row."""
    projected: Floats
    """(m r,) Z, (m, r)."""
    inner_left: Floats
    """(m r,) U of Z, (m, min(m, r))."""
    inner_values: Floats
    """(r,)"""
    inner_right: Floats
    """(r r,) V' of Z, (min(m, r), r)."""
    across: Floats
    """(r d,) U'W for the U of Z."""
    ranks: Integers
    """(2,) of Z and of (I - ZZ^+) W."""
    rest: Floats
    """(m,) what of the labels is not explained."""
    along: Floats
    """(m,) U'y."""
    inside: Floats
    """(r,)"""
    solution: Floats
    """(d, 8) beta_hat in the first column, zeros beside it."""
    scratch: Floats
    integers: LapackIntegers


def make_exact_work(rows: int, input_dim: int, answers: int, rank: int) -> ExactWork:
    """Return room for data of so many rows.

    Parameters
    ----------
    rows, input_dim : int
        n and d; more than d rows are reduced to d.
    answers : int
        Columns of Y: 1 label, or p recordings.
    rank : int
        The largest r.
    """
    m, d, r = min(rows, input_dim), input_dim, rank
    return ExactWork(
        factor=np.zeros((m, d)),
        answers=np.zeros((m, answers)),
        row=np.zeros(d),
        answer=np.zeros(answers),
        block=np.zeros((m, d)),
        left=np.zeros((m, m)),
        values=np.zeros(m),
        right=np.zeros((m, d)),
        projected=np.zeros(m * r),
        inner_left=np.zeros(m * r),
        inner_values=np.zeros(r),
        inner_right=np.zeros(r * r),
        across=np.zeros(r * d),
        ranks=np.zeros(2, dtype=np.int64),
        rest=np.zeros(m),
        along=np.zeros(m),
        inside=np.zeros(r),
        solution=np.zeros((d, LANES)),
        scratch=np.zeros(4 * m * m + 64 * (d + m)),
        integers=np.zeros(8 * m, dtype=np.int32),
    )


@kernel
def clear(work: ExactWork) -> None:
    """Forget the data of the replicate before."""
    work.factor[:] = 0.0
    work.answers[:] = 0.0


@kernel
def absorb(X: Floats, Y: Floats, work: ExactWork) -> float:
    """Add rows to X~ (d, d) and Y~ by Givens rotations.

    Returns the square of what of Y no fit can reach. Zeros need no rotation, so that sparse data
    is quick.
    """
    factor, answers, row, answer = work.factor, work.answers, work.row, work.answer
    d, p, squares = row.size, answer.size, 0.0
    for i in range(X.shape[0]):
        for j in range(d):
            row[j] = X[i, j]
        for j in range(p):
            answer[j] = Y[i, j]
        for k in range(d):
            if row[k] == 0.0:
                continue
            length = math.sqrt(factor[k, k] ** 2 + row[k] ** 2)
            c, s = factor[k, k] / length, row[k] / length
            for j in range(k, d):
                above, below = factor[k, j], row[j]
                factor[k, j] = c * above + s * below
                row[j] = c * below - s * above
            for j in range(p):
                above, below = answers[k, j], answer[j]
                answers[k, j] = c * above + s * below
                answer[j] = c * below - s * above
        for j in range(p):
            squares += answer[j] ** 2
    return squares


@kernel
def keep_rows(X: Floats, Y: Floats, work: ExactWork) -> None:
    """Take the rows themselves as X~ and Y~, where there are no more than d."""
    copy(X, work.factor)
    copy(Y, work.answers)


@kernel
def keep_triangle(L: Floats, Y: Floats, work: ExactWork) -> None:
    """Take L' as X~ (d, d), where LL' is the Gram matrix."""
    for i in range(L.shape[0]):
        for j in range(L.shape[1]):
            work.factor[j, i] = L[i, j]
    copy(Y, work.answers)


@kernel
def length(matrix: Floats) -> float:
    """Return the Frobenius norm, which is not finite where an entry is not."""
    square = 0.0
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            square += matrix[i, j] * matrix[i, j]
    return math.sqrt(square)


@kernel
def rounding_share(n: int, d: int) -> float:
    """Return the share of |X| below which a singular value is rounding.

    As in every rank decision, a multiple of the unit roundoff that grows with the size; rounding
    errors of n rotations add up like a random walk. A Gaussian matrix has no such singular value
    but with a probability of that share, times d at most.
    """
    return 8.0 * ROUNDING * (d + math.sqrt(n))


@kernel
def decompose(
    m: int, c: int, matrix: Floats, left: Floats, values: Floats, right: Floats,
    least: float, scratch: Floats, integers: LapackIntegers,
) -> int:  # fmt: skip
    """Write a thin singular value decomposition of `matrix` (m, c), lost; returns its rank.

    All lie at the start of flat arrays: left (m, k), values (k,) and right (k, c) with
    k = min(m, c). Values up to `least` do not count. Returns -1 where there is none.
    """
    k = min(m, c)
    # To Fortran the matrix is its transpose, and so left and right change sides.
    info = dgesdd(
        "S", c, m, matrix, c, values, right, c, left, k, scratch, scratch.size, integers
    )  # fmt: skip
    if info != 0:
        return -1
    rank = 0
    while rank < k and values[rank] > least:
        rank += 1
    return rank


@kernel
def separate(basis: Floats, eta: float, n: int, work: ExactWork) -> int:
    """Decompose what is penalised, and Z where P is spared: FINE, SINGULAR or NOT_FINITE.

    `basis` (r, d) has orthonormal rows, none for plain ridge; n is the number of rows that the
    data had. Ranks go to `work.ranks`.
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
    """Write U'y to `work.along`, the same along Z to `work.inside`, and what is left of y~."""
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
        fit_inside(basis, work)
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
def fit_inside(basis: Floats, work: ExactWork) -> None:
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


@helper
def any_singular(failures: CodeArray) -> bool:
    """Say whether singular values must decide about some fit."""
    found = False
    for fit in range(failures.size):
        found = found or failures[fit] == SINGULAR
    return found


@kernel
def solve_singular_fits(
    estimated: Floats, measured: Floats, lost: int, turned: bool, reduction: Reduction,
    n: int, fits: Fits, work: ExactWork, coefs: Floats, failures: CodeArray,
) -> None:  # fmt: skip
    """Solve the fits that `solve` gave up, from n rows of data, into every lane of `coefs`.

    `lost` says that there is no estimated subspace; `turned`, that `coefs` is in the coordinates
    of T.
    """
    d = coefs.shape[0]
    for fit in range(failures.size):
        code = fits.subspace[fit]
        if failures[fit] != SINGULAR or (code == ESTIMATED and lost != SOUND):
            continue
        basis = estimated[:0]
        if code == ESTIMATED:
            basis = estimated
        elif code == MEASURED:
            basis = measured
        failures[fit] = solve_exactly(basis, fits.eta[fit], fits.penalty_sum[fit], n, work)
        if turned:
            reflect(d, reduction, 1, work.solution)
        for lane in range(coefs.shape[1]):
            if fits.batches[lane // LANES, lane % LANES] == fit:
                for i in range(d):
                    coefs[i, lane] = work.solution[i, 0]
