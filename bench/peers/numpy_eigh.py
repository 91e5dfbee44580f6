"""The best NumPy a user would write: Gram matrices once, one `eigh` for the whole penalty grid.

Same model, same estimators and same outputs as the raw engine (excess risk of ridge and BEFS at
every penalty), isotropic Gaussian inputs, n_task > rank and n_brain >= input_dim.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def brain_subspace(X: Array, R: Array, rank: int) -> Array:
    """Return the estimated brain subspace, (d, rank) orthonormal, by reduced-rank regression."""
    gram, cross = X.T @ X, X.T @ R
    weights = np.linalg.solve(gram, cross)
    top = np.linalg.eigh(cross.T @ weights)[1][:, -rank:]
    return np.linalg.qr(weights @ top)[0]


def replicate(
    rng: np.random.Generator,
    population: Population,
    n_task: int,
    n_brain: int,
    rank: int,
    penalties: Array,
) -> Array:
    """Return the excess risk (2, penalties) of ridge and BEFS on one fresh data set."""
    A, beta, H, task_noise, neural_noise = population
    d = beta.size
    X_brain = rng.standard_normal((n_brain, d))
    noise = rng.standard_normal((n_brain, H.shape[0]))
    basis = brain_subspace(X_brain, (X_brain @ A) @ H.T + neural_noise * noise, rank)
    X = rng.standard_normal((n_task, d))
    y = X @ beta + task_noise * rng.standard_normal(n_task)

    values, vectors = np.linalg.eigh(X.T @ X)
    target = vectors.T @ beta
    moment = vectors.T @ (X.T @ y)
    inside = vectors.T @ basis
    shrunk = 1.0 / (values[None, :] + n_task * penalties[:, None])
    ridge = shrunk * moment
    # (G + s (I - P))^-1 by Woodbury's identity, s = n_task * penalty, for all penalties at once.
    shrunk_inside = shrunk[:, :, None] * inside
    inner = (values[:, None] * inside).T @ shrunk_inside
    weights = np.linalg.solve(inner, (ridge @ inside)[:, :, None])
    befs = ridge + n_task * penalties[:, None] * (shrunk_inside @ weights)[:, :, 0]
    return np.stack([((ridge - target) ** 2).sum(1), ((befs - target) ** 2).sum(1)])


def run(
    seed: int,
    replicates: int,
    population: Population,
    n_task: int,
    n_brain: int,
    rank: int,
    penalties: Array,
) -> Array:
    """Return the excess risk (replicates, 2, penalties) of independent replicates."""
    rng = np.random.Generator(np.random.SFC64(seed))
    return np.stack(
        [replicate(rng, population, n_task, n_brain, rank, penalties) for _ in range(replicates)]
    )
