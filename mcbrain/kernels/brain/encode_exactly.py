"""Stage 1 by singular values, where Gram matrices do not decide (`encode`)."""

from mcbrain.kernels.brain.encode import EncodeWork, leading_left, transpose
from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.orthonormal import orthonormalise
from mcbrain.kernels.linear.products import copy
from mcbrain.kernels.linear.singular_values import decompose, length, rounding_share
from mcbrain.kernels.task.exact_data import OUTSIDE, ExactWork
from mcbrain.kernels.task.singular import separate
from mcbrain.kernels.types import DOUBTFUL, FINE, LOST, SOUND, Sizes
from mcbrain.typing import Floats


@kernel
def leading_left_exactly(
    fitted: Floats, m: int, r: int, share: float, out: Floats, work: EncodeWork
) -> int:
    """As `leading_left`, by singular values, of which a share of |fitted| is rounding.

    Squares in a Gram matrix hide what is smaller than the root of that: a penalty weighs
    directions in which inputs are small by their square. Overwrites `work.cross` and `work.fitted`.

    Parameters
    ----------
    fitted : ndarray, shape (m or more, p)
        Fitted recordings.
    m : int
        Rows of `fitted` that count.
    r : int
        How many vectors.
    share : float
        Singular values up to this share of the norm count as 0.
    out : ndarray, shape (r, m)
        Filled.
    work : EncodeWork
        Buffers; `cross` and `fitted` are overwritten.

    Returns
    -------
    int
        SOUND or LOST.
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
    transpose(work.singular_left[: m * k].reshape(m, k), out)
    return SOUND


@kernel
def encode_exactly(
    verdict: int, sizes: Sizes, basis: Floats, work: EncodeWork, exact: ExactWork
) -> int:
    """Return SOUND or LOST where `verdict` is DOUBTFUL or BROKEN, from the samples in `exact`.

    A subspace that is only DOUBTFUL stays where the samples have full rank. Else, with
    X = U diag(s) V', X B_hat is U F, F = s^2/(s^2 + alpha) U'R, and B_hat V is V diag(1/s) times
    the top-r left singular vectors of F: for alpha = 0 this is the pseudo-inverse.

    Parameters
    ----------
    verdict : int
        What Gram matrices said.
    sizes : Sizes
        n_brain, rank and encoding penalty.
    basis : ndarray, shape (r, d)
        The subspace found so far; overwritten where that was not it.
    work : EncodeWork
        Buffers.
    exact : ExactWork
        The brain data; decomposed.

    Returns
    -------
    int
        SOUND or LOST.
    """
    n, r, alpha = sizes.n_brain, sizes.rank, sizes.encoding_penalty
    rows, p, d = work.left.shape[1], work.fitted.shape[1], basis.shape[1]
    if separate(basis[:0], 0.0, n, exact) != FINE:
        return LOST
    m, rank = exact.factor.shape[0], exact.ranks[OUTSIDE]
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
