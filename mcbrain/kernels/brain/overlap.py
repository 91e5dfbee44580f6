"""C^ = A'PA from singular vectors of a band matrix and a few small matrices (`reduced`)."""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.random.bartlett import cholesky, multiply_transposed, solve_lower
from mcbrain.typing import Floats


class Room(NamedTuple):
    """Buffers of one replicate, with k1 = min(k, N) and m = k1 + min(rank, N - k1).

    Attributes
    ----------
    triangle : ndarray, shape (k, k1)
        Bartlett factor of the latents' samples.
    spike : ndarray, shape (k1, k)
        Its transpose times the gains.
    small : ndarray
        Bartlett factor of what the other inputs add: (m - k1) or, where n_brain < d, m square.
    mix : ndarray, shape (k, r)
        Normals that mix them into the latents.
    vectors : ndarray, shape (r, N)
        Left singular vectors of Y, in rows.
    upper : ndarray, shape (m, r)
        U1 over the triangular factor of U2.
    inner : ndarray, shape (r, r)
        scratch.
    square : ndarray, shape (m, m)
        scratch.
    latents : ndarray, shape (m, k)
        scratch.
    result : ndarray, shape (r, k)
        scratch.
    """

    triangle: Floats
    spike: Floats
    small: Floats
    mix: Floats
    vectors: Floats
    upper: Floats
    inner: Floats
    square: Floats
    latents: Floats
    result: Floats


def open_room(n_rows: int, k: int, rank: int, above: bool) -> Room:
    """Return room for N = `n_rows`; `above` says that n_brain >= input_dim.

    Parameters
    ----------
    n_rows : int
        N, rows of the band matrix.
    k : int
        Latents.
    rank : int
        r.
    above : bool
        Whether n_brain >= input_dim.

    Returns
    -------
    Room
        Not initialised, but for zeros in `vectors`.
    """
    k1 = min(k, n_rows)
    m = k1 + min(rank, n_rows - k1)
    size = m - k1 if above else m
    return Room(
        np.empty((k, k1)),
        np.empty((k1, k)),
        np.empty((size, size)),
        np.empty((k, m - k1)),
        np.zeros((rank, n_rows)),
        np.empty((m, rank)),
        np.empty((rank, rank)),
        np.empty((m, m)),
        np.empty((m, k)),
        np.empty((rank, k)),
    )


@kernel
def canonical_basis(vectors: Floats, n: int, k1: int, room: Room) -> None:
    """Write U1 and the factor of U2 in a basis that depends on the subspace alone.

    The basis is the one in which the first r rows of U are lower triangular with a diagonal
    that is not negative: any basis has the right law, and this one can be drawn again by other
    means. U2 enters through U2'U2 = T'T only: rows k1 and on of `room.upper` are T, triangular,
    or U2 itself where it has no more rows than columns.

    Parameters
    ----------
    vectors : ndarray, shape (r, N)
        Orthonormal rows, turned to that basis.
    n : int
        Columns of `vectors` that are not 0.
    k1 : int
        How many of them belong to the latents.
    room : Room
        `upper` is filled; `inner` is scratch.
    """
    rank, upper, inner = vectors.shape[0], room.upper, room.inner
    for i in range(rank):
        for j in range(i + 1, rank):
            length = math.sqrt(vectors[i, i] ** 2 + vectors[j, i] ** 2)
            if length == 0.0:
                continue
            c, s = vectors[i, i] / length, vectors[j, i] / length
            for t in range(n):
                x, y = vectors[i, t], vectors[j, t]
                vectors[i, t] = c * x + s * y
                vectors[j, t] = c * y - s * x
        if vectors[i, i] < 0.0:
            for t in range(n):
                vectors[i, t] = -vectors[i, t]
    for i in range(rank):
        for j in range(i + 1):
            total = 0.0
            for t in range(k1, n):
                total += vectors[i, t] * vectors[j, t]
            inner[i, j] = total
        for t in range(upper.shape[0]):
            upper[t, i] = vectors[i, t] if t < n else 0.0
    if vectors.shape[1] - k1 > rank:
        cholesky(inner, rank)
        for i in range(rank):
            for j in range(rank):
                upper[k1 + i, j] = inner[j, i] if j >= i else 0.0


@kernel
def overlap_above(room: Room, out: Floats) -> None:
    """C^ where n_brain >= d: A_hat = span(L^-T U), L the factor of all the samples.

    With S = (factor of the other inputs)^-1 T: Y1 = L1^-T (U1 - mix S),
    C^ = Y1 (Y1'Y1 + S'S)^-1 Y1'.

    Parameters
    ----------
    room : Room
        With the factors drawn and `upper` filled, which are overwritten.
    out : ndarray, shape (k, k)
        Filled with C^.
    """
    triangle, inner, upper = room.triangle, room.inner, room.upper
    k, rank = triangle.shape[0], inner.shape[0]
    rest = upper[k:]
    solve_lower(room.small, rest.shape[0], rest)
    for i in range(k):
        for t in range(rest.shape[0]):
            for j in range(rank):
                upper[i, j] -= room.mix[i, t] * rest[t, j]
    for i in range(k - 1, -1, -1):
        for t in range(i + 1, k):
            for j in range(rank):
                upper[i, j] -= triangle[t, i] * upper[t, j]
        for j in range(rank):
            upper[i, j] /= triangle[i, i]
    multiply_transposed(upper, upper, upper.shape[0], inner)
    for i in range(rank):
        for j in range(k):
            room.result[i, j] = upper[j, i]
    _finish(room, out)


@kernel
def overlap_below(room: Room, out: Floats) -> None:
    """C^ where n_brain < d: A_hat = X'(XX')^-1 U, by the Schur complement of XX' on m directions.

    With V the Wishart matrix of the other inputs there, X1 the latents' samples and
    K = V + X1 X1': C^ = Z G^-1 Z', Z = X1'K^-1 U, G = U'K^-1 U.

    Parameters
    ----------
    room : Room
        With the factors drawn and `upper` filled, which are overwritten.
    out : ndarray, shape (k, k)
        Filled with C^.
    """
    triangle, small, square, upper = room.triangle, room.small, room.square, room.upper
    latents, m = room.latents, room.upper.shape[0]
    k, k1 = triangle.shape
    for i in range(m):
        for j in range(k):
            latents[i, j] = triangle[j, i] if i < k1 else 0.0
    for i in range(m):
        for j in range(i + 1):
            total = 0.0
            for t in range(j + 1):
                total += small[i, t] * small[j, t]
            for t in range(k):
                total += latents[i, t] * latents[j, t]
            square[i, j] = total
    cholesky(square, m)
    solve_lower(square, m, upper)
    solve_lower(square, m, latents)
    multiply_transposed(upper, upper, m, room.inner)
    multiply_transposed(upper, latents, m, room.result)
    _finish(room, out)


@kernel
def _finish(room: Room, out: Floats) -> None:
    """Write Z G^-1 Z', G in `room.inner` and Z' in `room.result`."""
    rank = room.inner.shape[0]
    cholesky(room.inner, rank)
    solve_lower(room.inner, rank, room.result)
    multiply_transposed(room.result, room.result, rank, out)
