"""What every peer is given: the same model, drawn with NumPy, isotropic Gaussian inputs.

A peer is a module with `replicate(rng, population, design)`, which returns the excess risk of each
estimator at each penalty under each shift, (estimators, penalties, shifts), on one fresh data set:
every output that an engine reports of a replicate.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Design", "Population", "draw_brain", "draw_task", "exact_risk"]

Array = NDArray[np.float64]


class Population(NamedTuple):
    """What a replicate is drawn from."""

    brain_map: Array
    """(d, k) orthonormal columns."""
    beta: Array
    """(d,) task weights."""
    channels: Array
    """(p, k) latent-to-channel map."""
    task_noise: float
    neural_noise: float


class Design(NamedTuple):
    """What is fitted, and how it is judged."""

    estimators: tuple[str, ...]
    """"ridge", "befs" or "befs-oracle"."""
    n_task: int
    n_brain: int
    """At least d where an estimator is "befs"."""
    rank: int
    penalties: Array
    """Per-sample penalties, positive."""
    factors: tuple[float, ...] = (1.0,)
    """Test variance outside the brain's span, one shift each."""
    test_points: int = 1000
    """Test inputs of a peer that samples them; 0 for the exact risk."""


def draw_task(
    rng: np.random.Generator, population: Population, design: Design
) -> tuple[Array, Array]:
    """Inputs (n, d) and labels (n,)."""
    X = rng.standard_normal((design.n_task, population.beta.size))
    noise = population.task_noise * rng.standard_normal(design.n_task)
    return X, X @ population.beta + noise


def draw_brain(
    rng: np.random.Generator, population: Population, design: Design
) -> tuple[Array, Array]:
    """Inputs (n, d) and recordings (n, p)."""
    X = rng.standard_normal((design.n_brain, population.beta.size))
    noise = rng.standard_normal((design.n_brain, len(population.channels)))
    return X, X @ population.brain_map @ population.channels.T + population.neural_noise * noise


def exact_risk(error: Array, population: Population, design: Design) -> Array:
    """Excess risk (..., shifts) of weights that miss beta by `error` (..., d)."""
    whole, factors = (error**2).sum(-1)[..., None], np.array(design.factors)
    if design.factors == (1.0,):
        return np.asarray(whole)
    inside = ((error @ population.brain_map) ** 2).sum(-1)[..., None]
    return np.asarray(factors * (whole - inside) + inside)
