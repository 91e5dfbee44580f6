"""Twins of ``mcbrain.kernels.random.draw``: whole arrays at once, from NumPy's generators."""

import numpy as np


def draw_inputs(population, rng, auxiliary, n):
    """Return (n, d) inputs scale * z."""
    shape = n, population.scale.size
    law, parameter = population.law, population.law_parameter
    if law == 0:
        z = rng.standard_normal(shape)
    elif law == 1:
        chi_square = auxiliary.chisquare(parameter, size=n)
        z = rng.standard_normal(shape) * np.sqrt((parameter - 2) / chi_square)[:, None]
    elif law == 2:
        z = np.where(rng.random(shape) < 0.5, 1.0, -1.0)
    elif law == 3:
        z = rng.uniform(-1, 1, shape) * np.sqrt(3)
    elif law == 4:
        z = rng.laplace(0.0, np.sqrt(0.5), shape)
    elif law == 5:
        chosen = auxiliary.random(shape) < parameter
        z = chosen * rng.standard_normal(shape) / np.sqrt(parameter)
    else:
        raise NotImplementedError(f"tests/twins/draw.py has no draw of the input code {law}")
    return z * population.scale


def draw_labels(population, rng, X):
    """Return (n,) labels."""
    y = X @ population.beta + population.task_noise * rng.standard_normal(len(X))
    if population.labels == 1:
        return np.where(y > 0, 1.0, -1.0)
    if population.labels == 0:
        return y
    raise NotImplementedError(f"tests/twins/draw.py has no labels {population.labels}")


def draw_recordings(population, rng, X):
    """Return (n, p) recordings."""
    z = X @ population.brain_map.T
    if population.latents == 1:
        z = np.tanh(z) / 0.628
    elif population.latents != 0:
        raise NotImplementedError(f"tests/twins/draw.py has no latents {population.latents}")
    drive = z @ population.channels.T
    if population.neural_law == 0:
        return drive + population.neural_noise * rng.standard_normal(drive.shape)
    if population.neural_law == 1:
        return rng.poisson(np.exp(population.log_baseline + drive)).astype(float)
    raise NotImplementedError(f"tests/twins/draw.py has no recordings {population.neural_law}")
