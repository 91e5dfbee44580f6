"""Today's practice: for each replicate draw data, refit at each penalty, test on sampled inputs.

Test targets are free of label noise, which is kinder to this peer than a labelled test set.
"""

from __future__ import annotations

import numpy as np

from bench.peers.problem import Array, Design, Population, draw_brain, draw_task, exact_risk

__all__ = ["encode", "fit", "replicate"]


def fit(X: Array, y: Array, penalty: float, basis: Array | None) -> Array:
    """Ridge weights; the columns of `basis` are not penalised."""
    n, d = X.shape
    omega = np.eye(d) if basis is None else np.eye(d) - basis @ basis.T
    return np.asarray(np.linalg.solve(X.T @ X / n + penalty * omega, X.T @ y / n))


def encode(X: Array, R: Array, rank: int) -> Array:
    """Estimated brain subspace, (d, rank) orthonormal: reduced-rank regression."""
    B = np.linalg.solve(X.T @ X, X.T @ R)
    V = np.linalg.svd(X @ B, full_matrices=False)[2][:rank].T
    return np.asarray(np.linalg.qr(B @ V)[0])


def replicate(rng: np.random.Generator, population: Population, design: Design) -> Array:
    """Excess risk (estimators, penalties, shifts) on one fresh data set."""
    bases: dict[str, Array | None] = {"ridge": None, "befs-oracle": population.brain_map}
    if "befs" in design.estimators:
        bases["befs"] = encode(*draw_brain(rng, population, design), design.rank)
    X, y = draw_task(rng, population, design)
    errors = np.array(
        [
            [fit(X, y, penalty, bases[name]) - population.beta for penalty in design.penalties]
            for name in design.estimators
        ]
    )
    if design.test_points == 0:
        return exact_risk(errors, population, design)
    return np.stack(
        [
            np.apply_along_axis(sampled_risk, -1, errors, rng, population.brain_map, factor, design)
            for factor in design.factors
        ],
        axis=-1,
    )


def sampled_risk(
    error: Array, rng: np.random.Generator, brain_map: Array, factor: float, design: Design
) -> float:
    """Excess risk of weights that miss beta by `error` (d,), on fresh test inputs."""
    test = rng.standard_normal((design.test_points, error.size))
    if factor != 1.0:
        within = test @ brain_map @ brain_map.T
        test = within + np.sqrt(factor) * (test - within)
    return float(np.mean((test @ error) ** 2))
