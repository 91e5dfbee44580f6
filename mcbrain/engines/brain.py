"""Brain problems: moments of the estimated subspace, C^ = A'PA (theory/README.md 3, 4e)."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcbrain.blocks.problem import BrainProblem, RawProblem
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.bridge import population
from mcbrain.engines.pieces import Piece
from mcbrain.kernels.brain.reduced import BrainDesign, brain_block
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.replicate.raw import overlap_block
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.types import ESTIMATED, Setting, Shifts, Sizes, make_fits
from mcbrain.plan.moments import BrainStatistic
from mcbrain.population.model import Model
from mcbrain.typing import Floats

__all__ = ["compile_piece", "reduced_stage", "simulate"]


def simulate(
    problem: BrainProblem, statistics: tuple[BrainStatistic, ...], indices: Sequence[int]
) -> list[BlockSums]:
    """Compute blocks of a brain problem.

    Parameters
    ----------
    problem : BrainProblem
        The brain stage alone: how many brain samples of which population, with which rank. With an
        encoding penalty whole recordings are drawn, without one the reduced sampler draws.
    statistics : tuple of BrainStatistic
        Moments of C^ that are wanted; they are the columns of the sums.
    indices : sequence of int
        Block numbers, each of which has a random stream of its own.

    Returns
    -------
    list of BlockSums
        One for each block number. Replicates whose subspace did not converge count as failures.
    """
    draw = _whole_stage if problem.encoding_penalty > 0 else reduced_stage
    count = problem.block_size
    blocks = []
    for index in indices:
        begun = time.thread_time()
        overlaps, good = draw(problem, index, count)
        values = _moments(overlaps, problem, statistics)
        blocks.append(_sums(index, values, good, time.thread_time() - begun))
    return blocks


def reduced_stage(
    problem: BrainProblem, index: int, count: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """C^ of replicates, and whether the subspace of each converged, from the reduced sampler.

    Parameters
    ----------
    problem : BrainProblem
        One without an encoding penalty, which this sampler would ignore.
    index : int
        Block number: which stream the replicates are drawn from.
    count : int
        Replicates to draw.

    Returns
    -------
    overlaps : ndarray, shape (count, k, k)
        C^ = A'PA of each replicate, for k latents.
    converged : ndarray of bool, shape (count,)
        Whether the estimated subspace was found; where not, C^ means nothing.
    """
    gains = np.array(problem.latent_gains)
    overlaps, drawn = np.empty((count, gains.size, gains.size)), np.empty(count, np.int64)
    stream = open_stream(problem.seed, problem.words, index, 0)
    design = BrainDesign(
        n_brain=problem.n_brain,
        input_dim=problem.input_dim,
        n_channels=problem.n_channels,
        rank=problem.rank,
        noise=problem.neural_noise,
        gains=gains,
    )
    brain_block(stream, design, 0, overlaps, drawn)
    return overlaps, drawn > 0


def _whole_stage(problem: BrainProblem, index: int, count: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The same from whole recordings: a ridge penalty in stage 1 has no reduced form."""
    gains = problem.latent_gains
    model = Model(
        input_dim=problem.input_dim,
        latent_dim=len(gains),
        n_channels=problem.n_channels,
        latent_gains=gains,
        neural_noise=problem.neural_noise,
    )
    raw = RawProblem.of(model, 1, problem.n_brain, problem.seed)
    d = model.input_dim
    setting = Setting(
        population(raw),
        Sizes(
            1, problem.n_brain, problem.rank, model.k_m, problem.n_brain * problem.encoding_penalty
        ),
        make_fits([ESTIMATED], [0.0], [1.0]),
        Shifts(
            scale=np.ones(1),
            weights=np.zeros((1, 0)),
            probes=np.zeros((0, d)),
            targets=np.zeros((1, d)),
            target=np.zeros(1, np.int64),
            adversary=np.zeros(1),
            measure=np.zeros(1, np.int64),
        ),
    )
    outcome = make_outcome(setting, count)
    streams = open_streams(problem.seed, problem.words, index)
    overlap_block(setting, streams, make_workspace(setting), outcome)
    return outcome.overlap.copy(), np.isfinite(outcome.m_hat)


def _moments(
    overlaps: Floats, problem: BrainProblem, statistics: tuple[BrainStatistic, ...]
) -> Floats:
    """Value of each statistic in each replicate, shape (replicates, statistics).

    With equal gains the law of C^ does not change under rotations of the latents, so the mean over
    all of them has the same expectation and a smaller variance (theory/README.md 4e).
    """
    k = overlaps.shape[1]
    diagonal = np.diagonal(overlaps, axis1=1, axis2=2)
    squares, products = overlaps**2, diagonal[:, :, None] * diagonal[:, None, :]
    if k > 1 and len(set(problem.latent_gains)) == 1:
        trace = diagonal.sum(axis=1)
        square_trace, trace_square = squares.sum(axis=(1, 2)), trace**2
        equal = (trace_square + 2.0 * square_trace) / (k * (k + 2.0))
        scale = k * (k - 1) * (k + 2.0)
        product = ((k + 1) * trace_square - 2.0 * square_trace) / scale
        square = (k * square_trace - trace_square) / scale
        diagonal = np.repeat(trace[:, None] / k, k, axis=1)
        on, off = np.eye(k), 1.0 - np.eye(k)
        squares = equal[:, None, None] * on + square[:, None, None] * off
        products = equal[:, None, None] * on + product[:, None, None] * off
    columns = {
        "diagonal": lambda s: diagonal[:, s.i],
        "square": lambda s: squares[:, s.i, s.j],
        "product": lambda s: products[:, s.i, s.j],
    }
    return np.stack([columns[s.name](s) for s in statistics], axis=1)


def _sums(index: int, values: Floats, good: NDArray[np.bool_], seconds: float) -> BlockSums:
    """Sums over the replicates that converged; one that did not fails in every statistic."""
    kept = values[good]
    n = values.shape[1]
    mean = kept.mean(axis=0) if len(kept) else np.zeros(n)
    lost = np.flatnonzero(~good)
    return BlockSums(
        index=index,
        replicates=len(values),
        count=np.full(n, len(kept)),
        mean=mean,
        m2=((kept - mean) ** 2).sum(axis=0),
        better=np.zeros(n, np.int64),
        bin_sizes=np.zeros(0, np.int64),
        failures=np.array([(i, j, 1) for i in lost for j in range(n)], np.int64).reshape(-1, 3),
        seconds=seconds,
    )


def compile_piece(piece: Piece) -> None:
    """Compile the kernel of the reduced sampler, or load it from the cache.

    Parameters
    ----------
    piece : Piece
        The only piece of this module; every module of an engine is asked in the same way.
    """
    model = Model(input_dim=4, latent_dim=2, n_channels=3)
    problem = BrainProblem.of(model, 6, 2, 0.0, seed=0)
    simulate(problem, (BrainStatistic("diagonal", 0, 0),), [0])
