"""Twins of ``mcbrain.kernels.encode``: singular vectors of the fitted recordings."""

import numpy as np


def estimated_subspace(X, R, rank, penalty):
    """Return an orthonormal basis (d, rank), or None if the fit has too small a rank."""
    d = X.shape[1]
    if penalty > 0:
        B = np.linalg.solve(X.T @ X + penalty * np.eye(d), X.T @ R)
    else:
        B = np.linalg.pinv(X) @ R
    _, sizes, rows = np.linalg.svd(X @ B, full_matrices=False)
    if np.sum(sizes > 1e-10 * sizes[0]) < rank:
        return None
    return np.linalg.qr(B @ rows[:rank].T)[0]


def share_missed(beta, basis):
    """Return |(I - P) beta|^2 / |beta|^2."""
    return np.sum((beta - basis @ (basis.T @ beta)) ** 2) / np.sum(beta**2)


def overlap_matrix(brain_map, basis):
    """Return A'PA for A' = `brain_map`."""
    return brain_map @ basis @ basis.T @ brain_map.T
