"""Twins of ``mcbrain.kernels.task.solve``: each estimator refitted by itself at each penalty."""

import numpy as np


def _complement(basis):
    """Return an orthonormal basis of the orthogonal complement."""
    d, r = basis.shape
    return np.linalg.svd(np.eye(d) - basis @ basis.T)[0][:, : d - r]


def pinv(matrix, size):
    """Return the pseudo-inverse; singular values below 1e-12 `size` are rounding."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    kept = values > 1e-12 * size
    return (right[kept].T / values[kept]) @ left[:, kept].T


def _smoothest(X, y, basis):
    """Minimise |(I - P) b|^2 and then |P b|^2 among all b of least squares, n > r."""
    outside, size = _complement(basis), np.linalg.norm(X)
    Z, W = X @ basis, X @ outside
    left, values, _ = np.linalg.svd(Z)
    # What Z leaves has n - rank(Z) dimensions: solve there, not in the n of y.
    kept = left[:, np.sum(values > 1e-12 * size) :]
    delta = pinv(kept.T @ W, size) @ (kept.T @ y)
    return basis @ (pinv(Z, size) @ (y - W @ delta)) + outside @ delta


def beta_hat(X, y, basis, eta, penalty):
    """Return argmin |y - X b|^2 + penalty b'((I - P) + eta P) b, and whether it is unique.

    `basis` (d, r), or None for ridge; the penalty may be 0 (then the limit from above), infinite
    or negative (then not unique unless positive definite). Where nothing else decides, of least
    norm.
    """
    n, d = X.shape
    size = np.linalg.norm(X)
    if not X.any():
        return np.zeros(d), True
    if basis is None:
        basis, eta = np.zeros((d, 0)), 0.0
    r = basis.shape[1]
    P = basis @ basis.T
    omega = np.eye(d) - P + eta * P
    if penalty < 0:
        matrix = X.T @ X + penalty * omega
        unique = n >= d and np.linalg.eigvalsh(matrix)[0] > 0
        return np.linalg.solve(matrix, X.T @ y), unique
    if penalty < 1e-24 * size**2:
        penalty = 0.0  # nothing but its being there can be seen of it
    inside = eta == 0 and (penalty == np.inf or n <= r)
    if inside:
        return basis @ (pinv(X @ basis, size) @ y), True
    if penalty == np.inf:
        return np.zeros(d), True
    if penalty == 0 and np.sum(np.linalg.svd(X)[1] > 1e-12 * size) == d:
        return np.linalg.lstsq(X, y)[0], True
    if penalty == 0 and eta == 0 and r > 0:
        return _smoothest(X, y, basis), True
    if penalty == 0:
        white = np.eye(d) - P + P / np.sqrt(eta) if r > 0 else np.eye(d)
        return white @ (pinv(X @ white, np.linalg.norm(X @ white)) @ y), True
    root = np.eye(d) - P + np.sqrt(eta) * P
    rows = np.vstack([X, np.sqrt(penalty) * root])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(d)]), rcond=1e-14)[0], True
