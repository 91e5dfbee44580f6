"""Engine `sufficient`: Gaussian replicates from their sufficient statistics, whatever n and p."""

from __future__ import annotations

from collections.abc import Sequence

from mcbrain.blocks.problem import SufficientProblem
from mcbrain.blocks.query import Query
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.pieces import Piece
from mcbrain.engines.sampled import Bench, asked, compute, population, sizes, smallest
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.sufficient import (
    make_sufficient_workspace,
    overlap_block,
    reduce_channels,
    sufficient_block,
)
from mcbrain.kernels.replicate.workspace import make_outcome

__all__ = ["bench", "compile_piece", "simulate"]


def bench(problem: SufficientProblem, queries: tuple[Query, ...], count: int) -> Bench:
    """Everything that drawing `count` replicates at a time needs, allocated once."""
    whole, size, wanted = population(problem), sizes(problem, queries), asked(problem, queries)
    n_channels = whole.channels.shape[0]
    people = reduce_channels(whole, size.n_brain)
    work = make_sufficient_workspace(people, size, wanted.fits, wanted.shifts)
    outcome = make_outcome(people, wanted.fits, wanted.shifts, count)

    def draw(index: int) -> None:
        streams = open_streams(problem.seed, problem.words, index)
        fits, shifts = wanted.fits, wanted.shifts
        sufficient_block(people, n_channels, streams, size, fits, shifts, work, outcome)

    return Bench(draw, outcome, wanted)


def simulate(
    problem: SufficientProblem, queries: tuple[Query, ...], indices: Sequence[int]
) -> list[BlockSums]:
    """Blocks of a sufficient problem.

    Parameters
    ----------
    problem : SufficientProblem
    queries : tuple of Query
        Columns of the sums.
    indices : sequence of int
        Block numbers.
    """
    return compute(bench(problem, queries, problem.block_size), indices)


def compile_piece(piece: Piece) -> None:
    """Compile the kernels of a piece, or load them from the cache."""
    n = 3 if piece.form == "few" else 8
    if piece.stage == "task":
        simulate(*smallest(SufficientProblem, n, 0), [0])
        return
    problem, queries = smallest(
        SufficientProblem, 1, n, encoding=0.1 if piece.form == "ridge" else 0.0
    )
    whole, size, wanted = population(problem), sizes(problem, queries), asked(problem, queries)
    people = reduce_channels(whole, n)
    work = make_sufficient_workspace(people, size, wanted.fits, wanted.shifts)
    outcome = make_outcome(people, wanted.fits, wanted.shifts, 1)
    streams = open_streams(problem.seed, problem.words, 0)
    overlap_block(people, whole.channels.shape[0], streams, size, work, outcome)
