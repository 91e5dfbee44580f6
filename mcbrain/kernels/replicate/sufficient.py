"""Replicates from sufficient statistics: Gaussian data of any covariance, O(d^3) whatever n and p.

theory/README.md 3. With n >= d samples, X'X = LL' (Bartlett) and X'noise = L times normals. The
subspace of stage 1 depends on the recordings R only through RR', so that what the latents do not
reach of the p channels is a Wishart matrix, drawn by its triangular factor. Below d samples the
inputs themselves are the smaller thing, and are drawn.
"""

import math

import numpy as np

from mcbrain.kernels.brain.encode import (
    EncodeWork,
    encode_dual,
    encode_ridge,
    leading_left,
    leading_left_exactly,
    orthonormalise,
)
from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.linear.lapack import dgemm, dgemv, dsyrk, dtrsm
from mcbrain.kernels.random.bartlett import bartlett
from mcbrain.kernels.random.draw import GAUSSIAN, draw_inputs
from mcbrain.kernels.random.roles import Streams
from mcbrain.kernels.random.streams import (
    Stream,
    fill_normal,
    load,
    next_chi_square,
    next_normal,
    store,
)
from mcbrain.kernels.replicate.again import encode_each, record, solve_each
from mcbrain.kernels.replicate.raw import judge, solve_fits, task_stage
from mcbrain.kernels.replicate.workspace import (
    DataWork,
    Outcome,
    Workspace,
    make_workspace,
    part_of,
)
from mcbrain.kernels.task.singular import (
    absorb,
    any_singular,
    clear,
    keep_rows,
    keep_triangle,
    rounding_share,
)
from mcbrain.kernels.task.solve import reduce_matrix
from mcbrain.kernels.types import (
    DOUBTFUL,
    GAUSSIAN_NOISE,
    LINEAR,
    LOST,
    SOUND,
    Fits,
    Population,
    Shifts,
    Sizes,
)
from mcbrain.typing import Floats


@kernel
def draw_factor(population: Population, stream: Stream, n: int, factor: Floats) -> None:
    """Fill `factor` (d, d) with lower triangular L, LL' the Gram matrix of n >= d inputs."""
    bartlett(stream, n, factor)
    for i in range(factor.shape[0]):
        for j in range(i + 1):
            factor[i, j] *= population.scale[i]


@kernel
def draw_noise(stream: Stream, n_channels: int, signal: int, out: Floats) -> None:
    """Fill `out` (rows, signal + c) with the noise of the reduced recordings, of variance 1.

    First the `signal` channels by rows. The others stand for all n_channels - signal: the factor
    of their Wishart matrix, drawn in the order of `bartlett`.
    """
    rows, width = out.shape
    s = load(stream)
    for i in range(rows):
        for j in range(signal):
            s, out[i, j] = next_normal(s, stream)
        for j in range(signal, width):
            out[i, j] = 0.0
    for i in range(width - signal):
        s, square = next_chi_square(s, stream, n_channels - signal - i)
        out[i, signal + i] = math.sqrt(square)
    for i in range(rows):
        for j in range(signal, min(signal + i, width)):
            s, out[i, j] = next_normal(s, stream)
    store(stream, s)


@helper
def _draw_recordings(
    population: Population, n_channels: int, stream: Stream, data: DataWork
) -> None:
    """Turn `data.latents` into reduced recordings."""
    (rows, width), k = data.recordings.shape, data.latents.shape[1]
    draw_noise(stream, n_channels, min(n_channels, k), data.recordings)
    dgemm(
        "T", "N", width, rows, k, 1.0, population.channels, k, data.latents, k,
        population.neural_noise, data.recordings, width,
    )  # fmt: skip


@kernel
def draw_many(
    population: Population, n_channels: int, streams: Streams, n: int, data: DataWork
) -> None:
    """Draw n >= d brain samples: L as inputs, L'AH' + noise as recordings; both have d rows."""
    d, k = population.scale.size, population.brain_map.shape[0]
    L = data.inputs
    draw_factor(population, streams.brain_inputs, n, L)
    dgemm("T", "T", k, d, d, 1.0, population.brain_map, d, L, d, 0.0, data.latents, k)
    _draw_recordings(population, n_channels, streams.recording_noise, data)


@kernel
def draw_few(population: Population, n_channels: int, streams: Streams, data: DataWork) -> None:
    """Draw n < d brain samples, and reduced recordings of them."""
    X = data.inputs
    (n, d), k = X.shape, population.brain_map.shape[0]
    draw_inputs(population, streams.brain_inputs, streams.brain_auxiliary, X)
    dgemm("T", "N", k, n, d, 1.0, population.brain_map, d, X, d, 0.0, data.latents, k)
    _draw_recordings(population, n_channels, streams.recording_noise, data)


