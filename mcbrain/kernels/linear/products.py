"""Products, Gram matrices and Cholesky factors, by the routine that suits their size.

OpenBLAS takes a lock for its buffers in every call but those of `dgemm` on small matrices, and
threads with many small matrices would wait for each other.
"""

import math

from mcbrain.kernels.jit import helper, kernel, part
from mcbrain.kernels.linear.lanes import get, padded, put
from mcbrain.kernels.linear.lapack import dgemm, dpotrf, dsyrk, dtrsm
from mcbrain.kernels.types import BROKEN, DOUBTFUL, DOUBTFUL_PIVOT, LANES, SOUND, SUSPECT
from mcbrain.typing import Floats

SMALL_PRODUCT = 250_000
"""Multiplications up to which a whole product beats its half by `dsyrk`."""

SMALL_ORDER = 32
"""Order up to which `eliminate` beats LAPACK."""


@part
def product(left: Floats, right: Floats, weight: float, kept: float, out: Floats) -> None:
    """Write weight left right + kept out, matrices (a, b), (b, c) and (a, c).

    Parameters
    ----------
    left : ndarray, shape (a, b)
        First factor.
    right : ndarray, shape (b, c)
        Second factor.
    weight : float
        Of the product.
    kept : float
        Of what was in `out`.
    out : ndarray, shape (a, c)
        Filled.
    """
    (a, b), c = left.shape, right.shape[1]
    dgemm("N", "N", c, a, b, weight, right, c, left, b, kept, out, c)


@part
def product_left(left: Floats, right: Floats, weight: float, kept: float, out: Floats) -> None:
    """Write weight left' right + kept out, matrices (b, a), (b, c) and (a, c).

    Parameters
    ----------
    left : ndarray, shape (b, a)
        First factor, transposed.
    right : ndarray, shape (b, c)
        Second factor.
    weight : float
        Of the product.
    kept : float
        Of what was in `out`.
    out : ndarray, shape (a, c)
        Filled.
    """
    (b, a), c = left.shape, right.shape[1]
    dgemm("N", "T", c, a, b, weight, right, c, left, a, kept, out, c)


@part
def product_right(left: Floats, right: Floats, weight: float, kept: float, out: Floats) -> None:
    """Write weight left right' + kept out, matrices (a, b), (c, b) and (a, c).

    Parameters
    ----------
    left : ndarray, shape (a, b)
        First factor.
    right : ndarray, shape (c, b)
        Second factor, transposed.
    weight : float
        Of the product.
    kept : float
        Of what was in `out`.
    out : ndarray, shape (a, c)
        Filled.
    """
    (a, b), c = left.shape, right.shape[0]
    dgemm("T", "N", c, a, b, weight, right, b, left, b, kept, out, c)


@helper
def gram(X: Floats, kept: float, out: Floats) -> None:
    """Write kept * out + X'X, X (rows, d), to the upper triangle of `out` (d, d).

    Parameters
    ----------
    X : ndarray, shape (rows, d)
        Data.
    kept : float
        Of what was in `out`.
    out : ndarray, shape (d, d)
        Filled.
    """
    rows, d = X.shape
    if rows * d * d <= SMALL_PRODUCT:
        dgemm("N", "T", d, d, rows, 1.0, X, d, X, d, kept, out, d)
    else:
        dsyrk("L", "N", d, rows, 1.0, X, d, kept, out, d)


@helper
def copy(source: Floats, out: Floats) -> None:
    """Copy the start of `source`, as it lies in memory, over `out`.

    Parameters
    ----------
    source : ndarray
        At least as many entries as `out`.
    out : ndarray
        Filled.
    """
    flat_source, flat_out = source.reshape(source.size), out.reshape(out.size)
    for i in range(flat_out.size):
        flat_out[i] = flat_source[i]


def elimination_room(d: int, p: int) -> int:
    """Return how many numbers `eliminate` works on, 0 where LAPACK takes its place.

    Parameters
    ----------
    d : int
        Order of G.
    p : int
        Columns of C.

    Returns
    -------
    int
        A count of floats.
    """
    return d * (padded(d) + padded(p)) if d <= SMALL_ORDER else 0


@helper
def trust(pivot: float, entry: float, d: int) -> int:
    """Say what a pivot of a (d, d) Cholesky factorisation is worth, beside the diagonal entry.

    Parameters
    ----------
    pivot : float
        The pivot.
    entry : float
        The diagonal entry of the matrix there.
    d : int
        Order of the matrix.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
    """
    # Written so that a NaN is not trusted.
    if not pivot > SUSPECT * d * entry:
        return BROKEN
    return SOUND if pivot > DOUBTFUL_PIVOT * entry else DOUBTFUL


