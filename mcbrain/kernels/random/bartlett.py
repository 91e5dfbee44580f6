"""Triangular factors of Gaussian matrices (Bartlett 1933), and small dense algebra on them."""

import math

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.random.streams import Stream, load, next_chi_square, next_normal, store
from mcbrain.typing import Floats


@kernel
def bartlett(stream: Stream, dof: int, out: Floats) -> None:
    """Draw the lower trapezoidal factor L of an m x dof Gaussian matrix G: GG' ~ LL'.

    Drawn in this order: L_ii^2 = chi^2_{dof-i} for all i, then L_ij ~ N(0, 1), j < i, row by row.

    Parameters
    ----------
    stream : Stream
        Where the numbers come from; advanced in place.
    dof : int
        Columns of G.
    out : ndarray, shape (m, c)
        Filled; c = min(m, dof) columns, or more, which are zero.
    """
    m = out.shape[0]
    c = min(m, min(dof, out.shape[1]))
    for i in range(m):
        for j in range(out.shape[1]):
            out[i, j] = 0.0
    s = load(stream)
    for i in range(c):
        s, square = next_chi_square(s, stream, dof - i)
        out[i, i] = math.sqrt(square)
    for i in range(m):
        for j in range(min(i, c)):
            s, out[i, j] = next_normal(s, stream)
    store(stream, s)


@kernel
def cholesky(matrix: Floats, size: int) -> None:
    """Factor a symmetric matrix in place, lower triangle; a pivot that is not positive gives zeros.

    Zero columns are what a matrix of deficient rank has, and what a negative pivot left by
    rounding stands for.

    Parameters
    ----------
    matrix : ndarray, shape (size or more, size or more)
        Overwritten by its factor, lower triangle.
    size : int
        Order of the part that counts.
    """
    for j in range(size):
        pivot = matrix[j, j]
        for t in range(j):
            pivot -= matrix[j, t] * matrix[j, t]
        root = math.sqrt(pivot) if pivot > 0.0 else 0.0
        inverse = 1.0 / root if pivot > 0.0 else 0.0
        matrix[j, j] = root
        for i in range(j + 1, size):
            value = matrix[i, j]
            for t in range(j):
                value -= matrix[i, t] * matrix[j, t]
            matrix[i, j] = value * inverse


@kernel
def solve_lower(lower: Floats, size: int, columns: Floats) -> None:
    """Solve L X = B in place, L the leading `size` square; a zero pivot gives a zero row.

    Parameters
    ----------
    lower : ndarray, shape (size or more, size or more)
        L.
    size : int
        Order of the part that counts.
    columns : ndarray, shape (size or more, c)
        B, overwritten by X.
    """
    for i in range(size):
        for t in range(i):
            factor = lower[i, t]
            for j in range(columns.shape[1]):
                columns[i, j] -= factor * columns[t, j]
        inverse = 1.0 / lower[i, i] if lower[i, i] != 0.0 else 0.0
        for j in range(columns.shape[1]):
            columns[i, j] *= inverse


@kernel
def multiply_transposed(left: Floats, right: Floats, size: int, out: Floats) -> None:
    """Write left' right into `out`, over the first `size` rows of both.

    Parameters
    ----------
    left : ndarray, shape (size or more, a)
        First factor, transposed.
    right : ndarray, shape (size or more, b)
        Second factor.
    size : int
        Rows that count.
    out : ndarray, shape (a, b)
        Filled.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = 0.0
    for t in range(size):
        for i in range(left.shape[1]):
            factor = left[t, i]
            for j in range(right.shape[1]):
                out[i, j] += factor * right[t, j]