@kernel
def encode_factor(data: DataWork, r: int, basis: Floats, work: EncodeWork) -> int:
    """Write the subspace of least squares: L^-T times the top-r left vectors of L'AH' + noise."""
    (d, p), recordings = data.recordings.shape, data.recordings
    if leading_left(recordings, d, r, basis, work) != SOUND:
        share = rounding_share(p, d)
        if leading_left_exactly(recordings, d, r, share, basis, work) != SOUND:
            return LOST
    dtrsm("L", "U", "N", "N", d, r, 1.0, data.inputs, d, basis, d)
    return orthonormalise(basis)


@kernel
def brain_factor(
    population: Population,
    n_channels: int,
    streams: Streams,
    sizes: Sizes,
    work: Workspace,
    out: Outcome,
    first: int,
) -> int:
    """Estimate a subspace for each replicate of `out` by least squares, n_brain >= d.

    Begins at the replicate `first`, and returns how many there are.
    """
    for at in range(first, out.m_hat.size):
        draw_many(population, n_channels, streams, sizes.n_brain, work.brain)
        work.lost[at] = encode_factor(work.brain, sizes.rank, work.bases[at], work.encode)
        record(population, work.bases[at], work.lost[at], at, work.encode, out)
    return out.m_hat.size


@kernel
def brain_factor_ridge(
    population: Population,
    n_channels: int,
    streams: Streams,
    sizes: Sizes,
    work: Workspace,
    out: Outcome,
    first: int,
) -> int:
    """As `brain_factor`, with a penalty in stage 1, for any n_brain.

    Stops at a replicate that singular values must decide, drawn and not recorded (`again`).
    """
    d, data, encode = population.scale.size, work.brain, work.encode
    X, R, n, alpha = data.inputs, data.recordings, sizes.n_brain, sizes.encoding_penalty
    rows, width = R.shape
    for at in range(first, out.m_hat.size):
        if n >= d:
            draw_many(population, n_channels, streams, n, data)
            dsyrk("L", "T", d, d, 1.0, X, d, 0.0, encode.gram, d)
            dgemm("N", "N", width, d, d, 1.0, R, width, X, d, 0.0, encode.cross, width)
        else:
            draw_few(population, n_channels, streams, data)
            dsyrk("L", "N", d, rows, 1.0, X, d, 0.0, encode.gram, d)
            dgemm("N", "T", width, d, rows, 1.0, R, width, X, d, 0.0, encode.cross, width)
        verdict = encode_ridge(alpha, sizes.rank, work.bases[at], encode)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(population, work.bases[at], verdict, at, encode, out)
    return out.m_hat.size


@kernel
def brain_few(
    population: Population,
    n_channels: int,
    streams: Streams,
    sizes: Sizes,
    work: Workspace,
    out: Outcome,
    first: int,
) -> int:
    """As `brain_factor_ridge`, by least squares, for n_brain < d."""
    data = work.brain
    for at in range(first, out.m_hat.size):
        draw_few(population, n_channels, streams, data)
        verdict = encode_dual(data.inputs, data.recordings, sizes.rank, work.bases[at], work.encode)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(population, work.bases[at], verdict, at, work.encode, out)
    return out.m_hat.size


