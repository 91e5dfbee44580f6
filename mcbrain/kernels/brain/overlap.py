"""The brain stage without data: C^ = A'PA from a band matrix and a few small ones.

theory/README.md 3, isotropic Gaussian inputs and recordings, stage 1 by least squares. The cost
does not depend on n_brain, input_dim and n_channels while the latents are well visible.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.leading import Krylov, leading_vectors, open_krylov
from mcbrain.kernels.random.band import HEIGHT, ROWS, Band, add_block, open_band, start
from mcbrain.kernels.random.bartlett import bartlett, cholesky, multiply_transposed, solve_lower
from mcbrain.kernels.random.streams import Stream, load, next_normal, store
from mcbrain.typing import Floats, Integers

TRUNCATION = 1e-5
"""Norm of the leading vectors on the last block at which no further one is drawn: C^ then differs
from that of the whole matrix by the square of it times a number of order 100 at most."""


class Room(NamedTuple):
    """Buffers of one replicate, with k1 = min(k, N) and m = k1 + min(rank, N - k1)."""

    triangle: Floats
    """(k, k1) Bartlett factor of the latents' samples."""
    spike: Floats
    """(k1, k) its transpose times the gains."""
    small: Floats
    """Bartlett factor of what the other inputs add: (m - k1) or, where n_brain < d, m square."""
    mix: Floats
    """(k, r) normals that mix them into the latents."""
    vectors: Floats
    """(r, N) left singular vectors of Y, in rows."""
    upper: Floats
    """(m, r) U1 over the triangular factor of U2."""
    inner: Floats
    """(r, r) scratch."""
    square: Floats
    """(m, m) scratch."""
    latents: Floats
    """(m, k) scratch."""
    result: Floats
    """(r, k) scratch."""


