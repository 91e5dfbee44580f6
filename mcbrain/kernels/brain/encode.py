"""Stage 1: the brain subspace from recordings, by reduced-rank regression (theory/README.md 2).

B_hat = (G + alpha I)^-1 C with G = X'X, C = X'R; V the top-r right singular vectors of
X B_hat; A_hat an orthonormal basis of span(B_hat V). Matrices are C-contiguous; comments name
them as Fortran sees them, transposed.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, kernel, part, sum_helper
from mcbrain.kernels.linear.eigen import EigenWork, leading_eigenvectors, make_eigen_work
from mcbrain.kernels.linear.lapack import dgemm, dgeqrf, dpotrs, dsyrk, dtrmm, dtrsm
from mcbrain.kernels.linear.products import (
    copy,
    elimination_room,
    factorise,
    factorise_and_solve,
    gram,
    solve_factor,
)
from mcbrain.kernels.task.singular import (
    ExactWork,
    LapackIntegers,
    decompose,
    length,
    rounding_share,
    separate,
)
from mcbrain.kernels.types import BROKEN, DOUBTFUL, FINE, LOST, SOUND
from mcbrain.typing import Floats


class EncodeWork(NamedTuple):
    """Buffers of the brain stage; m = min(d, p), or n_brain in place of d in the dual form."""

    gram: Floats
    """(d, d) X'X, upper triangle."""
    cross: Floats
    """(d, p) X'R."""
    factor: Floats
    """(d, d) Cholesky factor; in the dual form (n, n) of it."""
    table: Floats
    """Room of `products.eliminate`."""
    fitted: Floats
    """(d, p)"""
    small: Floats
    """(m, m) the matrix whose leading eigenvectors are wanted."""
    eigen: EigenWork
    left: Floats
    """(r, n) left vectors of the dual form."""
    reflectors: Floats
    """(d,)"""
    scratch: Floats
    singular_left: Floats
    """(rows m,) U of fitted recordings, (rows, m), with rows = d, or n_brain in the dual form."""
    singular_values: Floats
    """(m,)"""
    singular_scratch: Floats
    singular_integers: LapackIntegers
    residual: Floats
    """(d,)"""
    cosines: Floats
    """(k, r)"""


@sum_helper
def dot(x: Floats, y: Floats) -> float:
    """Return x'y."""
    total = 0.0
    for i in range(x.size):
        total += x[i] * y[i]
    return total


@kernel
def orthonormalise(rows: Floats) -> int:
    """Make the rows (r, d) orthonormal in place, by Gram-Schmidt done twice; LOST if dependent.

    Twice is enough (Giraud, Langou & Rozloznik 2005) while the rows are independent.
    """
    r, d = rows.shape
    for a in range(r):
        row = rows[a]
        before = dot(row, row)
        for _ in range(2):
            for b in range(a):
                weight = dot(row, rows[b])
                for j in range(d):
                    row[j] -= weight * rows[b, j]
        after = dot(row, row)
        # Written so that a NaN is a failure too.
        if not after > 1e-20 * before:
            return LOST
        for j in range(d):
            row[j] /= np.sqrt(after)
    return SOUND


@helper
def _transpose(columns: Floats, rows: Floats) -> None:
    """Write the first columns as rows."""
    for a in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            rows[a, i] = columns[i, a]


@part
def leading_left(fitted: Floats, m: int, r: int, out: Floats, work: EncodeWork) -> int:
    """Write rows (r, m) that span the top-r left singular vectors of `fitted` (m, p).

    Returns LOST if its rank is below r.
    """
    p, small, vectors = fitted.shape[1], work.small, work.eigen.vectors
    if p <= m:
        gram(fitted, 0.0, small)
        lost = leading_eigenvectors(small, p, r, work.eigen)
        dgemm("T", "T", m, r, p, 1.0, fitted, p, vectors, vectors.shape[1], 0.0, out, m)
        return lost
    dsyrk("L", "T", m, p, 1.0, fitted, p, 0.0, small, m)
    lost = leading_eigenvectors(small, m, r, work.eigen)
    _transpose(vectors, out)
    return lost


