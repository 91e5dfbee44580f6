"""Data of the model (theory/README.md 1), drawn a chunk of rows at a time."""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, kernel, part
from mcbrain.kernels.linear.lapack import dgemm, dgemv
from mcbrain.kernels.random.poisson import next_poisson
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.random.streams import (
    Stream,
    fill_laplace,
    fill_normal,
    fill_uniform,
    load,
    next_chi_square,
    next_uniform,
    store,
)
from mcbrain.kernels.types import (
    GAUSSIAN_NOISE,
    GIVEN,
    LINEAR,
    POISSON,
    REAL,
    SIGN,
    TANH,
    Population,
)
from mcbrain.typing import Floats, Words

GAUSSIAN, STUDENT, RADEMACHER, UNIFORM, LAPLACE, SPARSE = range(6)

TANH_SPREAD = 0.628
"""Standard deviation of the hyperbolic tangent of a standard normal number."""

INPUT_CODES = {
    "gaussian": GAUSSIAN,
    "student": STUDENT,
    "rademacher": RADEMACHER,
    "uniform": UNIFORM,
    "laplace": LAPLACE,
    "sparse": SPARSE,
}
"""What `Population.law` is for each input distribution that `draw_inputs` can draw."""


@helper
def _student(auxiliary: Stream, nu: float, X: Floats) -> None:
    """Turn rows of normals into multivariate student rows of unit variance."""
    s = load(auxiliary)
    for i in range(X.shape[0]):
        s, chi_square = next_chi_square(s, auxiliary, nu)
        factor = math.sqrt((nu - 2.0) / chi_square)
        for j in range(X.shape[1]):
            X[i, j] *= factor
    store(auxiliary, s)


@helper
def _sparse(auxiliary: Stream, share: float, entries: Floats) -> None:
    """Keep a share of the normals, one uniform for each entry, at unit variance."""
    s = load(auxiliary)
    factor = 1.0 / math.sqrt(share)
    for i in range(entries.size):
        s, u = next_uniform(s)
        entries[i] = factor * entries[i] if u < share else 0.0
    store(auxiliary, s)


@helper
def _take(given: Floats, stream: Stream, out: Floats) -> None:
    """Copy the next rows of what is given, and move on by as many; NaN where there are too few."""
    at = int(stream.state[0])
    if at < 0 or at > given.shape[0] - out.shape[0] or given.shape[1] < out.shape[1]:
        out[:] = math.nan
        return
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = given[at + i, j]
    stream.state[0] = np.uint64(at + out.shape[0])


@kernel
def draw_inputs(population: Population, streams: StageStreams, X: Floats) -> None:
    """Fill X (n, d) with rows x = scale * z, z iid of the input distribution.

    Entries take the numbers of `streams.inputs` in C order. Student rows share one chi-square each
    and sparse entries one uniform each, from `streams.auxiliary`. Inputs that are given are as they
    are, whatever the scale. A code without a branch gives no numbers.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : StageStreams
        Of the stage; advanced in place.
    X : ndarray, shape (n, d)
        Filled.
    """
    law, stream, auxiliary = population.law, streams.inputs, streams.auxiliary
    n, d = X.shape
    if law == GIVEN:
        _take(population.rows, stream, X)
        return
    entries = X.reshape(n * d)
    if law == GAUSSIAN:
        fill_normal(stream, entries)
    elif law == STUDENT:
        fill_normal(stream, entries)
        _student(auxiliary, population.law_parameter, X)
    elif law == RADEMACHER:
        fill_uniform(stream, entries)
        for i in range(entries.size):
            entries[i] = 1.0 if entries[i] < 0.5 else -1.0
    elif law == UNIFORM:
        fill_uniform(stream, entries)
        for i in range(entries.size):
            entries[i] = math.sqrt(3.0) * (2.0 * entries[i] - 1.0)
    elif law == LAPLACE:
        fill_laplace(stream, entries)
        for i in range(entries.size):
            entries[i] *= math.sqrt(0.5)
    elif law == SPARSE:
        fill_normal(stream, entries)
        _sparse(auxiliary, population.law_parameter, entries)
    else:
        entries[:] = math.nan
    isotropic = True
    for j in range(d):
        isotropic = isotropic and population.scale[j] == 1.0
    if not isotropic:
        for i in range(n):
            for j in range(d):
                X[i, j] *= population.scale[j]


