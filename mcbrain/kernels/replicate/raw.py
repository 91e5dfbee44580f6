"""The raw engine's kernels: a block of replicates from data to excess risk.

Data is drawn, reduced to Gram matrices a chunk of rows at a time, and dropped: memory does not
depend on n_task or n_brain, except that below d rows the data itself is the smaller thing and
is kept (dual forms). At a replicate whose Gram matrix turns out to be singular a kernel stops, and
goes on once that is solved by singular values (`again`). Brain and task stage are kernels of their
own, and each has one kernel for each form, so that a study compiles only what it runs.
"""

import numpy as np

from mcbrain.kernels.brain.encode import encode_dual, encode_least_squares, encode_ridge
from mcbrain.kernels.jit import helper, kernel, part
from mcbrain.kernels.linear.lapack import dgemm, dgemv
from mcbrain.kernels.linear.products import copy, gram
from mcbrain.kernels.random.draw import draw_inputs, draw_recordings, draw_task, save
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.replicate.again import (
    draw_brain_again,
    draw_task_again,
    encode_each,
    record,
    solve_each,
)
from mcbrain.kernels.replicate.workspace import DataWork, Outcome, Workspace, part_of
from mcbrain.kernels.task.risk import excess_risk
from mcbrain.kernels.task.singular import any_singular, keep_rows
from mcbrain.kernels.task.solve import reduce_matrix, solve_primal
from mcbrain.kernels.task.solve_dual import reduce_dual, solve_dual
from mcbrain.kernels.task.solve_work import SolveWork
from mcbrain.kernels.types import (
    DOUBTFUL,
    ESTIMATED,
    SINGULAR,
    SOUND,
    CodeArray,
    Fits,
    Population,
    Shifts,
    Sizes,
)


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
def brain_primal(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """Estimate a subspace for each replicate of `out` by least squares, n_brain >= d.

    Begins at the replicate `first`. Returns the one that singular values must decide, drawn and
    not recorded (`again`), or how many there are.
    """
    n, r = sizes.n_brain, sizes.rank
    for at in range(first, out.m_hat.size):
        save(streams.brain_inputs, streams.brain_auxiliary, streams.recording_noise, work.states)
        draw_brain_grams(population, streams, n, work)
        verdict = encode_least_squares(r, work.bases[at], work.encode)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(population, work.bases[at], verdict, at, work.encode, out)
    return out.m_hat.size


@kernel
def brain_ridge(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """As `brain_primal`, with a penalty in stage 1, for any n_brain."""
    n, r, alpha = sizes.n_brain, sizes.rank, sizes.encoding_penalty
    for at in range(first, out.m_hat.size):
        save(streams.brain_inputs, streams.brain_auxiliary, streams.recording_noise, work.states)
        draw_brain_grams(population, streams, n, work)
        verdict = encode_ridge(alpha, r, work.bases[at], work.encode)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(population, work.bases[at], verdict, at, work.encode, out)
    return out.m_hat.size


@kernel
def brain_dual(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """As `brain_primal`, for n_brain < d."""
    data = work.brain
    X, R = data.inputs, data.recordings
    for at in range(first, out.m_hat.size):
        draw_inputs(population, streams.brain_inputs, streams.brain_auxiliary, X)
        draw_recordings(population, work.maps, streams.recording_noise, X, data.latents, R)
        verdict = encode_dual(X, R, sizes.rank, work.bases[at], work.encode)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(population, work.bases[at], verdict, at, work.encode, out)
    return out.m_hat.size


@helper
def mark_lost(lost: int, fits: Fits, failures: CodeArray) -> None:
    """Mark the fits that need a subspace that was not found."""
    for fit in range(failures.size):
        if lost != SOUND and fits.subspace[fit] == ESTIMATED:
            failures[fit] = SINGULAR


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


@part
def solve_fits(fits: Fits, shifts: Shifts, at: int, work: Workspace, out: Outcome) -> None:
    """Solve every fit after `reduce_matrix`, n_task >= d."""
    frame = work.frame
    if frame.shape[0] > 0:
        split = shifts.targets.shape[0]
        copy(shifts.targets, frame[:split])
        copy(shifts.probes, frame[split:])
    solve_primal(
        work.used_bases[at], work.measured, frame, fits, work.solve, work.risk.coefs,
        out.failures[at],
    )  # fmt: skip


@part
def judge(
    population: Population, fits: Fits, shifts: Shifts, at: int, work: Workspace, out: Outcome
) -> None:
    """Record the risk of every fit after `solve_fits`."""
    frame, targets, probes = work.frame, shifts.targets, shifts.probes
    if frame.shape[0] > 0:
        split = targets.shape[0]
        targets, probes = frame[:split], frame[split:]
    failures = out.failures[at]
    mark_lost(work.lost[at], fits, failures)
    seen = Shifts(shifts.scale, shifts.weights, probes, targets, shifts.target, shifts.adversary)
    excess_risk(population, seen, work.risk, out.excess[at], failures)


@kernel
def task_primal(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    fits: Fits,
    shifts: Shifts,
    work: Workspace,
    out: Outcome,
    first: int,
    solved: bool,
) -> int:
    """Draw task data, solve every fit and record its risk, n_task >= d.

    Begins at the replicate `first`, of which `solved` says that only its risk is wanted. Returns
    the one with fits that singular values must solve (`again`), or how many there are.
    """
    solve, chunk, n = work.solve, work.task.inputs.shape[0], sizes.n_task
    for at in range(first, out.m_hat.size):
        if not solved:
            save(streams.task_inputs, streams.task_auxiliary, streams.label_noise, work.states)
            draw_task_grams(population, streams, n, chunk, work.task, solve)
            reduce_matrix(solve)
            solve_fits(fits, shifts, at, work, out)
            if any_singular(out.failures[at]):
                return at
        solved = False
        judge(population, fits, shifts, at, work, out)
    return out.m_hat.size


@kernel
def task_dual(
    population: Population,
    streams: Streams,
    fits: Fits,
    shifts: Shifts,
    work: Workspace,
    out: Outcome,
    first: int,
    solved: bool,
) -> int:
    """As `task_primal`, n_task < d."""
    X, y = work.task.inputs, work.task.labels
    for at in range(first, out.m_hat.size):
        failures = out.failures[at]
        if not solved:
            draw_task(population, streams, X, y)
            reduce_dual(X, work.solve)
            solve_dual(
                X, y, work.used_bases[at], work.measured, fits, work.solve, work.risk.coefs,
                failures,
            )  # fmt: skip
            if any_singular(failures):
                return at
        solved = False
        mark_lost(work.lost[at], fits, failures)
        excess_risk(population, shifts, work.risk, out.excess[at], failures)
    return out.m_hat.size


def brain_stage(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome
) -> None:
    """Estimate the subspaces of as many replicates as `out` has, none without brain data."""
    n, data = sizes.n_brain, work.brain
    if n == 0:
        out.m_hat[:] = np.nan
        out.overlap[:] = np.nan
        return
    brain = brain_primal if n >= population.scale.size else brain_dual
    if sizes.encoding_penalty > 0.0:
        brain = brain_ridge

    def take_again() -> None:
        if brain is brain_dual:
            keep_rows(data.inputs, data.recordings, work.brain_exact)
        else:
            draw_brain_again(population, streams, n, work)

    encode_each(
        lambda first: brain(population, streams, sizes, work, out, first),
        take_again, population, sizes, work, out,
    )  # fmt: skip


def task_stage(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    fits: Fits,
    shifts: Shifts,
    work: Workspace,
    out: Outcome,
) -> None:
    """Solve the fits of as many replicates as `out` has, after `brain_stage`."""
    n, data = sizes.n_task, work.task
    if n < population.scale.size:
        solve_each(
            lambda first, solved: task_dual(
                population, streams, fits, shifts, work, out, first, solved
            ),
            lambda: keep_rows(data.inputs, data.labels.reshape(n, 1), work.task_exact),
            n, fits, work, out,
        )  # fmt: skip
        return
    solve_each(
        lambda first, solved: task_primal(
            population, streams, sizes, fits, shifts, work, out, first, solved
        ),
        lambda: draw_task_again(population, streams, n, data, work.states, work.task_exact),
        n, fits, work, out,
    )  # fmt: skip


def raw_block(
    population: Population,
    streams: Streams,
    sizes: Sizes,
    fits: Fits,
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
    population, sizes, fits, shifts
        What is asked, as in `types`.
    streams : Streams
        Advanced in place.
    work : Workspace
        Of `make_workspace` for the same sizes, fits and shifts; one for each thread.
    outcome : Outcome
        Of `make_outcome`; filled.
    """
    step = work.lost.size
    for start in range(0, outcome.m_hat.size, step):
        share = part_of(outcome, start, start + step)
        brain_stage(population, streams, sizes, work, share)
        task_stage(population, streams, sizes, fits, shifts, work, share)


def overlap_block(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, outcome: Outcome
) -> None:
    """Run the brain stage alone: only m_hat and C^ of `outcome` are filled.

    Arguments as for `raw_block`, and the same numbers from the streams of the brain stage.
    """
    for start in range(0, outcome.m_hat.size, work.lost.size):
        share = part_of(outcome, start, start + work.lost.size)
        brain_stage(population, streams, sizes, work, share)