@kernel
def leading_left_exactly(
    fitted: Floats, m: int, r: int, share: float, out: Floats, work: EncodeWork
) -> int:
    """As `leading_left`, by singular values, of which a share of |fitted| is rounding.

    Squares in a Gram matrix hide what is smaller than the root of that: a penalty weighs
    directions in which inputs are small by their square. Overwrites `work.cross` and `work.fitted`.
    """
    p = fitted.shape[1]
    k, matrix, right = min(m, p), work.cross, work.fitted
    least = share * length(fitted[:m])
    copy(fitted[:m], matrix[:m])
    rank = decompose(
        m, p, matrix.reshape(matrix.size), work.singular_left, work.singular_values,
        right.reshape(right.size), least, work.singular_scratch, work.singular_integers,
    )  # fmt: skip
    if rank < r:
        return LOST
    _transpose(work.singular_left[: m * k].reshape(m, k), out)
    return SOUND


@helper
def _joined(verdict: int, lost: int) -> int:
    """Return the verdict on a subspace from those on the factor and, by Gram matrices, the rank."""
    return verdict if lost == SOUND else BROKEN


@part
def encode_least_squares(r: int, basis: Floats, work: EncodeWork) -> int:
    """Write the estimated subspace to `basis` (r, d) from `work.gram` and `work.cross`.

    With G = LL' and F = L^-1 C, X B_hat is an orthogonal matrix times F, and B_hat V is L^-T
    times the top-r left singular vectors of F. Returns DOUBTFUL or BROKEN where `encode_exactly`
    must decide.
    """
    factor, fitted = work.factor, work.fitted
    verdict = factorise_and_solve(work.gram, work.cross, work.table, factor, fitted)
    if verdict == BROKEN:
        return BROKEN
    lost = leading_left(fitted, work.cross.shape[0], r, basis, work)
    if lost == SOUND:
        solve_factor(factor, basis)
        lost = orthonormalise(basis)
    return _joined(verdict, lost)


@part
def encode_ridge(alpha: float, r: int, basis: Floats, work: EncodeWork) -> int:
    """As `encode_least_squares`, for B_hat = (G + alpha I)^-1 C with alpha > 0.

    V diagonalises B'GB = B'(C - alpha B), p x p. For p > d, B' = QR (thin) gives
    B'GB = Q (R G R') Q', whose leading vectors Q y give B V = R'y, and the problem is d x d.
    """
    d, p = work.cross.shape
    factor, weights, small, vectors = work.factor, work.fitted, work.small, work.eigen.vectors
    copy(work.gram, factor)
    for i in range(d):
        factor[i, i] += alpha
    verdict = factorise(d, factor)
    if verdict == BROKEN:
        return BROKEN
    copy(work.cross, weights)
    dtrsm("R", "L", "T", "N", p, d, 1.0, factor, d, weights, p)
    dtrsm("R", "L", "N", "N", p, d, 1.0, factor, d, weights, p)
    if p <= d:
        residual = work.cross
        for i in range(d):
            for j in range(p):
                residual[i, j] -= alpha * weights[i, j]
        dgemm("N", "T", p, p, d, 1.0, weights, p, residual, p, 0.0, small, p)
        lost = leading_eigenvectors(small, p, r, work.eigen)
        if lost == SOUND:
            dgemm("T", "T", d, r, p, 1.0, weights, p, vectors, vectors.shape[1], 0.0, basis, d)
            lost = orthonormalise(basis)
        return _joined(verdict, lost)
    if dgeqrf(p, d, weights, p, work.reflectors, work.scratch, work.scratch.size) != 0:
        return BROKEN
    for i in range(d):
        for j in range(d):
            small[i, j] = work.gram[min(i, j), max(i, j)]
    dtrmm("L", "U", "N", "N", d, d, 1.0, weights, p, small, d)
    dtrmm("R", "U", "T", "N", d, d, 1.0, weights, p, small, d)
    lost = leading_eigenvectors(small, d, r, work.eigen)
    if lost == SOUND:
        _transpose(vectors, basis)
        dtrmm("L", "U", "T", "N", d, r, 1.0, weights, p, basis, d)
        lost = orthonormalise(basis)
    return _joined(verdict, lost)


@part
def encode_dual(X: Floats, R: Floats, r: int, basis: Floats, work: EncodeWork) -> int:
    """Write the estimated subspace to `basis` (r, d) from X (n, d), R (n, p) with n < d.

    The pseudo-inverse fits R exactly, so V comes from R alone, and span(B_hat V) is
    X'(XX')^-1 times the top-r left singular vectors of R. Returns LOST if n < r, and else as
    `encode_least_squares`.
    """
    n, d = X.shape
    if n < r:
        return LOST
    factor, left = work.factor, work.left
    dsyrk("L", "T", n, d, 1.0, X, d, 0.0, factor, n)
    verdict = factorise(n, factor)
    if verdict == BROKEN:
        return BROKEN
    lost = leading_left(R, n, r, left, work)
    if lost == SOUND:
        dpotrs("L", n, r, factor, n, left, n)
        dgemm("N", "N", d, r, n, 1.0, X, d, left, n, 0.0, basis, d)
        lost = orthonormalise(basis)
    return _joined(verdict, lost)