@helper
def factorise(d: int, matrix: Floats) -> int:
    """Overwrite the upper triangle of G (d, d), at the start of `matrix`, by U with G = U'U.

    Says if U can be trusted.

    Parameters
    ----------
    d : int
        Order of G.
    matrix : ndarray, shape (d d or more in all,)
        G, overwritten by U.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
    """
    if dpotrf("L", d, matrix, d) != 0:
        return BROKEN
    entries, verdict = matrix.reshape(matrix.size), SOUND
    for i in range(d):
        entry = 0.0
        for j in range(i + 1):
            entry += entries[j * d + i] ** 2
        verdict = max(verdict, trust(entries[i * d + i] ** 2, entry, d))
    return verdict


@kernel
def eliminate(d: int, width: int, table: Floats) -> int:
    """Turn the d rows [G, C] of `table` to U'^-1 [G, C] = [U, F], G = U'U.

    Rows are `width` long, whole eights; G is read from its upper triangle. Says if U can be
    trusted.

    Parameters
    ----------
    d : int
        Order of G.
    width : int
        Entries of a row of the table, whole eights.
    table : ndarray, shape (d width,)
        [G, C], overwritten by [U, F].

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
    """
    verdict = SOUND
    for i in range(d):
        row, first = i * width, i // LANES * LANES
        entry = table[row + i]
        for k in range(i):
            weight = table[k * width + i]
            for j in range(first, width, LANES):
                put(table, row + j, get(table, row + j) - weight * get(table, k * width + j))
        pivot = table[row + i]
        verdict = max(verdict, trust(pivot, entry, d))
        if verdict == BROKEN:
            return BROKEN
        scale = 1.0 / math.sqrt(pivot)
        for j in range(first, width, LANES):
            put(table, row + j, scale * get(table, row + j))
    return verdict


@part
def factorise_and_solve(
    matrix: Floats, cross: Floats, table: Floats, factor: Floats, out: Floats
) -> int:
    """Write U with G = U'U to `factor` (d, d) and U'^-1 C to `out` (d, p).

    Says if U can be trusted.

    G is the upper triangle of `matrix` (d, d), C is `cross` (d, p); `table` has the size of
    `elimination_room`.

    Parameters
    ----------
    matrix : ndarray, shape (d, d)
        G, by its upper triangle.
    cross : ndarray, shape (d, p)
        C.
    table : ndarray, shape (elimination_room(d, p),)
        Scratch.
    factor : ndarray, shape (d, d)
        Filled with U.
    out : ndarray, shape (d, p)
        Filled with U'^-1 C.

    Returns
    -------
    int
        SOUND, DOUBTFUL or BROKEN.
    """
    d, p = cross.shape
    if table.size == 0:
        copy(matrix, factor)
        verdict = factorise(d, factor)
        if verdict == BROKEN:
            return BROKEN
        copy(cross, out)
        dtrsm("R", "L", "T", "N", p, d, 1.0, factor, d, out, p)
        return verdict
    width, start = table.size // d, (d + LANES - 1) // LANES * LANES
    for i in range(d):
        for j in range(d):
            table[i * width + j] = matrix[i, j]
        for j in range(p):
            table[i * width + start + j] = cross[i, j]
    verdict = eliminate(d, width, table)
    if verdict == BROKEN:
        return BROKEN
    for i in range(d):
        for j in range(d):
            factor[i, j] = table[i * width + j]
        for j in range(p):
            out[i, j] = table[i * width + start + j]
    return verdict


@part
def solve_factor(factor: Floats, rows: Floats) -> None:
    """Overwrite every row x of `rows` (r, d) by U^-1 x, U the upper triangle of `factor`.

    Parameters
    ----------
    factor : ndarray, shape (d, d)
        U, by its upper triangle.
    rows : ndarray, shape (r, d)
        Overwritten.
    """
    r, d = rows.shape
    if d > SMALL_ORDER:
        dtrsm("L", "L", "T", "N", d, r, 1.0, factor, d, rows, d)
        return
    for a in range(r):
        for i in range(d - 1, -1, -1):
            value = rows[a, i]
            for j in range(i + 1, d):
                value -= factor[i, j] * rows[a, j]
            rows[a, i] = value / factor[i, i]
