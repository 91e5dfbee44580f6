"""Twins of ``mcbrain.kernels.brain.encode``: singular vectors of the fitted recordings."""

import numpy as np

from .solve import pinv


def estimated_subspace(X, R, rank, penalty):
    """Return an orthonormal basis (d, rank), or None if the fit has too small a rank."""
    if penalty > 0:
        left, values, right = np.linalg.svd(X, full_matrices=False)
        values[values < 1e-12 * values[0]] = 0.0
        B = (right.T * (values / (values**2 + penalty))) @ left.T @ R
    else:
        B = pinv(X, np.linalg.norm(X)) @ R
    _, sizes, rows = np.linalg.svd(X @ B, full_matrices=False)
    if np.sum(sizes > 1e-10 * sizes[0]) < rank:
        return None
    return np.linalg.qr(B @ rows[:rank].T)[0]


def encoder_scores(X, R, rule, penalties):
    """Return the score of each penalty (summed over samples): of leave-one-out, by every refit."""
    n, d = X.shape
    scores = []
    for penalty in penalties:
        if rule == "loo":
            errors = [
                R[i] - X[i] @ ridge_map(np.delete(X, i, 0), np.delete(R, i, 0), penalty)
                for i in range(n)
            ]
            scores.append(np.sum(np.square(errors)))
            continue
        hat = X @ np.linalg.solve(X.T @ X + penalty * np.eye(d), X.T)
        scores.append(n * np.sum((R - hat @ R) ** 2) / (n - np.trace(hat)) ** 2)
    return np.array(scores)


def ridge_map(X, R, penalty):
    """Return the ridge estimate (d, p) of the map from inputs to recordings."""
    return np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ R)
