"""Twins of ``mcbrain.kernels.solve``: each estimator refitted by itself at each penalty."""

import numpy as np


def _complement(basis):
    """Return an orthonormal basis of the orthogonal complement."""
    d, r = basis.shape
    return np.linalg.svd(np.eye(d) - basis @ basis.T)[0][:, : d - r]


def _smoothest_interpolator(X, y, basis):
    """Minimise |(I - P) b|^2 among all b with X b = y, n > r."""
    outside = _complement(basis)
    Z, W = X @ basis, X @ outside
    rest = np.eye(len(y)) - Z @ np.linalg.pinv(Z)
    # `rest` projects on n - r dimensions: solve there, not in the n of y.
    kept = np.linalg.svd(rest)[0][:, : len(y) - basis.shape[1]]
    delta = np.linalg.pinv(kept.T @ W) @ (kept.T @ y)
    return basis @ (np.linalg.pinv(Z) @ (y - W @ delta)) + outside @ delta


def beta_hat(X, y, basis, eta, penalty):
    """Return argmin |y - X b|^2 + penalty b'((I - P) + eta P) b, and whether it is unique.

    `basis` (d, r), or None for ridge; the penalty may be 0 (then the limit from above), infinite
    or negative (then not unique unless positive definite).
    """
    n, d = X.shape
    if basis is None:
        basis, eta = np.zeros((d, 0)), 0.0
    r = basis.shape[1]
    P = basis @ basis.T
    omega = np.eye(d) - P + eta * P
    if penalty < 0:
        matrix = X.T @ X + penalty * omega
        unique = n >= d and np.linalg.eigvalsh(matrix)[0] > 0
        return np.linalg.solve(matrix, X.T @ y), unique
    inside = eta == 0 and (penalty == np.inf or n <= r)
    if inside:
        return basis @ (np.linalg.pinv(X @ basis) @ y), True
    if penalty == np.inf:
        return np.zeros(d), True
    if penalty == 0 and n >= d:
        return np.linalg.lstsq(X, y)[0], True
    if penalty == 0 and eta == 0:
        return _smoothest_interpolator(X, y, basis), True
    if penalty == 0:
        white = np.eye(d) - P + P / np.sqrt(eta)
        return white @ (np.linalg.pinv(X @ white) @ y), True
    root = np.eye(d) - P + np.sqrt(eta) * P
    rows = np.vstack([X, np.sqrt(penalty) * root])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(d)]), rcond=0)[0], True
