"""The raw engine's kernels: a block of replicates from data to excess risk.

Data is drawn, reduced to Gram matrices a chunk of rows at a time, and dropped: memory does not
depend on n_task or n_brain, except that below d rows the data itself is the smaller thing and
is kept (dual forms). Brain and task stage are kernels of their own, and each has one kernel for
each form, so that a study compiles only what it runs.
"""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.draw import Maps, draw_inputs, draw_labels, draw_recordings, make_maps
from mcbrain.kernels.encode import (
    EncodeWork,
    encode_dual,
    encode_least_squares,
    encode_ridge,
    make_encode_work,
    overlap_matrix,
    share_missed,
)
from mcbrain.kernels.jit import helper, kernel, part
from mcbrain.kernels.lanes import padded
from mcbrain.kernels.lapack import dgemm, dgemv
from mcbrain.kernels.products import copy, gram
from mcbrain.kernels.risk import RiskWork, excess_risk, make_risk_work
from mcbrain.kernels.solve import solve_dual, solve_primal
from mcbrain.kernels.solve_work import SolveWork, make_solve_work
from mcbrain.kernels.streams import FloatArray
from mcbrain.kernels.types import CodeArray, Population, Queries, Shifts, Sizes, Streams


class DataWork(NamedTuple):
    """A chunk of data."""

    inputs: FloatArray
    """(chunk, d)"""
    labels: FloatArray
    """(chunk,)"""
    latents: FloatArray
    """(chunk, k)"""
    recordings: FloatArray
    """(chunk, p)"""


class Workspace(NamedTuple):
    """Every buffer of `raw_block`, so that nothing is allocated in a loop over replicates."""

    maps: Maps
    brain: DataWork
    encode: EncodeWork
    task: DataWork
    solve: SolveWork
    risk: RiskWork
    bases: FloatArray
    """(replicates at a time, r, d) estimated subspaces."""
    used_bases: FloatArray
    """The same array, or one without rows where no row of output uses it."""
    lost: CodeArray
    """(replicates at a time,) 1 where the estimated subspace has too small a rank."""
    measured: FloatArray
    """(rank, d) the measured subspace, without rows where no row of output uses it."""
    frame: FloatArray
    """(targets + probes, d) of the shifts as `solve_primal` turns them, or without rows."""


class Outcome(NamedTuple):
    """What a block of replicates gives."""

    excess: FloatArray
    """(replicates, rows, shifts), NaN for rows without a solution."""
    failures: CodeArray
    """(replicates, rows) codes of `types`."""
    m_hat: FloatArray
    """(replicates,) |(I-P)beta|^2/|beta|^2, NaN without an estimated subspace."""
    overlap: FloatArray
    """(replicates, k, k) C^ = A'PA, NaN without an estimated subspace."""


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


@helper
def _record(
    population: Population, basis: FloatArray, lost: int, at: int, encode: EncodeWork, out: Outcome
) -> None:
    """Write m_hat and C^ of a replicate."""
    if lost == 0:
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
    for at in range(out.m_hat.size):
        draw_brain_grams(population, streams, sizes.n_brain, work)
        work.lost[at] = encode_least_squares(sizes.rank, work.bases[at], work.encode)
        _record(population, work.bases[at], work.lost[at], at, work.encode, out)


@kernel
def brain_ridge(
    population: Population, streams: Streams, sizes: Sizes, work: Workspace, out: Outcome
) -> None:
    """As `brain_primal`, with a penalty in stage 1, for any n_brain."""
    for at in range(out.m_hat.size):
        draw_brain_grams(population, streams, sizes.n_brain, work)
        work.lost[at] = encode_ridge(
            sizes.encoding_penalty, sizes.rank, work.bases[at], work.encode
        )
        _record(population, work.bases[at], work.lost[at], at, work.encode, out)


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
        work.lost[at] = encode_dual(X, R, sizes.rank, work.bases[at], work.encode)
        _record(population, work.bases[at], work.lost[at], at, work.encode, out)


@helper
def _mark_lost(lost: int, queries: Queries, failures: CodeArray) -> None:
    """Mark the rows that need a subspace that was not found."""
    for row in range(failures.size):
        if lost != 0 and queries.subspace[row] == 1:
            failures[row] = 1


@part
def draw_task(population: Population, streams: Streams, X: FloatArray, y: FloatArray) -> None:
    """Draw a chunk of task data."""
    draw_inputs(population, streams.task_inputs, streams.task_auxiliary, X)
    draw_labels(population, streams.label_noise, X, y)


@part
def draw_task_grams(
    population: Population, streams: Streams, n: int, data: DataWork, solve: SolveWork
) -> float:
    """Draw task data of n samples into X'X and X'y, a chunk at a time; returns y'y."""
    d, done, squares = solve.moment.size, 0, 0.0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, y = data.inputs[:rows], data.labels[:rows]
        draw_task(population, streams, X, y)
        kept = 0.0 if done == 0 else 1.0
        gram(X, kept, solve.matrix)
        dgemv("N", d, rows, 1.0, X, d, y, 1, kept, solve.moment, 1)
        for i in range(rows):
            squares += y[i] * y[i]
        done += rows
    return squares


