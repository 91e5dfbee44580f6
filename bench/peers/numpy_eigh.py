"""The best NumPy a user would write: Gram matrices once, one `eigh` for the whole penalty grid."""

from __future__ import annotations

import numpy as np

from bench.peers.problem import Array, Design, Population, draw_brain, draw_task, exact_risk

__all__ = ["replicate"]


def replicate(rng: np.random.Generator, population: Population, design: Design) -> Array:
    """Excess risk (estimators, penalties, shifts) on one fresh data set."""
    bases = {}
    if "befs" in design.estimators:
        bases["befs"] = brain_subspace(*draw_brain(rng, population, design), design.rank)
    if "befs-oracle" in design.estimators:
        bases["befs-oracle"] = population.brain_map
    X, y = draw_task(rng, population, design)
    values, vectors = np.linalg.eigh(X.T @ X)
    ridges = design.n_task * design.penalties
    shrunk = 1.0 / (values + ridges[:, None])
    ridge = shrunk * (vectors.T @ (X.T @ y))
    fits = {"ridge": ridge} | {
        name: _spare(ridge, vectors.T @ basis, values, shrunk, ridges)
        for name, basis in bases.items()
    }
    target = vectors.T @ population.beta
    rotated = population._replace(brain_map=vectors.T @ population.brain_map)
    errors = np.stack([fits[name] - target for name in design.estimators])
    return exact_risk(errors, rotated, design)


def brain_subspace(X: Array, R: Array, rank: int) -> Array:
    """Estimated brain subspace, (d, rank) orthonormal, by reduced-rank regression."""
    gram, cross = X.T @ X, X.T @ R
    weights = np.linalg.solve(gram, cross)
    top = np.linalg.eigh(cross.T @ weights)[1][:, -rank:]
    return np.asarray(np.linalg.qr(weights @ top)[0])


def _spare(ridge: Array, inside: Array, values: Array, shrunk: Array, ridges: Array) -> Array:
    """Ridge with the subspace `inside` spared: (G + s (I - P))^-1 by Woodbury, all s at once."""
    shrunk_inside = shrunk[:, :, None] * inside
    inner = (values[:, None] * inside).T @ shrunk_inside
    weights = np.linalg.solve(inner, (ridge @ inside)[:, :, None])
    return np.asarray(ridge + ridges[:, None] * (shrunk_inside @ weights)[:, :, 0])