@kernel
def encode_exactly(
    verdict: int, alpha: float, r: int, n: int, basis: Floats, work: EncodeWork,
    exact: ExactWork,
) -> int:  # fmt: skip
    """Return SOUND or LOST where `verdict` is DOUBTFUL or BROKEN, from n samples in `exact`.

    A subspace that is only DOUBTFUL stays where the samples have full rank. Else, with
    X = U diag(s) V', X B_hat is U F, F = s^2/(s^2 + alpha) U'R, and B_hat V is V diag(1/s) times
    the top-r left singular vectors of F: for alpha = 0 this is the pseudo-inverse.
    """
    rows, p, d = work.left.shape[1], work.fitted.shape[1], basis.shape[1]
    if separate(basis[:0], 0.0, n, exact) != FINE:
        return LOST
    m, rank = exact.factor.shape[0], exact.ranks[1]
    if verdict == DOUBTFUL and rank == m:
        return SOUND
    if rank < r:
        return LOST
    fitted, left = work.fitted[:rows], work.left
    dgemm("N", "T", p, m, m, 1.0, exact.answers, p, exact.left, m, 0.0, fitted, p)
    for j in range(rows):
        weight = 0.0
        if j < rank:
            square = exact.values[j] ** 2
            weight = square / (square + alpha)
        for i in range(p):
            fitted[j, i] = weight * fitted[j, i] if j < rank else 0.0
    if leading_left(fitted, rows, r, left, work) != SOUND:
        share = rounding_share(max(n, p), d)
        if leading_left_exactly(fitted, rows, r, share, left, work) != SOUND:
            return LOST
    for a in range(r):
        for j in range(rank):
            left[a, j] /= exact.values[j]
    dgemm("N", "N", d, r, rank, 1.0, exact.right, d, left, rows, 0.0, basis, d)
    return orthonormalise(basis)


@part
def share_missed(beta: Floats, basis: Floats, residual: Floats) -> float:
    """Return m_hat = |(I - P) beta|^2 / |beta|^2 for orthonormal rows `basis` (r, d).

    `residual` (d,) is scratch. Nothing is subtracted from 1, so a small m_hat is accurate.
    """
    d = beta.size
    total = 0.0
    for i in range(d):
        residual[i] = beta[i]
        total += beta[i] ** 2
    for a in range(basis.shape[0]):
        weight = 0.0
        for i in range(d):
            weight += basis[a, i] * beta[i]
        for i in range(d):
            residual[i] -= weight * basis[a, i]
    missed = 0.0
    for i in range(d):
        missed += residual[i] ** 2
    return missed / total


@part
def overlap_matrix(brain_map: Floats, basis: Floats, cosines: Floats, overlap: Floats) -> None:
    """Write C^ = A'PA to `overlap` (k, k); `cosines` (k, r) is scratch."""
    k, d = brain_map.shape
    r = basis.shape[0]
    dgemm("T", "N", r, k, d, 1.0, basis, d, brain_map, d, 0.0, cosines, r)
    dgemm("T", "N", k, k, r, 1.0, cosines, r, cosines, r, 0.0, overlap, k)


def make_encode_work(
    input_dim: int, n_channels: int, latent_dim: int, rows: int, rank: int
) -> EncodeWork:
    """Return the buffers of the brain stage.

    Parameters
    ----------
    input_dim, n_channels, latent_dim, rank : int
        d, p, k and r.
    rows : int
        d, or n_brain in the dual form.
    """
    d, p = input_dim, n_channels
    m = max(1, min(rows, p))
    return EncodeWork(
        gram=np.zeros((d, d)),
        cross=np.zeros((d, p)),
        factor=np.zeros((d, d)),
        table=np.zeros(elimination_room(d, p)),
        fitted=np.zeros((d, p)),
        small=np.zeros((m, m)),
        eigen=make_eigen_work(m, rank),
        left=np.zeros((rank, rows)),
        reflectors=np.zeros(d),
        scratch=np.zeros(64 * d),
        singular_left=np.zeros(rows * m),
        singular_values=np.zeros(m),
        singular_scratch=np.zeros(4 * m * m + 7 * m + 64 * (rows + p)),
        singular_integers=np.zeros(8 * m, dtype=np.int32),
        residual=np.zeros(d),
        cosines=np.zeros((latent_dim, rank)),
    )
