"""The raw engine's kernels: a block of replicates from data to excess risk.

Data is drawn, reduced to Gram matrices a chunk of rows at a time, and dropped: memory does not
depend on n_task or n_brain, except that below d rows the data itself is the smaller thing and
is kept (dual forms). At a replicate whose Gram matrix turns out to be singular a kernel stops, and
goes on once that is solved by singular values (`again`).
"""

from collections.abc import Callable

from mcbrain.kernels.brain.choose_encoder import EncoderChoice, encoder_part
from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemv
from mcbrain.kernels.linear.products import gram
from mcbrain.kernels.random.draw import draw_task
from mcbrain.kernels.random.roles import StageStreams, Streams
from mcbrain.kernels.replicate.again import draw_task_again, solve_each
from mcbrain.kernels.replicate.loop import solve_from_gram, solve_replicates
from mcbrain.kernels.replicate.raw_brain import brain_stage
from mcbrain.kernels.replicate.workspace import Outcome, TaskData, TaskWork, Workspace, parts_of
from mcbrain.kernels.task.exact_data import keep_rows
from mcbrain.kernels.task.solve import Bases, Solved, reduce_matrix
from mcbrain.kernels.task.solve_dual import reduce_dual, solve_dual
from mcbrain.kernels.types import Setting


@part
def draw_task_grams(
    setting: Setting, streams: StageStreams, chunk: int, data: TaskData, work: TaskWork
) -> float:
    """Draw the task data of a replicate into X'X and X'y, a chunk at a time; returns y'y.

    `data` has room for a chunk, or for all samples, and then they stay.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    chunk : int
        How many rows are drawn at a time.
    data : TaskData
        Room for a chunk, or for all samples.
    work : TaskWork
        X'X and X'y are filled.

    Returns
    -------
    float
        The sum of squared labels.
    """
    solve, n, done, squares = work.solve, setting.sizes.n_task, 0, 0.0
    d = solve.moment.size
    while done < n:
        rows, start = min(chunk, n - done), done % data.inputs.shape[0]
        X, y = data.inputs[start : start + rows], data.labels[start : start + rows]
        draw_task(setting.population, streams, X, y)
        kept = 0.0 if done == 0 else 1.0
        gram(X, kept, solve.matrix)
        dgemv("N", d, rows, 1.0, X, d, y, 1, kept, solve.moment, 1)
        for i in range(rows):
            squares += y[i] * y[i]
        done += rows
    return squares


@part
def solve_from_data(setting: Setting, at: int, work: TaskWork, out: Outcome) -> None:
    """Solve every fit of the replicate `at` after `reduce_dual`, n_task < d.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    at : int
        The replicate at hand.
    work : TaskWork
        With the data, XX' and T; the coefficients are filled.
    out : Outcome
        Room for some replicates; filled.
    """
    solve_dual(
        work.data.inputs, work.data.labels, Bases(work.bases[at], work.measured), setting.fits,
        work.solve, Solved(work.risk.coefs, out.failures[at]),
    )  # fmt: skip


@part
def _solve_primal(
    setting: Setting, streams: StageStreams, at: int, work: TaskWork, out: Outcome
) -> None:
    """Draw the task data of a replicate and solve every fit, n_task >= d."""
    draw_task_grams(setting, streams, work.data.inputs.shape[0], work.data, work)
    reduce_matrix(work.solve)
    solve_from_gram(setting, at, work, out)


@part
def _solve_dual(
    setting: Setting, streams: StageStreams, at: int, work: TaskWork, out: Outcome
) -> None:
    """As `_solve_primal`, n_task < d."""
    draw_task(setting.population, streams, work.data.inputs, work.data.labels)
    reduce_dual(work.data.inputs, work.solve)
    solve_from_data(setting, at, work, out)


