"""Engine `raw`: whole data sets are drawn and solved; the ground truth of every other engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.penalty_rules import SELECTION_GRID
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Query
from mcbrain.blocks.sums import BlockSums
from mcbrain.engines.bridge import Asked, asked, encoder_choice
from mcbrain.engines.pieces import Piece
from mcbrain.engines.sampled import Bench, simulate_each, smallest
from mcbrain.engines.supply import lay_down, streams_of, with_pool
from mcbrain.errors import unhandled
from mcbrain.kernels.brain.choose_encoder import EncoderChoice
from mcbrain.kernels.random.draw import save
from mcbrain.kernels.random.roles import Streams, open_streams
from mcbrain.kernels.replicate.again import (
    draw_brain_again,
    draw_task_again,
    encode_each,
    solve_each,
)
from mcbrain.kernels.replicate.choice import make_choice
from mcbrain.kernels.replicate.raw import Then, nothing, overlap_block, raw_block
from mcbrain.kernels.replicate.raw_rules import raw_select_block
from mcbrain.kernels.replicate.workspace import Outcome, Workspace, make_outcome, make_workspace
from mcbrain.kernels.rules.select import Rules
from mcbrain.kernels.task.exact_data import keep_rows

__all__ = ["bench", "compile_piece", "simulate"]


def bench(problem: RawProblem, queries: tuple[Query, ...], count: int) -> Bench:
    """Everything that drawing `count` replicates at a time needs, allocated once.

    Parameters
    ----------
    problem : RawProblem
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
    wanted = with_pool(problem, asked(problem, queries), count)
    outcome = make_outcome(wanted.setting, count, coefs=bool(wanted.measured))
    found = _bench(problem, queries, wanted, outcome)
    if not wanted.measured:
        return found
    from mcbrain.engines.own_metrics import with_metrics  # only studies with plug-ins wait for it

    return with_metrics(problem, found)


def _bench(
    problem: RawProblem, queries: tuple[Query, ...], wanted: Asked, outcome: Outcome
) -> Bench:
    """A bench without metrics of a user's."""
    work = make_workspace(wanted.setting)
    chunk = work.brain.data.inputs.shape[0]
    encoder = encoder_choice(queries, wanted.setting, chunk, outcome.m_hat.size)
    run = _filler(wanted, work, outcome, encoder)
    population = wanted.setting.population
    if not wanted.own:

        def draw_built(index: int) -> NDArray[np.float64] | None:
            lay_down(problem, population, index)
            return run(streams_of(problem, population, index), nothing)

        return Bench(draw_built, outcome, wanted, encoder)
    from mcbrain.engines.own import OwnStage  # only studies with plug-ins wait for it

    own = OwnStage(problem, wanted, work.brain, outcome)

    def draw(index: int) -> NDArray[np.float64] | None:
        lay_down(problem, population, index)
        own.begin(index)
        picked = run(streams_of(problem, population, index), own.after)
        own.finish(index)
        return picked

    return Bench(draw, own.outcome, wanted, encoder, own.elsewhere)


def _filler(
    wanted: Asked, work: Workspace, outcome: Outcome, encoder: EncoderChoice | None
) -> Callable[[Streams, Then], NDArray[np.float64] | None]:
    """What fills `outcome` for mcbrain's own fits, and returns the penalties that were chosen."""
    setting = wanted.setting
    if not wanted.built:
        return lambda streams, then: overlap_block(setting, streams, work, outcome, encoder, then)
    if not wanted.choosing.size:
        return lambda streams, then: raw_block(setting, streams, work, outcome, encoder, then)
    # Each replicate overwrites the penalties of the fits that choose, so the array is a copy.
    fits = setting.fits
    own = setting._replace(fits=fits._replace(penalty_sum=fits.penalty_sum.copy()))
    rules = Rules(wanted.choosing, wanted.rules, np.array(SELECTION_GRID))
    choice = make_choice(own, rules, work.task)
    return lambda streams, then: raw_select_block(
        own, streams, work, choice, outcome, encoder, then
    )


def simulate(
    problem: RawProblem,
    queries: tuple[Query, ...],
    indices: Sequence[int],
    keep: bool = False,
) -> list[BlockSums]:
    """Compute blocks of a raw problem.

    Parameters
    ----------
    problem : RawProblem
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
    n = 3 if piece.form.endswith("few") else 8
    match piece.stage:
        case "task":
            simulate(*smallest(RawProblem, n, 0, "loo" if "choose" in piece.form else "fixed"), [0])
        case "brain":
            _compile_brain(n, piece.form)
        case "again":
            _compile_again(n)
        case "own":
            from mcbrain.engines.own import compile_own

            compile_own()
        case _:
            raise unhandled("stage", piece.stage, "mcbrain.engines.raw")


def _compile_brain(n: int, form: str) -> None:
    problem, queries = smallest(RawProblem, 1, n, form=form)
    setting, streams = asked(problem, queries).setting, open_streams(0, problem.words, 0)
    work, outcome = make_workspace(setting), make_outcome(setting, 1)
    overlap_block(setting, streams, work, outcome, encoder_choice(queries, setting, n, 1))


def _compile_again(n: int) -> None:
    """Run what repairs singular data, as if each stage had stopped at its only replicate."""
    problem, queries = smallest(RawProblem, n, n)
    setting, streams = asked(problem, queries).setting, open_streams(0, problem.words, 0)
    out, (brain, task) = make_outcome(setting, 1), make_workspace(setting)
    save(streams.brain, brain.states)
    encode_each(
        lambda first: first,
        lambda: draw_brain_again(setting.population, streams.brain, n, brain),
        setting, brain, out,
    )  # fmt: skip
    save(streams.task, task.states)
    solve_each(
        lambda first: first,
        lambda: draw_task_again(setting.population, streams.task, n, task),
        setting, task, out,
    )  # fmt: skip
    keep_rows(task.data.inputs, task.data.labels.reshape(n, 1), task.exact)
