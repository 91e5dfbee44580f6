"""Symmetric matrices to tridiagonal form, A = Q T Q', and products with Q.

For matrices that fit the cache: each step applies the previous step's rank-two update and
multiplies by its own reflector in one pass over the upper triangle, where LAPACK takes two.
Matrices are (N, N) with N = n rounded up to eights, zero beyond n.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lanes import get, padded, put, total
from mcbrain.kernels.types import LANES
from mcbrain.typing import Floats

V, W, X, P = range(4)
"""Vectors in `Reduction.scratch`."""

PLAIN, TRANSPOSED = range(2)
"""Which of Q and Q' `reflect` takes."""

TWO = 2 * LANES
"""Columns that `_apply_two` turns at a time."""


class Reduction(NamedTuple):
    """A tridiagonal form: H_k = I - tau_k v_k v_k', Q = H_0 H_1 ... H_(n-2).

    Attributes
    ----------
    matrix : ndarray, shape (N, N)
        The matrix, lost; then row k is v_k from k's eight on, 0 up to k and 1 at k + 1.
    tau, diagonal, beside : ndarray, shape (N,)
    scratch : ndarray, shape (4 N,)
        Four vectors: v, w, x and p of `_update_and_multiply`.
    """

    matrix: Floats
    tau: Floats
    diagonal: Floats
    beside: Floats
    scratch: Floats


def make_reduction(n: int) -> Reduction:
    """Return room for matrices up to (n, n).

    Parameters
    ----------
    n : int
        The largest order.

    Returns
    -------
    Reduction
        Zeros.
    """
    size = padded(n)
    tau, diagonal, beside = np.zeros((3, size))
    return Reduction(np.zeros((size, size)), tau, diagonal, beside, np.zeros(4 * size))


