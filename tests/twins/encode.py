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
