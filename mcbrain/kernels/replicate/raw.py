"""The raw engine's kernels: a block of replicates from data to excess risk.

Data is drawn, reduced to Gram matrices a chunk of rows at a time, and dropped: memory does not
depend on n_task or n_brain, except that below d rows the data itself is the smaller thing and
is kept (dual forms). A replicate whose Gram matrix turns out to be singular is drawn again, by the
same numbers, and solved by singular values (`singular`). Brain and task stage are kernels of their
own, and each has one kernel for each form, so that a study compiles only what it runs.
"""

import numpy as np
from numpy.typing import NDArray

from mcbrain.kernels.brain.encode import (
    EncodeWork,
    encode_dual,
    encode_exactly,
    encode_least_squares,
    encode_ridge,
    overlap_matrix,
    share_missed,
)
from mcbrain.kernels.jit import helper, kernel, part
from mcbrain.kernels.linear.lapack import dgemm, dgemv
from mcbrain.kernels.linear.products import copy, gram
from mcbrain.kernels.random.draw import draw_inputs, draw_labels, draw_recordings, restore, save
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.replicate.workspace import DataWork, Outcome, Workspace, part_of
from mcbrain.kernels.task.risk import excess_risk
from mcbrain.kernels.task.singular import (
    ExactWork,
    absorb,
    any_singular,
    clear,
    keep_rows,
    solve_singular_rows,
)
from mcbrain.kernels.task.solve import reduce_matrix, solve_primal
from mcbrain.kernels.task.solve_dual import reduce_dual, solve_dual
from mcbrain.kernels.task.solve_work import SolveWork
from mcbrain.kernels.types import (
    DOUBTFUL,
    ESTIMATED,
    SINGULAR,
    SOUND,
    CodeArray,
    Population,
    Queries,
    Shifts,
    Sizes,
)
from mcbrain.typing import Floats


@part
def draw_brain_grams(population: Population, streams: Streams, n: int, work: Workspace) -> None:
    """Draw brain data of n samples into X'X and X'R, a chunk at a time."""
    data, encode = work.brain, work.encode
    d, p = encode.cross.shape
    done = 0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, R = data.inputs[:rows], data.recordings[:rows]
        draw_inputs(population, streams.brain_inputs, streams.brain_auxiliary, X)
        draw_recordings(population, work.maps, streams.recording_noise, X, data.latents[:rows], R)
        kept = 0.0 if done == 0 else 1.0
        gram(X, kept, encode.gram)
        dgemm("N", "T", p, d, rows, 1.0, R, p, X, d, kept, encode.cross, p)
        done += rows


@kernel
def draw_brain_again(population: Population, streams: Streams, n: int, work: Workspace) -> None:
    """Draw the brain data of this replicate once more, into `work.brain_exact`."""
    data = work.brain
    restore(streams.brain_inputs, streams.brain_auxiliary, streams.recording_noise, work.states)
    clear(work.brain_exact)
    done = 0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, R = data.inputs[:rows], data.recordings[:rows]
        draw_inputs(population, streams.brain_inputs, streams.brain_auxiliary, X)
        draw_recordings(population, work.maps, streams.recording_noise, X, data.latents[:rows], R)
        absorb(X, R, work.brain_exact)
        done += rows


@helper
def record(
    population: Population, basis: Floats, lost: int, at: int, encode: EncodeWork, out: Outcome
) -> None:
    """Write m_hat and C^ of a replicate."""
    if lost == SOUND:
        out.m_hat[at] = share_missed(population.beta, basis, encode.residual)
        overlap_matrix(population.brain_map, basis, encode.cosines, out.overlap[at])
    else:
        out.m_hat[at] = np.nan
        out.overlap[at] = np.nan


@kernel
def brain_primal(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome
) -> None:
    """Estimate a subspace for each replicate of `out` by least squares, n_brain >= d."""
    n, r = sizes.n_brain, sizes.rank
    for at in range(out.m_hat.size):
        save(streams.brain_inputs, streams.brain_auxiliary, streams.recording_noise, work.states)
        draw_brain_grams(population, streams, n, work)
        verdict = encode_least_squares(r, work.bases[at], work.encode)
        if verdict >= DOUBTFUL:
            draw_brain_again(population, streams, n, work)
            verdict = encode_exactly(
                verdict, 0.0, r, n, work.bases[at], work.encode, work.brain_exact
            )
        work.lost[at] = verdict
        record(population, work.bases[at], verdict, at, work.encode, out)


