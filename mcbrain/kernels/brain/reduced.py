"""The brain stage without data: C^ = A'PA from a band matrix and a few small ones.

theory/README.md 3, isotropic Gaussian inputs and recordings, stage 1 by least squares. The cost
does not depend on n_brain, input_dim and n_channels while the latents are well visible.
"""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.brain.overlap import (
    Room,
    canonical_basis,
    open_room,
    overlap_above,
    overlap_below,
)
from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.leading import Krylov, leading_vectors, open_krylov
from mcbrain.kernels.random.band import HEIGHT, ROWS, Band, add_block, open_band, start
from mcbrain.kernels.random.bartlett import bartlett
from mcbrain.kernels.random.streams import Stream, load, next_normal, store
from mcbrain.typing import Floats, Integers

TRUNCATION = 1e-5
"""Norm of the leading vectors on the last block at which no further one is drawn: C^ then differs
from that of the whole matrix by the square of it times a number of order 100 at most."""


class BrainDesign(NamedTuple):
    """What is recorded, and the rank of the subspace that is estimated.

    Attributes
    ----------
    n_brain : int
        n_B >= 1.
    input_dim : int
        d >= k.
    n_channels : int
        p >= k.
    rank : int
        r from 1 to min(n_B, d, p); need not be k.
    noise : float
        sigma_r.
    gains : ndarray, shape (k,)
        D of the measured latents.
    """

    n_brain: int
    input_dim: int
    n_channels: int
    rank: int
    noise: float
    gains: Floats


class _BrainRoom(NamedTuple):
    """Buffers of one replicate.

    Attributes
    ----------
    overlap : Room
    band : Band
    krylov : Krylov
    """

    overlap: Room
    band: Band
    krylov: Krylov


def _first_guess(design: BrainDesign) -> int:
    """Guess how many blocks hold the leading vectors.

    With the signals D_j/sigma_r, the strength of the weakest vector wanted is n_B times the square
    of its signal, and `edge` its visibility threshold (theory/README.md 5b). Above it the vector
    decays as (edge/strength)^(blocks/2); at it and below, it lives on the first edge^(1/3) rows, up
    to a factor (25 is measured, for `TRUNCATION`).
    """
    k, rank = design.gains.size, design.rank
    n_rows = min(design.n_brain, design.input_dim)
    signal = design.gains / max(design.noise, 1e-150)
    strength = design.n_brain * np.sort(np.abs(signal))[-rank] ** 2 if rank <= k else 0.0
    edge = math.sqrt(max(n_rows - k, 1) * max(design.n_channels - k, 1))
    most = 4 + int(25.0 * edge ** (1.0 / 3.0) / k)
    if strength <= 1.05 * edge:
        return most
    return min(most, 3 + int(-2.0 * math.log(TRUNCATION) / math.log(strength / edge)))


@kernel
def _subspace(stream: Stream, design: BrainDesign, guess: int, room: _BrainRoom) -> int:
    """Draw blocks until the leading vectors fit into them; return their number, < 0 if unsure."""
    band, vectors = room.band, room.overlap.vectors
    n_rows, p, noise = band.entries.shape[0], design.n_channels, design.noise
    start(band)
    goal, blocks = guess, 0
    while True:
        while band.at[HEIGHT] > 0 and blocks < goal:
            before = band.at[ROWS]
            add_block(stream, band, p, noise, room.overlap.spike)
            blocks += 1
        n = band.at[ROWS]
        if n < min(vectors.shape[0], n_rows):
            goal += 1
            continue
        converged = leading_vectors(band.gram, n, room.krylov, vectors)
        weight = 0.0
        for i in range(vectors.shape[0]):
            for t in range(before, n):
                weight += vectors[i, t] * vectors[i, t]
        if band.at[HEIGHT] == 0 or weight <= TRUNCATION * TRUNCATION:
            return blocks if converged else -blocks
        goal = blocks + max(2, blocks // 4)


@kernel
def _replicates(
    stream: Stream, design: BrainDesign, guess: int, room: _BrainRoom, out: Floats, blocks: Integers
) -> None:
    """Run the replicates of `brain_block`."""
    n_brain, input_dim, gains, small = design.n_brain, design.input_dim, design.gains, room.overlap
    k, k1 = small.triangle.shape
    r2 = small.mix.shape[1]
    for replicate in range(out.shape[0]):
        bartlett(stream, n_brain, small.triangle)
        for i in range(k1):
            for j in range(k):
                small.spike[i, j] = small.triangle[j, i] * gains[j]
        if n_brain >= input_dim:
            bartlett(stream, n_brain - input_dim + r2, small.small)
            s = load(stream)
            for i in range(k):
                for j in range(r2):
                    s, small.mix[i, j] = next_normal(s, stream)
            store(stream, s)
        else:
            bartlett(stream, input_dim - k - n_brain + k1 + r2, small.small)
        blocks[replicate] = _subspace(stream, design, guess, room)
        canonical_basis(small.vectors, room.band.at[ROWS], k1, small)
        if n_brain >= input_dim:
            overlap_above(small, out[replicate])
        else:
            overlap_below(small, out[replicate])


def brain_block(
    stream: Stream, design: BrainDesign, min_blocks: int, out: Floats, blocks: Integers
) -> None:
    """Simulate a block of brain replicates (theory/README.md 3 and 4e).

    With N = min(n_brain, input_dim), k1 = min(k, N), r2 = min(rank, N - k1), each replicate
    draws: the Bartlett factor (k x k1) of the latents' samples; where n_brain >= input_dim the
    Bartlett factor (r2 x r2) of n_brain - input_dim + r2 degrees of freedom, then a (k x r2)
    normal matrix by rows; below, the Bartlett factor of k1 + r2 rows and
    input_dim - k - n_brain + k1 + r2 degrees of freedom; then the blocks of the band.

    Parameters
    ----------
    stream : Stream
        Where the numbers come from; advanced in place.
    design : BrainDesign
        What is recorded.
    min_blocks : int
        Blocks to draw at least (0: as many as needed; a large number: the whole matrix).
    out : ndarray, shape (n_replicates, k, k)
        Filled with C^ = A'PA, A the measured latents.
    blocks : ndarray, shape (n_replicates,)
        Filled with the blocks drawn; the negative where the leading subspace has not converged.
    """
    n_rows, k = min(design.n_brain, design.input_dim), design.gains.size
    room = _BrainRoom(
        open_room(n_rows, k, design.rank, design.n_brain >= design.input_dim),
        open_band(n_rows, k),
        open_krylov(n_rows, 2 * k, design.rank),
    )
    _replicates(stream, design, max(min_blocks, _first_guess(design)), room, out, blocks)