def _open_room(n_rows: int, k: int, rank: int, above: bool) -> Room:
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
def _canonical_basis(vectors: Floats, n: int, k1: int, room: Room) -> None:
    """Write U1 and the factor of U2 in a basis that depends on the subspace alone.

    The basis is the one in which the first r rows of U are lower triangular with a diagonal
    that is not negative: any basis has the right law, and this one can be drawn again by other
    means. U2 enters through U2'U2 = T'T only: rows k1 and on of `room.upper` are T, triangular,
    or U2 itself where it has no more rows than columns.
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
def _overlap_above(room: Room, out: Floats) -> None:
    """C^ where n_brain >= d: A_hat = span(L^-T U), L the factor of all the samples.

    With S = (factor of the other inputs)^-1 T: Y1 = L1^-T (U1 - mix S),
    C^ = Y1 (Y1'Y1 + S'S)^-1 Y1'.
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
def _overlap_below(room: Room, out: Floats) -> None:
    """C^ where n_brain < d: A_hat = X'(XX')^-1 U, by the Schur complement of XX' on m directions.

    With V the Wishart matrix of the other inputs there, X1 the latents' samples and
    K = V + X1 X1': C^ = Z G^-1 Z', Z = X1'K^-1 U, G = U'K^-1 U.
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


def _first_guess(n_brain: int, n_rows: int, p: int, rank: int, signal: Floats) -> int:
    """Guess how many blocks hold the leading vectors.

    `signal` (k,) are the D_j/sigma_r. The strength of the weakest vector wanted is n_B times the
    square of its signal, and `edge` its visibility threshold (theory/README.md 5b). Above it the
    vector decays as (edge/strength)^(blocks/2); at it and below, it lives on the first
    edge^(1/3) rows, up to a factor (25 is measured, for `TRUNCATION`).
    """
    k = signal.size
    strength = n_brain * np.sort(np.abs(signal))[-rank] ** 2 if rank <= k else 0.0
    edge = math.sqrt(max(n_rows - k, 1) * max(p - k, 1))
    most = 4 + int(25.0 * edge ** (1.0 / 3.0) / k)
    if strength <= 1.05 * edge:
        return most
    return min(most, 3 + int(-2.0 * math.log(TRUNCATION) / math.log(strength / edge)))


@kernel
def _subspace(
    stream: Stream, band: Band, krylov: Krylov, room: Room, p: int, noise: float, guess: int
) -> int:
    """Draw blocks until the leading vectors fit into them; return their number, < 0 if unsure."""
    n_rows, vectors = band.entries.shape[0], room.vectors
    start(band)
    goal, blocks = guess, 0
    while True:
        while band.at[HEIGHT] > 0 and blocks < goal:
            before = band.at[ROWS]
            add_block(stream, band, p, noise, room.spike)
            blocks += 1
        n = band.at[ROWS]
        if n < min(vectors.shape[0], n_rows):
            goal += 1
            continue
        converged = leading_vectors(band.gram, n, krylov, vectors)
        weight = 0.0
        for i in range(vectors.shape[0]):
            for t in range(before, n):
                weight += vectors[i, t] * vectors[i, t]
        if band.at[HEIGHT] == 0 or weight <= TRUNCATION * TRUNCATION:
            return blocks if converged else -blocks
        goal = blocks + max(2, blocks // 4)


@kernel
def _replicates(
    stream: Stream,
    n_brain: int,
    input_dim: int,
    n_channels: int,
    noise: float,
    gains: Floats,
    guess: int,
    room: Room,
    band: Band,
    krylov: Krylov,
    out: Floats,
    blocks: Integers,
) -> None:
    """Run the replicates of `brain_block`."""
    k, k1 = room.triangle.shape
    r2 = room.mix.shape[1]
    for replicate in range(out.shape[0]):
        bartlett(stream, n_brain, room.triangle)
        for i in range(k1):
            for j in range(k):
                room.spike[i, j] = room.triangle[j, i] * gains[j]
        if n_brain >= input_dim:
            bartlett(stream, n_brain - input_dim + r2, room.small)
            s = load(stream)
            for i in range(k):
                for j in range(r2):
                    s, room.mix[i, j] = next_normal(s, stream)
            store(stream, s)
        else:
            bartlett(stream, input_dim - k - n_brain + k1 + r2, room.small)
        blocks[replicate] = _subspace(stream, band, krylov, room, n_channels, noise, guess)
        _canonical_basis(room.vectors, band.at[ROWS], k1, room)
        if n_brain >= input_dim:
            _overlap_above(room, out[replicate])
        else:
            _overlap_below(room, out[replicate])


def brain_block(
    stream: Stream,
    n_brain: int,
    input_dim: int,
    n_channels: int,
    rank: int,
    noise: float,
    gains: Floats,
    min_blocks: int,
    out: Floats,
    blocks: Integers,
) -> None:
    """Simulate a block of brain replicates (theory/README.md 3 and 4e).

    With N = min(n_brain, input_dim), k1 = min(k, N), r2 = min(rank, N - k1), each replicate
    draws: the Bartlett factor (k x k1) of the latents' samples; where n_brain >= input_dim the
    Bartlett factor (r2 x r2) of n_brain - input_dim + r2 degrees of freedom, then a (k x r2)
    normal matrix by rows; below, the Bartlett factor of k1 + r2 rows and
    input_dim - k - n_brain + k1 + r2 degrees of freedom; then the blocks of the band.

    Parameters
    ----------
    stream
        Where the numbers come from.
    n_brain, input_dim, n_channels
        n_B >= 1; d >= k; p >= k.
    rank
        r from 1 to min(n_B, d, p); need not be k.
    noise
        sigma_r.
    gains
        (k,) D of the measured latents.
    min_blocks
        Blocks to draw at least (0: as many as needed; a large number: the whole matrix).
    out
        (n_replicates, k, k) C^ = A'PA, A the measured latents.
    blocks
        (n_replicates,) blocks drawn; its negative where the leading subspace has not converged.
    """
    n_rows = min(n_brain, input_dim)
    guess = _first_guess(n_brain, n_rows, n_channels, rank, gains / max(noise, 1e-150))
    _replicates(
        stream,
        n_brain,
        input_dim,
        n_channels,
        noise,
        gains,
        max(min_blocks, guess),
        _open_room(n_rows, gains.size, rank, n_brain >= input_dim),
        open_band(n_rows, gains.size),
        open_krylov(n_rows, 2 * gains.size, rank),
        out,
        blocks,
    )