@kernel
def brain_ridge(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome
) -> None:
    """As `brain_primal`, with a penalty in stage 1, for any n_brain."""
    n, r, alpha = sizes.n_brain, sizes.rank, sizes.encoding_penalty
    for at in range(out.m_hat.size):
        save(streams.brain_inputs, streams.brain_auxiliary, streams.recording_noise, work.states)
        draw_brain_grams(population, streams, n, work)
        verdict = encode_ridge(alpha, r, work.bases[at], work.encode)
        if verdict >= DOUBTFUL:
            draw_brain_again(population, streams, n, work)
            verdict = encode_exactly(
                verdict, alpha, r, n, work.bases[at], work.encode, work.brain_exact
            )
        work.lost[at] = verdict
        record(population, work.bases[at], verdict, at, work.encode, out)


@kernel
def brain_dual(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome
) -> None:
    """As `brain_primal`, for n_brain < d."""
    data = work.brain
    X, R = data.inputs, data.recordings
    for at in range(out.m_hat.size):
        draw_inputs(population, streams.brain_inputs, streams.brain_auxiliary, X)
        draw_recordings(population, work.maps, streams.recording_noise, X, data.latents, R)
        verdict = encode_dual(X, R, sizes.rank, work.bases[at], work.encode)
        if verdict >= DOUBTFUL:
            keep_rows(X, R, work.brain_exact)
            verdict = encode_exactly(
                verdict, 0.0, sizes.rank, sizes.n_brain, work.bases[at], work.encode,
                work.brain_exact,
            )  # fmt: skip
        work.lost[at] = verdict
        record(population, work.bases[at], verdict, at, work.encode, out)


@helper
def mark_lost(lost: int, queries: Queries, failures: CodeArray) -> None:
    """Mark the rows that need a subspace that was not found."""
    for row in range(failures.size):
        if lost != SOUND and queries.subspace[row] == ESTIMATED:
            failures[row] = SINGULAR


@part
def draw_task(population: Population, streams: Streams, X: Floats, y: Floats) -> None:
    """Draw a chunk of task data."""
    draw_inputs(population, streams.task_inputs, streams.task_auxiliary, X)
    draw_labels(population, streams.label_noise, X, y)


@part
def draw_task_grams(
    population: Population, streams: Streams, n: int, chunk: int, data: DataWork, solve: SolveWork
) -> float:
    """Draw task data of n samples into X'X and X'y, a chunk at a time; returns y'y.

    `data` has room for a chunk, or for all n, and then they stay.
    """
    d, done, squares = solve.moment.size, 0, 0.0
    while done < n:
        rows, start = min(chunk, n - done), done % data.inputs.shape[0]
        X, y = data.inputs[start : start + rows], data.labels[start : start + rows]
        draw_task(population, streams, X, y)
        kept = 0.0 if done == 0 else 1.0
        gram(X, kept, solve.matrix)
        dgemv("N", d, rows, 1.0, X, d, y, 1, kept, solve.moment, 1)
        for i in range(rows):
            squares += y[i] * y[i]
        done += rows
    return squares


@kernel
def draw_task_again(
    population: Population, streams: Streams, n: int, data: DataWork, states: NDArray[np.uint64],
    exact: ExactWork,
) -> float:  # fmt: skip
    """Draw the task data of this replicate once more, into `exact` (d rows).

    Returns the square of what of y no fit can reach.
    """
    restore(streams.task_inputs, streams.task_auxiliary, streams.label_noise, states)
    clear(exact)
    done, squares = 0, 0.0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, y = data.inputs[:rows], data.labels[:rows]
        draw_task(population, streams, X, y)
        squares += absorb(X, y.reshape(rows, 1), exact)
        done += rows
    return squares


@part
def solve_rows(queries: Queries, shifts: Shifts, at: int, work: Workspace, out: Outcome) -> None:
    """Solve every row after `reduce_matrix`, n_task >= d."""
    frame = work.frame
    if frame.shape[0] > 0:
        split = shifts.targets.shape[0]
        copy(shifts.targets, frame[:split])
        copy(shifts.probes, frame[split:])
    solve_primal(
        work.used_bases[at], work.measured, frame, queries, work.solve, work.risk.coefs,
        out.failures[at],
    )  # fmt: skip


