"""Sufficient statistics of Gaussian data, drawn (theory/README.md 3).

With n >= d samples, X'X = LL' (Bartlett). The subspace of stage 1 depends on the recordings R only
through RR', so that what the latents do not reach of the p channels is a Wishart matrix, drawn by
its triangular factor. Below d samples the inputs themselves are the smaller thing, and are drawn.
"""

import math

import numpy as np

from mcbrain.kernels.jit import helper, kernel
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.orthonormal import dot
from mcbrain.kernels.random.bartlett import bartlett
from mcbrain.kernels.random.draw import draw_inputs
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.random.streams import Stream, load, next_chi_square, next_normal, store
from mcbrain.kernels.replicate.workspace import BrainData
from mcbrain.kernels.types import Population, Setting
from mcbrain.typing import Floats


@kernel
def draw_factor(population: Population, stream: Stream, n: int, factor: Floats) -> None:
    """Fill `factor` (d, d) with lower triangular L, LL' the Gram matrix of n >= d inputs.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    stream : Stream
        Advanced in place.
    n : int
        Samples.
    factor : ndarray, shape (d, d)
        Filled with L.
    """
    bartlett(stream, n, factor)
    for i in range(factor.shape[0]):
        for j in range(i + 1):
            factor[i, j] *= population.scale[i]


@kernel
def draw_noise(stream: Stream, n_channels: int, signal: int, out: Floats) -> None:
    """Fill `out` (rows, signal + c) with the noise of the reduced recordings, of variance 1.

    First the `signal` channels by rows. The others stand for all n_channels - signal: the factor
    of their Wishart matrix, drawn in the order of `bartlett`.

    Parameters
    ----------
    stream : Stream
        Advanced in place.
    n_channels : int
        p.
    signal : int
        Channels that the latents reach.
    out : ndarray, shape (rows, signal + c)
        Filled.
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
def _draw_recordings(population: Population, stream: Stream, data: BrainData) -> None:
    """Turn `data.latents` into reduced recordings."""
    (rows, width), k, p = data.recordings.shape, data.latents.shape[1], population.n_channels
    draw_noise(stream, p, min(p, k), data.recordings)
    dgemm(
        "T", "N", width, rows, k, 1.0, population.channels, k, data.latents, k,
        population.neural_noise, data.recordings, width,
    )  # fmt: skip


@kernel
def draw_many(population: Population, streams: StageStreams, n: int, data: BrainData) -> None:
    """Draw n >= d brain samples: L as inputs, L'AH' + noise as recordings; both have d rows.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : StageStreams
        Of the stage; advanced in place.
    n : int
        Samples.
    data : BrainData
        Filled.
    """
    d, k = population.scale.size, population.brain_map.shape[0]
    L = data.inputs
    draw_factor(population, streams.inputs, n, L)
    dgemm("T", "T", k, d, d, 1.0, population.brain_map, d, L, d, 0.0, data.latents, k)
    _draw_recordings(population, streams.noise, data)


@kernel
def draw_few(population: Population, streams: StageStreams, data: BrainData) -> None:
    """Draw n < d brain samples, and reduced recordings of them.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    streams : StageStreams
        Of the stage; advanced in place.
    data : BrainData
        Filled.
    """
    X = data.inputs
    (n, d), k = X.shape, population.brain_map.shape[0]
    draw_inputs(population, streams, X)
    dgemm("T", "N", k, n, d, 1.0, population.brain_map, d, X, d, 0.0, data.latents, k)
    _draw_recordings(population, streams.noise, data)


@kernel
def draw_squares(population: Population, stream: Stream, n: int, recordings: Floats) -> float:
    """Return |R|^2 of n recordings, given the reduced ones: what the inputs miss is noise alone.

    Parameters
    ----------
    population : Population
        What the data are drawn from.
    stream : Stream
        Of the noise; advanced in place after the recordings.
    n : int
        Samples.
    recordings : ndarray, shape (min(n, d), signal + c)
        As `draw_many` or `draw_few` fills them.

    Returns
    -------
    float
        The squares of the reduced recordings and, above d samples, sigma_r^2 times a chi-square
        number of (n - d) p degrees of freedom.
    """
    rows, squares = recordings.shape[0], 0.0
    for i in range(rows):
        squares += dot(recordings[i], recordings[i])
    s = load(stream)
    s, rest = next_chi_square(s, stream, float((n - rows) * population.n_channels))
    store(stream, s)
    return squares + population.neural_noise**2 * rest


def reduced(setting: Setting) -> Setting:
    """Return the setting with as few channels as give the same distribution of the subspace.

    Parameters
    ----------
    setting : Setting
        With channels H (p, k).

    Returns
    -------
    Setting
        With the triangular factor of H, min(p, k) rows, then a row of zeros for each column of the
        factor of the other channels' Wishart matrix, min(n_brain, d, p - k) of them.
    """
    population, n_brain = setting.population, setting.sizes.n_brain
    p, k = population.channels.shape
    signal, rows = min(p, k), min(n_brain, population.scale.size)
    channels = np.zeros((signal + min(rows, p - signal), k))
    channels[:signal] = np.linalg.qr(population.channels)[1]
    return setting._replace(population=population._replace(channels=channels))