@kernel
def load_symmetric(source: Floats, n: int, out: Reduction) -> None:
    """Copy the upper triangle of an (n, n) matrix that lies at the start of `source`.

    Parameters
    ----------
    source : ndarray, shape (n n or more in all,)
        The matrix, at the start of its array.
    n : int
        Its order.
    out : Reduction
        `matrix` is filled.
    """
    matrix, entries = out.matrix, source.reshape(source.size)
    for i in range(n):
        for j in range(i, n):
            matrix[i, j] = entries[i * n + j]
        for j in range(i // LANES * LANES, i):
            matrix[i, j] = matrix[j, i]
    for i in range(n, matrix.shape[0]):
        for j in range(matrix.shape[0]):
            matrix[i, j] = 0.0


@kernel
def _make_reflector(row: Floats, k: int) -> tuple[float, float]:
    """Turn entries k + 1, ... of `row` (N,) into v, zero before; returns what is left and tau."""
    size, first = row.size, (k + 1) // LANES * LANES
    alpha = row[k + 1]
    for j in range(k // LANES * LANES, k + 2):
        row[j] = 0.0
    squares = 0.0 * get(row, first)
    for j in range(first, size, LANES):
        squares = squares + get(row, j) * get(row, j)
    square = total(squares)
    if square == 0.0:
        return alpha, 0.0
    beta = -math.copysign(math.sqrt(alpha * alpha + square), alpha)
    scale = 1.0 / (alpha - beta)
    for j in range(first, size, LANES):
        put(row, j, scale * get(row, j))
    row[k + 1] = 1.0
    return beta, (beta - alpha) / beta


@kernel
def _update_and_multiply(matrix: Floats, first: int, scratch: Floats) -> None:
    """Apply A -= v w' + w v' from row `first` (an eight's) on, and write p = A x.

    `scratch` holds v, w, x and p by V, W, X and P. An eight of rows is a full 8 x 8 tile on the
    diagonal and then tiles that stand for both triangles.
    """
    size = matrix.shape[0]
    entries = matrix.reshape(size * size)
    zero = 0.0 * get(scratch, 0)
    at_w, at_x, at_p = W * size, X * size, P * size
    for j in range(at_p + first, at_p + size, LANES):
        put(scratch, j, zero)
    for i in range(first, size, 4):
        v0, v1, v2, v3 = scratch[i], scratch[i + 1], scratch[i + 2], scratch[i + 3]
        w0, w1 = scratch[at_w + i], scratch[at_w + i + 1]
        w2, w3 = scratch[at_w + i + 2], scratch[at_w + i + 3]
        x0, x1 = scratch[at_x + i], scratch[at_x + i + 1]
        x2, x3 = scratch[at_x + i + 2], scratch[at_x + i + 3]
        p0, p1, p2, p3 = zero, zero, zero, zero
        diagonal = i // LANES * LANES
        for j in range(diagonal, size, LANES):
            v, w, x = get(scratch, j), get(scratch, at_w + j), get(scratch, at_x + j)
            place = i * size + j
            a0 = get(entries, place) - v0 * w - w0 * v
            a1 = get(entries, place + size) - v1 * w - w1 * v
            a2 = get(entries, place + 2 * size) - v2 * w - w2 * v
            a3 = get(entries, place + 3 * size) - v3 * w - w3 * v
            put(entries, place, a0)
            put(entries, place + size, a1)
            put(entries, place + 2 * size, a2)
            put(entries, place + 3 * size, a3)
            p0, p1, p2, p3 = p0 + a0 * x, p1 + a1 * x, p2 + a2 * x, p3 + a3 * x
            if j > diagonal:
                column = a0 * x0 + a1 * x1 + (a2 * x2 + a3 * x3)
                put(scratch, at_p + j, get(scratch, at_p + j) + column)
        scratch[at_p + i] += total(p0)
        scratch[at_p + i + 1] += total(p1)
        scratch[at_p + i + 2] += total(p2)
        scratch[at_p + i + 3] += total(p3)


@kernel
def tridiagonalise(n: int, work: Reduction) -> None:
    """Reduce `work.matrix` to T: `diagonal` (n,) and `beside` (n - 1,).

    Parameters
    ----------
    n : int
        Order of the matrix.
    work : Reduction
        `matrix` becomes the reflectors; `tau`, `diagonal` and `beside` are filled.
    """
    matrix, scratch, size = work.matrix, work.scratch, work.matrix.shape[0]
    at_w, at_x, at_p = W * size, X * size, P * size
    for j in range(2 * size):
        scratch[j] = 0.0
    for k in range(n):
        row = matrix[k]
        v, w = scratch[k], scratch[at_w + k]
        for j in range(k // LANES * LANES, size, LANES):
            put(row, j, get(row, j) - v * get(scratch, at_w + j) - w * get(scratch, j))
        scratch[k], scratch[at_w + k] = 0.0, 0.0
        work.diagonal[k] = row[k]
        if k == n - 1:
            break
        first = (k + 1) // LANES * LANES
        work.beside[k], tau = _make_reflector(row, k)
        work.tau[k] = tau
        for j in range(first, size, LANES):
            put(scratch, at_x + j, get(row, j))
        _update_and_multiply(matrix, first, scratch)
        # w = tau p - (tau^2/2) (p'v) v
        products = 0.0 * get(row, first)
        for j in range(first, size, LANES):
            products = products + get(row, j) * get(scratch, at_p + j)
        half = 0.5 * tau * tau * total(products)
        for j in range(first, size, LANES):
            x = get(row, j)
            put(scratch, j, x)
            put(scratch, at_w + j, tau * get(scratch, at_p + j) - half * x)
        for j in range(first, k + 1):
            scratch[at_w + j] = 0.0


@part
def _apply(n: int, k: int, work: Reduction, c: int, columns: int, entries: Floats) -> None:
    """Apply H_k to eight columns, from c on, of a flat (n, columns) matrix."""
    v = work.matrix[k]
    zero = 0.0 * get(entries, c)
    s0, s1, s2, s3 = zero, zero, zero, zero
    i = k + 1
    while i + 3 < n:
        place = i * columns + c
        s0 = s0 + v[i] * get(entries, place)
        s1 = s1 + v[i + 1] * get(entries, place + columns)
        s2 = s2 + v[i + 2] * get(entries, place + 2 * columns)
        s3 = s3 + v[i + 3] * get(entries, place + 3 * columns)
        i += 4
    while i < n:
        s0 = s0 + v[i] * get(entries, i * columns + c)
        i += 1
    s0 = work.tau[k] * ((s0 + s1) + (s2 + s3))
    for i in range(k + 1, n):
        place = i * columns + c
        put(entries, place, get(entries, place) - v[i] * s0)


@part
def _apply_two(n: int, k: int, work: Reduction, c: int, columns: int, entries: Floats) -> None:
    """Apply H_k H_(k+1) to sixteen columns, from c on, in one pass over them and one back."""
    v, w = work.matrix[k], work.matrix[k + 1]
    first = (k + 1) // LANES * LANES
    cross = 0.0 * get(v, first)
    for j in range(first, v.size, LANES):
        cross = cross + get(v, j) * get(w, j)
    zero = 0.0 * get(entries, c)
    s0, s1, s2, s3, t0, t1, t2, t3 = zero, zero, zero, zero, zero, zero, zero, zero
    i = k + 1
    while i + 1 < n:
        place = i * columns + c
        x0, x1 = get(entries, place), get(entries, place + LANES)
        x2, x3 = get(entries, place + columns), get(entries, place + columns + LANES)
        s0, s1, t0, t1 = s0 + v[i] * x0, s1 + v[i] * x1, t0 + w[i] * x0, t1 + w[i] * x1
        s2, s3 = s2 + v[i + 1] * x2, s3 + v[i + 1] * x3
        t2, t3 = t2 + w[i + 1] * x2, t3 + w[i + 1] * x3
        i += 2
    if i < n:
        x0, x1 = get(entries, i * columns + c), get(entries, i * columns + c + LANES)
        s0, s1, t0, t1 = s0 + v[i] * x0, s1 + v[i] * x1, t0 + w[i] * x0, t1 + w[i] * x1
    t0, t1 = work.tau[k + 1] * (t0 + t2), work.tau[k + 1] * (t1 + t3)
    # v'(x - w t) = v'x - (v'w) t
    s0 = work.tau[k] * ((s0 + s2) - total(cross) * t0)
    s1 = work.tau[k] * ((s1 + s3) - total(cross) * t1)
    for i in range(k + 1, n):
        place, a, b = i * columns + c, v[i], w[i]
        x0, x1 = get(entries, place), get(entries, place + LANES)
        put(entries, place, x0 - a * s0 - b * t0)
        put(entries, place + LANES, x1 - a * s1 - b * t1)


@kernel
def reflect(n: int, work: Reduction, which: int, B: Floats) -> None:
    """Overwrite B (n, columns) by QB or Q'B, PLAIN or TRANSPOSED; columns in eights.

    Parameters
    ----------
    n : int
        Order of Q.
    work : Reduction
        Q, as `tridiagonalise` leaves it.
    which : int
        PLAIN or TRANSPOSED.
    B : ndarray, shape (n, columns)
        Overwritten; columns in eights.
    """
    columns, entries = B.shape[1], B.reshape(B.size)
    for c in range(0, columns, LANES):
        for step in range(n - 1):
            k = step if which == TRANSPOSED else n - 2 - step
            if work.tau[k] != 0.0:
                _apply(n, k, work, c, columns, entries)


@kernel
def multiply_out(n: int, work: Reduction, Q: Floats) -> None:
    """Write Q to (n, columns), columns in eights. H_k leaves the unit vectors up to k alone.

    Parameters
    ----------
    n : int
        Order of Q.
    work : Reduction
        Q, as `tridiagonalise` leaves it.
    Q : ndarray, shape (n, columns)
        Filled; columns in eights.
    """
    columns, entries = Q.shape[1], Q.reshape(Q.size)
    for i in range(n):
        for j in range(columns):
            Q[i, j] = 1.0 if i == j else 0.0
    odd = columns % TWO
    for k in range(min(n - 2, odd - 2), -1, -1):
        _apply(n, k, work, 0, columns, entries)
    for c in range(odd, columns, TWO):
        k = min(n - 2, c + TWO - 2)
        while k > 0:
            _apply_two(n, k - 1, work, c, columns, entries)
            k -= 2
        if k == 0:
            _apply(n, 0, work, c, columns, entries)
            _apply(n, 0, work, c + LANES, columns, entries)