@part
def solve_again(n: int, queries: Queries, at: int, work: Workspace, out: Outcome) -> None:
    """Solve by singular values, from `work.task_exact`, the rows that `solve_rows` gave up."""
    solve_singular_rows(
        work.used_bases[at], work.measured, work.lost[at], work.frame.shape[0] > 0,
        work.solve.reduction, n, queries, work.task_exact, work.risk.coefs, out.failures[at],
    )  # fmt: skip


@part
def judge(
    population: Population, queries: Queries, shifts: Shifts, at: int, work: Workspace, out: Outcome
) -> None:
    """Record the risk of every row after `solve_rows`."""
    frame, targets, probes = work.frame, shifts.targets, shifts.probes
    if frame.shape[0] > 0:
        split = targets.shape[0]
        targets, probes = frame[:split], frame[split:]
    failures = out.failures[at]
    mark_lost(work.lost[at], queries, failures)
    seen = Shifts(shifts.scale, shifts.weights, probes, targets, shifts.target, shifts.adversary)
    excess_risk(population, seen, work.risk, out.excess[at], failures)


@kernel
def task_primal(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    queries: Queries,
    shifts: Shifts,
    work: Workspace,
    out: Outcome,
) -> None:
    """Draw task data, solve every row and record its risk, n_task >= d."""
    solve, chunk, n = work.solve, work.task.inputs.shape[0], sizes.n_task
    for at in range(out.m_hat.size):
        save(streams.task_inputs, streams.task_auxiliary, streams.label_noise, work.states)
        draw_task_grams(population, streams, n, chunk, work.task, solve)
        reduce_matrix(solve)
        solve_rows(queries, shifts, at, work, out)
        if any_singular(out.failures[at]):
            draw_task_again(population, streams, n, work.task, work.states, work.task_exact)
            solve_again(n, queries, at, work, out)
        judge(population, queries, shifts, at, work, out)


@kernel
def task_dual(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    queries: Queries,
    shifts: Shifts,
    work: Workspace,
    out: Outcome,
) -> None:
    """As `task_primal`, n_task < d."""
    X, y = work.task.inputs, work.task.labels
    for at in range(out.m_hat.size):
        draw_task(population, streams, X, y)
        reduce_dual(X, work.solve)
        failures = out.failures[at]
        solve_dual(
            X, y, work.used_bases[at], work.measured, queries, work.solve, work.risk.coefs,
            failures,
        )  # fmt: skip
        if any_singular(failures):
            keep_rows(X, y.reshape(y.size, 1), work.task_exact)
            solve_again(sizes.n_task, queries, at, work, out)
        mark_lost(work.lost[at], queries, failures)
        excess_risk(population, shifts, work.risk, out.excess[at], failures)


def brain_stage(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome
) -> None:
    """Estimate the subspaces of as many replicates as `out` has, none without brain data."""
    if sizes.n_brain == 0:
        out.m_hat[:] = np.nan
        out.overlap[:] = np.nan
        return
    brain = brain_primal if sizes.n_brain >= population.scale.size else brain_dual
    if sizes.encoding_penalty > 0.0:
        brain = brain_ridge
    brain(population, streams, sizes, work, out)


def raw_block(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    queries: Queries,
    shifts: Shifts,
    work: Workspace,
    outcome: Outcome,
) -> None:
    """Run as many replicates as `outcome` has room for, continuing the streams.

    Per replicate and role the streams' numbers are used in C order of the arrays drawn: task
    inputs (n_task, d), label noise (n_task,), brain inputs (n_brain, d), recordings
    (n_brain, p), student chi-squares (n,) or sparse uniforms (n, d) of either. The kernels
    release the GIL.

    Parameters
    ----------
    population, sizes, queries, shifts
        What is asked, as in `types`.
    streams : Streams
        Advanced in place.
    work : Workspace
        Of `make_workspace` for the same sizes, queries and shifts; one for each thread.
    outcome : Outcome
        Of `make_outcome`; filled.
    """
    d, step = population.scale.size, work.lost.size
    task = task_primal if sizes.n_task >= d else task_dual
    for start in range(0, outcome.m_hat.size, step):
        share = part_of(outcome, start, start + step)
        brain_stage(population, streams, sizes, work, share)
        task(population, streams, sizes, queries, shifts, work, share)
