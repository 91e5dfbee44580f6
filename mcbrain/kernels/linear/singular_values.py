"""Singular values, and which of them are rounding."""

import math

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.lapack import dgesdd
from mcbrain.kernels.types import ROUNDING
from mcbrain.typing import Floats

LapackIntegers = NDArray[np.int32]


@kernel
def length(matrix: Floats) -> float:
    """Return the Frobenius norm, which is not finite where an entry is not.

    Parameters
    ----------
    matrix : ndarray, shape (a, b)
        A matrix.

    Returns
    -------
    float
        The root of the sum of squares.
    """
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

    Parameters
    ----------
    n : int
        Rows that the data had.
    d : int
        Columns.

    Returns
    -------
    float
        A share, far below 1.
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

    Parameters
    ----------
    m : int
        Rows.
    c : int
        Columns.
    matrix : ndarray, shape (m c or more,)
        The matrix, lost.
    left : ndarray, shape (m k or more,)
        Filled with the left vectors as columns.
    values : ndarray, shape (k or more,)
        Filled with the singular values, falling.
    right : ndarray, shape (k c or more,)
        Filled with the right vectors as rows.
    least : float
        Singular values up to this one count as 0.
    scratch : ndarray, shape (4 k k + 7 k + max(m, c) or more,)
        Room for LAPACK.
    integers : ndarray of int32, shape (8 k,)
        Room for LAPACK.

    Returns
    -------
    int
        The rank, or -1.
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
