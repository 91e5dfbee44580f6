"""Engine `raw`: whole data sets are drawn and solved; the ground truth of every other engine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import SELECTION_GRID
from mcbrain.blocks.cost import block_size
from mcbrain.blocks.problem import Problem
from mcbrain.blocks.query import Query
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.pieces import Piece
from mcbrain.engines.sampled import Bench, asked, compute, population, sizes, smallest
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.choose import make_choice
from mcbrain.kernels.replicate.raw import overlap_block, raw_block
from mcbrain.kernels.replicate.raw_rules import raw_select_block
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.rules.select import Rules

__all__ = ["bench", "compile_piece", "simulate"]


def bench(problem: Problem, queries: tuple[Query, ...], count: int) -> Bench:
    """Everything that drawing `count` replicates at a time needs, allocated once."""
    people, size, wanted = population(problem), sizes(problem, queries), asked(problem, queries)
    rows, shifts = wanted.rows, wanted.shifts
    work = make_workspace(people, size, rows, shifts)
    outcome = make_outcome(people, rows, shifts, count)
    if not wanted.choosing.size:

        def draw(index: int) -> None:
            streams = open_streams(problem.seed, problem.words, index)
            raw_block(people, streams, size, rows, shifts, work, outcome)

        return Bench(draw, outcome, wanted)

    # Each replicate overwrites the penalties of the rows that choose, so the array is a copy.
    own = rows._replace(penalty_sum=rows.penalty_sum.copy())
    rules = Rules(wanted.choosing, wanted.generalised, np.array(SELECTION_GRID))
    choice = make_choice(people, size, own, rules, work)

    def draw_and_choose(index: int) -> NDArray[np.float64]:
        streams = open_streams(problem.seed, problem.words, index)
        return raw_select_block(people, streams, size, own, shifts, work, choice, outcome)

    return Bench(draw_and_choose, outcome, wanted)


def simulate(
    problem: Problem, queries: tuple[Query, ...], indices: Sequence[int]
) -> list[BlockSums]:
    """Blocks of a raw problem.

    Parameters
    ----------
    problem : Problem
    queries : tuple of Query
        Columns of the sums.
    indices : sequence of int
        Block numbers.
    """
    return compute(bench(problem, queries, block_size(problem)), indices)


def compile_piece(piece: Piece) -> None:
    """Compile the kernels of a piece, or load them from the cache."""
    rule = "loo" if piece.form.startswith("choose") else "fixed"
    n = 3 if piece.form.endswith("few") else 8
    if piece.stage == "task":
        simulate(*smallest("raw", n, 0, rule), [0])
        return
    problem, queries = smallest("raw", 1, n, encoding=0.1 if piece.form == "ridge" else 0.0)
    people, size, wanted = population(problem), sizes(problem, queries), asked(problem, queries)
    work = make_workspace(people, size, wanted.rows, wanted.shifts)
    outcome = make_outcome(people, wanted.rows, wanted.shifts, 1)
    overlap_block(people, open_streams(problem.seed, problem.words, 0), size, work, outcome)
