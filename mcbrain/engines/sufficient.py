"""Engine `sufficient`: Gaussian replicates from their sufficient statistics, whatever n and p."""

from __future__ import annotations

from collections.abc import Sequence

from mcbrain.blocks.problem import SufficientProblem
from mcbrain.blocks.query import Query
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.bridge import asked, encoder_choice
from mcbrain.engines.pieces import Piece
from mcbrain.engines.sampled import Bench, simulate_each, smallest
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.sufficient import (
    make_sufficient_workspace,
    overlap_block,
    sufficient_block,
)
from mcbrain.kernels.replicate.sufficient_draw import reduced
from mcbrain.kernels.replicate.workspace import make_outcome

__all__ = ["bench", "compile_piece", "simulate"]


def bench(problem: SufficientProblem, queries: tuple[Query, ...], count: int) -> Bench:
    """Everything that drawing `count` replicates at a time needs, allocated once.

    Parameters
    ----------
    problem : SufficientProblem
        The population, the numbers of samples, and the seed.
    queries : tuple of Query
        Columns of the sums, all of one encoder.
    count : int
        Replicates of a block that are drawn: its size, or fewer to look at the first of them.

    Returns
    -------
    Bench
        Its buffers are overwritten by each block, so it serves one thread at a time.
    """
    wanted = asked(problem, queries)
    setting = reduced(wanted.setting)
    work = make_sufficient_workspace(setting)
    outcome = make_outcome(setting, count, coefs=bool(wanted.measured))
    encoder = encoder_choice(queries, setting, 1, count)

    def draw(index: int) -> None:
        streams = open_streams(problem.seed, problem.words, index)
        sufficient_block(setting, streams, work, outcome, encoder)

    found = Bench(draw, outcome, wanted, encoder)
    if not wanted.measured:
        return found
    from mcbrain.engines.own_metrics import with_metrics  # only studies with plug-ins wait for it

    return with_metrics(problem, found)


def simulate(
    problem: SufficientProblem,
    queries: tuple[Query, ...],
    indices: Sequence[int],
    keep: bool = False,
) -> list[BlockSums]:
    """Compute blocks of a sufficient problem.

    Parameters
    ----------
    problem : SufficientProblem
        The population, the numbers of samples, and the seed.
    queries : tuple of Query
        Columns of the sums.
    indices : sequence of int
        Block numbers, each of which has random streams of its own.
    keep : bool
        Whether the blocks keep what each replicate says of each query.

    Returns
    -------
    list of BlockSums
        One for each block number, in their order.
    """
    return simulate_each(bench, problem, queries, indices, keep)


def compile_piece(piece: Piece) -> None:
    """Compile the kernels of a piece, or load them from the cache.

    Parameters
    ----------
    piece : Piece
        A stage of this engine in one of its forms. It is compiled by running it on small data, with
        fewer samples than inputs have components where the form says so.
    """
    n = 3 if piece.form == "few" else 8
    if piece.stage == "task":
        simulate(*smallest(SufficientProblem, n, 0), [0])
        return
    problem, queries = smallest(SufficientProblem, 1, n, form=piece.form)
    setting, streams = reduced(asked(problem, queries).setting), open_streams(0, problem.words, 0)
    work, outcome = make_sufficient_workspace(setting), make_outcome(setting, 1)
    overlap_block(setting, streams, work, outcome, encoder_choice(queries, setting, 1, 1))