@kernel
def _task_primal(
    setting: Setting, streams: StageStreams, work: TaskWork, out: Outcome, first: int
) -> int:
    """Draw task data, solve every fit and record its risk, n_task >= d (`solve_replicates`)."""
    return solve_replicates(_solve_primal, setting, streams, work, out, first)


@kernel
def _task_dual(
    setting: Setting, streams: StageStreams, work: TaskWork, out: Outcome, first: int
) -> int:
    """As `_task_primal`, n_task < d."""
    return solve_replicates(_solve_dual, setting, streams, work, out, first)


def take_task_again(setting: Setting, streams: StageStreams, work: TaskWork) -> None:
    """Bring the task data of a replicate into `work.exact`: those kept, or drawn once more.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    work : TaskWork
        `exact` is filled.
    """
    n, data = setting.sizes.n_task, work.data
    if n < setting.population.scale.size:
        keep_rows(data.inputs, data.labels.reshape(n, 1), work.exact)
    else:
        draw_task_again(setting.population, streams, n, work)


def task_stage(setting: Setting, streams: StageStreams, work: TaskWork, out: Outcome) -> None:
    """Solve the fits of as many replicates as `out` has, after `brain_stage`.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    work : TaskWork
        Buffers of the task stage.
    out : Outcome
        Room for some replicates; filled.
    """
    task = _task_primal if setting.sizes.n_task >= setting.population.scale.size else _task_dual
    solve_each(
        lambda first: task(setting, streams, work, out, first),
        lambda: take_task_again(setting, streams, work),
        setting, work, out,
    )  # fmt: skip


Then = Callable[[Outcome], None]
"""What is done once some replicates are solved, as long as their subspaces are there."""


def nothing(share: Outcome) -> None:
    """Do nothing then.

    Parameters
    ----------
    share : Outcome
        Some replicates.
    """


def raw_block(
    setting: Setting,
    streams: Streams,
    work: Workspace,
    outcome: Outcome,
    encoder: EncoderChoice | None = None,
    then: Then = nothing,
) -> None:
    """Run as many replicates as `outcome` has room for, continuing the streams.

    Per replicate and role the streams' numbers are used in C order of the arrays drawn: task
    inputs (n_task, d), label noise (n_task,), brain inputs (n_brain, d), recordings
    (n_brain, p), student chi-squares (n,) or sparse uniforms (n, d) of either. The kernels
    release the GIL.

    Parameters
    ----------
    setting : Setting
        What is asked.
    streams : Streams
        Advanced in place.
    work : Workspace
        Of `make_workspace` for the same setting; one for each thread.
    outcome : Outcome
        Of `make_outcome`; filled.
    encoder : EncoderChoice, optional
        The rule by which each replicate chooses the penalty of stage 1, if there is one; with room
        for as many replicates as `outcome`.
    then : callable
        Called after each share of the replicates, with its part of the outcome.
    """
    step = work.task.lost.size
    for place, share in enumerate(parts_of(outcome, step)):
        own = encoder_part(encoder, place * step, step)
        brain_stage(setting, streams.brain, work.brain, share, own)
        task_stage(setting, streams.task, work.task, share)
        then(share)


def overlap_block(
    setting: Setting,
    streams: Streams,
    work: Workspace,
    outcome: Outcome,
    encoder: EncoderChoice | None = None,
    then: Then = nothing,
) -> None:
    """Run the brain stage alone: only m_hat and C^ of `outcome` are filled.

    Arguments as for `raw_block`, and the same numbers from the streams of the brain stage.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    streams : Streams
        Those of the brain stage are advanced in place.
    work : Workspace
        Of `make_workspace` for the same setting; one for each thread.
    outcome : Outcome
        Of `make_outcome`.
    encoder : EncoderChoice, optional
        As for `raw_block`.
    then : callable
        As for `raw_block`.
    """
    step = work.brain.lost.size
    for place, share in enumerate(parts_of(outcome, step)):
        own = encoder_part(encoder, place * step, step)
        brain_stage(setting, streams.brain, work.brain, share, own)
        then(share)