@kernel
def task_factor(
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
    """Draw X'X = LL' and X'y = L(L'beta + noise), solve and judge every fit, n_task >= d.

    Begins and stops as `raw.task_primal`.
    """
    d, solve = population.scale.size, work.solve
    L, t = work.task.inputs, work.task.labels
    for at in range(first, out.m_hat.size):
        if not solved:
            draw_factor(population, streams.task_inputs, sizes.n_task, L)
            dsyrk("L", "T", d, d, 1.0, L, d, 0.0, solve.matrix, d)
            fill_normal(streams.label_noise, t)
            dgemv("N", d, d, 1.0, L, d, population.beta, 1, population.task_noise, t, 1)
            dgemv("T", d, d, 1.0, L, d, t, 1, 0.0, solve.moment, 1)
            reduce_matrix(solve)
            solve_fits(fits, shifts, at, work, out)
            if any_singular(out.failures[at]):
                return at
        solved = False
        judge(population, fits, shifts, at, work, out)
    return out.m_hat.size


def _check_laws(population: Population) -> None:
    """Refuse a population for which these statistics do not suffice."""
    laws = population.law, population.latents, population.neural_law
    if laws != (GAUSSIAN, LINEAR, GAUSSIAN_NOISE):
        raise ValueError(
            f"(law, latents, neural_law) = {laws}: these statistics suffice only for Gaussian "
            f"inputs, linear latents and Gaussian recordings, {(GAUSSIAN, LINEAR, GAUSSIAN_NOISE)}"
        )


def _brain_stage(
    population: Population, n_channels: int, streams: Streams, sizes: Sizes, work: Workspace,
    out: Outcome,
) -> None:  # fmt: skip
    """Estimate the subspaces of as many replicates as `out` has, none without brain data."""
    n, d, exact = sizes.n_brain, population.scale.size, work.brain_exact
    X, R = work.brain.inputs, work.brain.recordings
    if n == 0:
        out.m_hat[:] = np.nan
        out.overlap[:] = np.nan
        return
    brain = brain_factor if n >= d else brain_few
    if sizes.encoding_penalty > 0.0:
        brain = brain_factor_ridge

    def take_again() -> None:
        if n >= d:
            keep_triangle(X, R, exact)
        elif brain is brain_few:
            keep_rows(X, R, exact)
        else:
            clear(exact)
            absorb(X, R, exact)

    encode_each(
        lambda first: brain(population, n_channels, streams, sizes, work, out, first),
        take_again, population, sizes, work, out,
    )  # fmt: skip


def _task_stage(
    population: Population, streams: Streams, sizes: Sizes, fits: Fits, shifts: Shifts,
    work: Workspace, out: Outcome,
) -> None:  # fmt: skip
    """Solve the fits of as many replicates as `out` has, after `_brain_stage`, n_task >= d."""
    L, t = work.task.inputs, work.task.labels
    solve_each(
        lambda first, solved: task_factor(
            population, streams, sizes, fits, shifts, work, out, first, solved
        ),
        lambda: keep_triangle(L, t.reshape(t.size, 1), work.task_exact),
        sizes.n_task, fits, work, out,
    )  # fmt: skip


def sufficient_block(
    population: Population,
    n_channels: int,
    streams: Streams,
    sizes: Sizes,
    fits: Fits,
    shifts: Shifts,
    work: Workspace,
    outcome: Outcome,
) -> None:
    """Run as many replicates as `outcome` has room for, continuing the streams.

    Per replicate and role the streams' numbers are: inputs of d samples and more as `bartlett`
    draws them, of fewer as `draw_inputs`; label noise (min(n_task, d),); recordings as
    `draw_noise`. The kernels release the GIL.

    Parameters
    ----------
    population : Population
        Of `reduce_channels`: Gaussian inputs and recordings, linear latents.
    n_channels : int
        p, before that reduction.
    streams : Streams
        Advanced in place.
    sizes, fits, shifts
        What is asked, as in `types`.
    work : Workspace
        Of `make_sufficient_workspace` for the same arguments; one for each thread.
    outcome : Outcome
        Of `make_outcome`; filled.

    Raises
    ------
    ValueError
        The population has another law.
    """
    _check_laws(population)
    step = work.lost.size
    task = _task_stage if sizes.n_task >= population.scale.size else task_stage
    for start in range(0, outcome.m_hat.size, step):
        share = part_of(outcome, start, start + step)
        _brain_stage(population, n_channels, streams, sizes, work, share)
        task(population, streams, sizes, fits, shifts, work, share)


def overlap_block(
    population: Population,
    n_channels: int,
    streams: Streams,
    sizes: Sizes,
    work: Workspace,
    outcome: Outcome,
) -> None:
    """Run stage 1 alone: only m_hat and C^ of `outcome` are filled, NaN where rank is missing.

    Arguments as for `sufficient_block`, and the same numbers from the streams of the brain stage.
    """
    _check_laws(population)
    for start in range(0, outcome.m_hat.size, work.lost.size):
        share = part_of(outcome, start, start + work.lost.size)
        _brain_stage(population, n_channels, streams, sizes, work, share)


def reduce_channels(population: Population, n_brain: int) -> Population:
    """Return the population with as few channels as give the same law of the subspace.

    Parameters
    ----------
    population : Population
        With channels H (p, k).
    n_brain : int
        Brain samples.

    Returns
    -------
    Population
        The triangular factor of H, min(p, k) rows, then a row of zeros for each column of the
        factor of the other channels' Wishart matrix, min(n_brain, d, p - k) of them.
    """
    p, k = population.channels.shape
    signal, rows = min(p, k), min(n_brain, population.scale.size)
    channels = np.zeros((signal + min(rows, p - signal), k))
    channels[:signal] = np.linalg.qr(population.channels)[1]
    return population._replace(channels=channels)


def make_sufficient_workspace(
    population: Population, sizes: Sizes, fits: Fits, shifts: Shifts
) -> Workspace:
    """Return the buffers of `sufficient_block`, `population` being reduced; one for a thread."""
    return make_workspace(population, sizes, fits, shifts, chunk=population.scale.size)
