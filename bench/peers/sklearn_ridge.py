"""scikit-learn: `Ridge` refitted at each penalty, `LinearRegression` for what is spared.

Sparing a subspace is partialling it out (Frisch, Waugh & Lovell): what it explains is removed from
inputs and labels, `Ridge` fits what is left, and the spared weights fit the remaining residual.
"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LinearRegression, Ridge

from bench.peers.problem import Array, Design, Population, draw_brain, draw_task, exact_risk

__all__ = ["replicate"]


def replicate(rng: np.random.Generator, population: Population, design: Design) -> Array:
    """Excess risk (estimators, penalties, shifts) on one fresh data set."""
    bases = {"befs-oracle": population.brain_map}
    if "befs" in design.estimators:
        bases["befs"] = encode(*draw_brain(rng, population, design), design.rank)
    X, y = draw_task(rng, population, design)
    ridges = design.n_task * design.penalties
    fits = [
        spared_path(X, y, ridges, bases[name]) if name in bases else ridge_path(X, y, ridges)
        for name in design.estimators
    ]
    return exact_risk(np.stack(fits) - population.beta, population, design)


def encode(X: Array, R: Array, rank: int) -> Array:
    """Estimated brain subspace, (d, rank) orthonormal: reduced-rank regression."""
    weights = LinearRegression(fit_intercept=False).fit(X, R).coef_.T
    top = TruncatedSVD(rank, algorithm="arpack").fit(X @ weights).components_.T
    return np.asarray(np.linalg.qr(weights @ top)[0])


def ridge_path(X: Array, y: Array, ridges: Array) -> Array:
    """Weights at each penalty, (penalties, d)."""
    return np.array([Ridge(alpha=z, fit_intercept=False).fit(X, y).coef_ for z in ridges])


def spared_path(X: Array, y: Array, ridges: Array, basis: Array) -> Array:
    """The same with the columns of `basis` not penalised."""
    outside = np.linalg.qr(basis, mode="complete")[0][:, basis.shape[1] :]
    inside = X @ basis
    targets = np.column_stack([X @ outside, y])
    explained = LinearRegression(fit_intercept=False).fit(inside, targets).coef_
    left = targets - inside @ explained.T
    weights = ridge_path(left[:, :-1], left[:, -1], ridges)
    spared = explained[-1] - weights @ explained[:-1]
    return np.asarray(weights @ outside.T + spared @ basis.T)