@part
def solve_and_judge(
    population: Population, queries: Queries, shifts: Shifts, at: int, work: Workspace, out: Outcome
) -> None:
    """Solve every row from `work.solve.matrix` and `moment`, n_task >= d, and record its risk."""
    frame, targets, probes = work.frame, shifts.targets, shifts.probes
    if frame.shape[0] > 0:
        split = targets.shape[0]
        copy(targets, frame[:split])
        copy(probes, frame[split:])
        targets, probes = frame[:split], frame[split:]
    failures = out.failures[at]
    solve_primal(
        work.used_bases[at], work.measured, frame, queries, work.solve, work.risk.coefs, failures
    )
    _mark_lost(work.lost[at], queries, failures)
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
    solve = work.solve
    for at in range(out.m_hat.size):
        draw_task_grams(population, streams, sizes.n_task, work.task, solve)
        solve_and_judge(population, queries, shifts, at, work, out)


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
        failures = out.failures[at]
        solve_dual(
            X, y, work.used_bases[at], work.measured, queries, work.solve, work.risk.coefs,
            failures,
        )  # fmt: skip
        _mark_lost(work.lost[at], queries, failures)
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
        share = _part(outcome, start, start + step)
        brain_stage(population, streams, sizes, work, share)
        task(population, streams, sizes, queries, shifts, work, share)


def chunk_rows(d: int) -> int:
    """Return how many rows of inputs are drawn at a time: a megabyte, which the cache holds."""
    return max(256, 131_072 // d)


def make_workspace(
    population: Population, sizes: Sizes, queries: Queries, shifts: Shifts, chunk: int = 0
) -> Workspace:
    """Return the buffers of `raw_block` for these sizes; one set for each thread.

    Parameters
    ----------
    population, sizes, queries, shifts
        What the block will be called with.
    chunk : int
        How many rows of inputs are drawn at a time (where there are at least d); 0 for a
        megabyte of them.
    """
    chunk = chunk or chunk_rows(population.scale.size)
    (p, k), d = population.channels.shape, population.scale.size
    n_task, n_brain = sizes.n_task, sizes.n_brain
    rank = sizes.rank if n_brain > 0 else 0
    estimated = rank if np.any(queries.subspace == 1) else 0
    measured = sizes.measured if np.any(queries.subspace == 2) else 0
    dual_brain = n_brain < d and sizes.encoding_penalty == 0.0
    brain_rows = n_brain if dual_brain else min(n_brain, chunk)
    task_rows = n_task if n_task < d else min(n_task, chunk)
    # As many replicates between the stages as keep their subspaces within two megabytes.
    step = min(256, max(1, 250_000 // max(1, rank * d)))
    bases = np.zeros((step, rank, d))
    frame = _frame_rows(population, n_task, estimated + measured, queries, shifts)
    return Workspace(
        maps=make_maps(population),
        brain=_make_data(brain_rows, d, k, p),
        encode=make_encode_work(d, p, k, n_brain if dual_brain else d, rank),
        task=_make_data(task_rows, d, 0, 0),
        solve=make_solve_work(d, n_task, estimated, measured, queries, frame),
        risk=make_risk_work(d, queries, shifts),
        bases=bases,
        used_bases=bases if estimated > 0 else np.zeros((step, 0, d)),
        lost=np.zeros(step, dtype=np.int8),
        measured=np.ascontiguousarray(population.brain_map[:measured]),
        frame=np.zeros((frame, d)),
    )


def _frame_rows(
    population: Population, n_task: int, ranks: int, queries: Queries, shifts: Shifts
) -> int:
    """Return how many rows the frame has: none where turning the coefficients is less work.

    Other coordinates than the population's are as good only where its inputs are isotropic.
    """
    frame = len(shifts.targets) + len(shifts.probes)
    cost = padded(1 + ranks + frame) - padded(1 + ranks)
    isotropic = bool(np.all(population.scale == 1.0)) and n_task >= population.scale.size
    return frame if isotropic and cost < queries.batches.size else 0


def _make_data(rows: int, d: int, k: int, p: int) -> DataWork:
    """Return room for a chunk of data."""
    return DataWork(np.zeros((rows, d)), np.zeros(rows), np.zeros((rows, k)), np.zeros((rows, p)))


def _part(outcome: Outcome, start: int, stop: int) -> Outcome:
    """Return the room of some replicates."""
    return Outcome(
        outcome.excess[start:stop],
        outcome.failures[start:stop],
        outcome.m_hat[start:stop],
        outcome.overlap[start:stop],
    )


def make_outcome(population: Population, queries: Queries, shifts: Shifts, count: int) -> Outcome:
    """Return room for the results of `count` replicates."""
    rows, k = queries.subspace.size, population.brain_map.shape[0]
    return Outcome(
        np.zeros((count, rows, shifts.scale.size)),
        np.zeros((count, rows), dtype=np.int8),
        np.zeros(count),
        np.zeros((count, k, k)),
    )
