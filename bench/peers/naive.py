"""Today's practice: for each replicate draw data, refit at each penalty, test on sampled inputs.

The same model, estimators and risk as the engines, isotropic Gaussian inputs. Test targets are free
of label noise, which is kinder to this peer than a labelled test set would be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.peers.numpy_eigh import Population

Array = NDArray[np.float64]

TEST_POINTS = 1000


def fit(X: Array, y: Array, penalty: float, basis: Array | None) -> Array:
    """Return ridge weights; the columns of `basis` are not penalised."""
    n, d = X.shape
    omega = np.eye(d) if basis is None else np.eye(d) - basis @ basis.T
    return np.linalg.solve(X.T @ X / n + penalty * omega, X.T @ y / n)


def encode(X: Array, R: Array, rank: int) -> Array:
    """Return the estimated brain subspace, (d, rank) orthonormal: reduced-rank regression."""
    B = np.linalg.solve(X.T @ X, X.T @ R)
    V = np.linalg.svd(X @ B, full_matrices=False)[2][:rank].T
    return np.linalg.qr(B @ V)[0]


def replicate(
    rng: np.random.Generator,
    population: Population,
    estimator: str,
    n_task: int,
    n_brain: int,
    rank: int,
    penalties: Array,
    factors: tuple[float, ...] = (1.0,),
    *,
    exact: bool = False,
) -> Array:
    """Return the excess risk (factors, penalties) on one fresh data set.

    Parameters
    ----------
    rng : numpy.random.Generator
    population : Population
    estimator : str
        "ridge", "befs-oracle" or "befs".
    n_task, n_brain, rank : int
    penalties : ndarray
        Per-sample penalties.
    factors : tuple of float
        Test variance outside the brain's span, one shift each.
    exact : bool
        Risk from the second moment of the test inputs instead of sampled ones.
    """
    A, beta, H, task_noise, neural_noise = population
    d = beta.size
    basis = None
    if estimator == "befs-oracle":
        basis = A
    elif estimator == "befs":
        X_brain = rng.standard_normal((n_brain, d))
        noise = rng.standard_normal((n_brain, H.shape[0]))
        basis = encode(X_brain, X_brain @ A @ H.T + neural_noise * noise, rank)
    X = rng.standard_normal((n_task, d))
    y = X @ beta + task_noise * rng.standard_normal(n_task)
    risk = np.empty((len(factors), len(penalties)))
    for j, penalty in enumerate(penalties):
        error = fit(X, y, penalty, basis) - beta
        for i, factor in enumerate(factors):
            if exact:
                inside = A.T @ error
                risk[i, j] = factor * error @ error + (1.0 - factor) * inside @ inside
            else:
                test = rng.standard_normal((TEST_POINTS, d))
                within = test @ A @ A.T
                test = within + np.sqrt(factor) * (test - within)
                risk[i, j] = np.mean((test @ error) ** 2)
    return risk
