"""Stage 1: the brain subspace from recordings, by reduced-rank regression (theory/README.md 2).

B_hat = (G + alpha I)^-1 C with G = X'X, C = X'R; V the top-r right singular vectors of
X B_hat; A_hat an orthonormal basis of span(B_hat V). Matrices are C-contiguous; comments name
them as Fortran sees them, transposed.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, part
from mcbrain.kernels.linear.eigen import leading_eigenvectors
from mcbrain.kernels.linear.inverse_iteration import EigenWork, make_eigen_work
from mcbrain.kernels.linear.lapack import dgemm, dgeqrf, dpotrs, dsyrk, dtrmm, dtrsm
from mcbrain.kernels.linear.orthonormal import orthonormalise
from mcbrain.kernels.linear.products import (
    copy,
    elimination_room,
    factorise,
    factorise_and_solve,
    gram,
    solve_factor,
)
from mcbrain.kernels.linear.singular_values import LapackIntegers
from mcbrain.kernels.types import BROKEN, LOST, SOUND
from mcbrain.typing import Floats


class EncodeWork(NamedTuple):
    """Buffers of the brain stage; m = min(d, p), or n_brain in place of d in the dual form.

    Attributes
    ----------
    gram : ndarray, shape (d, d)
        X'X, upper triangle.
    cross : ndarray, shape (d, p)
        X'R.
    factor : ndarray, shape (d, d)
        Cholesky factor; in the dual form (n, n) of it.
    table : ndarray
        Room of `products.eliminate`.
    fitted : ndarray, shape (d, p)
    small : ndarray, shape (m, m)
        The matrix whose leading eigenvectors are wanted.
    eigen : EigenWork
        Buffers of the leading eigenvectors.
    left : ndarray, shape (r, n)
        Left vectors of the dual form.
    reflectors : ndarray, shape (d,)
    scratch : ndarray
        Room for LAPACK.
    singular_left : ndarray, shape (rows m,)
        U of fitted recordings, (rows, m), with rows = d, or n_brain in the dual form.
    singular_values : ndarray, shape (m,)
    singular_scratch : ndarray
        Room for LAPACK.
    singular_integers : ndarray of int32
        Room for LAPACK.
    residual : ndarray, shape (d,)
        Scratch of m_hat.
    cosines : ndarray, shape (k, r)
        Scratch of C^.
    """

    gram: Floats
    cross: Floats
    factor: Floats
    table: Floats
    fitted: Floats
    small: Floats
    eigen: EigenWork
    left: Floats
    reflectors: Floats
    scratch: Floats
    singular_left: Floats
    singular_values: Floats
    singular_scratch: Floats
    singular_integers: LapackIntegers
    residual: Floats
    cosines: Floats


@helper
def transpose(columns: Floats, rows: Floats) -> None:
    """Write the first columns as rows.

    Parameters
    ----------
    columns : ndarray, shape (n, r or more)
        The matrix.
    rows : ndarray, shape (r, n)
        Filled with its first columns.
    """
    for a in range(rows.shape[0]):
        for i in range(rows.shape[1]):
            rows[a, i] = columns[i, a]


@part
def leading_left(fitted: Floats, m: int, r: int, out: Floats, work: EncodeWork) -> int:
    """Write rows (r, m) that span the top-r left singular vectors of `fitted` (m, p).

    Returns LOST if its rank is below r.

    Parameters
    ----------
    fitted : ndarray, shape (m or more, p)
        Fitted recordings.
    m : int
        Rows of `fitted` that count.
    r : int
        How many vectors.
    out : ndarray, shape (r, m)
        Filled.
    work : EncodeWork
        Buffers; `small` and `eigen` are overwritten.

    Returns
    -------
    int
        SOUND or LOST.
    """
    p, small, vectors = fitted.shape[1], work.small, work.eigen.vectors
    if p <= m:
        gram(fitted, 0.0, small)
        lost = leading_eigenvectors(small, p, r, work.eigen)
        dgemm("T", "T", m, r, p, 1.0, fitted, p, vectors, vectors.shape[1], 0.0, out, m)
        return lost
    dsyrk("L", "T", m, p, 1.0, fitted, p, 0.0, small, m)
    lost = leading_eigenvectors(small, m, r, work.eigen)
    transpose(vectors, out)
    return lost


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

    Parameters
    ----------
    r : int
        Rank of the subspace.
    basis : ndarray, shape (r, d)
        Filled with orthonormal rows.
    work : EncodeWork
        With X'X and X'R; buffers are overwritten.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
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

    Parameters
    ----------
    alpha : float
        Penalty, summed over samples.
    r : int
        Rank of the subspace.
    basis : ndarray, shape (r, d)
        Filled with orthonormal rows.
    work : EncodeWork
        With X'X and X'R; `cross` and buffers are overwritten.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
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
        transpose(vectors, basis)
        dtrmm("L", "U", "T", "N", d, r, 1.0, weights, p, basis, d)
        lost = orthonormalise(basis)
    return _joined(verdict, lost)


@part
def encode_dual(X: Floats, R: Floats, r: int, basis: Floats, work: EncodeWork) -> int:
    """Write the estimated subspace to `basis` (r, d) from X (n, d), R (n, p) with n < d.

    The pseudo-inverse fits R exactly, so V comes from R alone, and span(B_hat V) is
    X'(XX')^-1 times the top-r left singular vectors of R. Returns LOST if n < r, and else as
    `encode_least_squares`.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Inputs.
    R : ndarray, shape (n, p)
        Recordings.
    r : int
        Rank of the subspace.
    basis : ndarray, shape (r, d)
        Filled with orthonormal rows.
    work : EncodeWork
        Buffers.

    Returns
    -------
    int
        SOUND, LOST, DOUBTFUL or BROKEN.
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


def make_encode_work(
    input_dim: int, n_channels: int, latent_dim: int, rows: int, rank: int
) -> EncodeWork:
    """Return the buffers of the brain stage.

    Parameters
    ----------
    input_dim, n_channels, latent_dim : int
        d, p and k.
    rows : int
        d, or n_brain in the dual form.
    rank : int
        r.

    Returns
    -------
    EncodeWork
        Zeros.
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