@part
def draw_task(population: Population, streams: StageStreams, X: Floats, y: Floats) -> None:
    """Fill X (n, d) with inputs and y (n,) with labels.

    They are X beta + task_noise * normals, or +1 and -1 by its sign. Labels that are not of `types`
    give no numbers.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : StageStreams
        Of the stage; advanced in place.
    X : ndarray, shape (n, d)
        Filled with inputs.
    y : ndarray, shape (n,)
        Filled with labels.
    """
    n, d = X.shape
    draw_inputs(population, streams, X)
    if population.labels == GIVEN:
        _take(population.outcomes, streams.noise, y.reshape(n, 1))
        return
    fill_normal(streams.noise, y)
    dgemv("T", d, n, 1.0, X, d, population.beta, 1, population.task_noise, y, 1)
    if population.labels == SIGN:
        for i in range(n):
            y[i] = 1.0 if y[i] > 0.0 else -1.0
    elif population.labels != REAL:
        y[:] = math.nan


@part
def save(streams: StageStreams, states: Words) -> None:
    """Note in `states` (3, 4) where the streams of a stage stand.

    Parameters
    ----------
    streams : StageStreams
        Whose states are noted.
    states : ndarray of uint64, shape (3, 4)
        Filled.
    """
    for j in range(4):
        states[0, j] = streams.inputs.state[j]
        states[1, j] = streams.auxiliary.state[j]
        states[2, j] = streams.noise.state[j]


@part
def restore(streams: StageStreams, states: Words) -> None:
    """Take the streams of a stage back to where they stood.

    Parameters
    ----------
    streams : StageStreams
        Set in place.
    states : ndarray of uint64, shape (3, 4)
        As `save` noted them.
    """
    for j in range(4):
        streams.inputs.state[j] = states[0, j]
        streams.auxiliary.state[j] = states[1, j]
        streams.noise.state[j] = states[2, j]


class Maps(NamedTuple):
    """The maps of `Population` transposed, in which form their products are the fastest.

    Attributes
    ----------
    latents : ndarray, shape (d, k)
        A.
    channels : ndarray, shape (k, p)
        H'.
    """

    latents: Floats
    channels: Floats


def make_maps(population: Population) -> Maps:
    """Return the maps of a population.

    Parameters
    ----------
    population : Population
        What the data are drawn from.

    Returns
    -------
    Maps
        Copies, in the order that their products read.
    """
    return Maps(
        np.ascontiguousarray(population.brain_map.T), np.ascontiguousarray(population.channels.T)
    )


@kernel
def draw_recordings(
    population: Population, maps: Maps, stream: Stream, X: Floats, Z: Floats, R: Floats
) -> None:
    """Fill Z (n, k) with latents and R (n, p) with recordings of the inputs X (n, d).

    Gaussian recordings are H z + neural_noise * normals; Poisson ones counts of the rate
    exp(log_baseline + H z). Both take the stream's numbers in C order of R. Where recordings are
    given, there are no latents. Latents or recordings that are not of `types` give no numbers.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    maps : Maps
        Of the population.
    stream : Stream
        Of the noise; advanced in place.
    X : ndarray, shape (n, d)
        Inputs.
    Z : ndarray, shape (n, k)
        Filled with latents.
    R : ndarray, shape (n, p)
        Filled with recordings.
    """
    n, d = X.shape
    p, k = population.channels.shape
    if population.neural_law == GIVEN:
        _take(population.outcomes, stream, R)
        return
    dgemm("N", "N", k, n, d, 1.0, maps.latents, k, X, d, 0.0, Z, k)
    if population.latents == TANH:
        for i in range(n):
            for j in range(k):
                Z[i, j] = math.tanh(Z[i, j]) / TANH_SPREAD
    elif population.latents != LINEAR:
        Z[:] = math.nan
    weight = 0.0
    if population.neural_law == GAUSSIAN_NOISE:
        fill_normal(stream, R.reshape(n * p))
        weight = population.neural_noise
    elif population.neural_law != POISSON:
        Z[:] = math.nan
    dgemm("N", "N", p, n, k, 1.0, maps.channels, p, Z, k, weight, R, p)
    if population.neural_law == POISSON:
        s = load(stream)
        for i in range(n):
            for j in range(p):
                s, R[i, j] = next_poisson(s, math.exp(population.log_baseline + R[i, j]))
        store(stream, s)
