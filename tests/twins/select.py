"""Twins of ``kernels.rules.select``: each row left out and refitted, hat matrices in full."""

import numpy as np

from .solve import beta_hat, pinv


def candidates(X, basis, eta, multiples):
    """Return 0, the multiples of the mean penalised eigenvalue, and infinity."""
    n, d = X.shape
    basis = np.zeros((d, 0)) if basis is None else basis
    P, r = basis @ basis.T, basis.shape[1]
    if eta > 0:
        block, count = X @ (np.eye(d) - P + P / np.sqrt(eta)), d
    else:
        Z = X @ basis
        block = (np.eye(n) - Z @ pinv(Z, np.linalg.norm(X))) @ X @ (np.eye(d) - P)
        count = d - r
    mean = np.sum(block**2) / count if count else 1.0
    mean = mean if mean > 1e-24 * np.sum(X**2) else 1.0
    return np.concatenate([[0.0], mean * np.asarray(multiples), [np.inf]])


def loo_score(X, y, basis, eta, penalty):
    """Return the sum of squared errors of rows left out, the sum penalty held fixed."""
    n = len(y)
    errors = []
    for i in range(n):
        kept = np.arange(n) != i
        coef, _ = beta_hat(X[kept], y[kept], basis, eta, penalty)
        errors.append(y[i] - X[i] @ coef)
    return np.sum(np.square(errors))


def gcv_score(X, y, basis, eta, penalty):
    """Return n |y - H y|^2 / (n - tr H)^2, at penalty 0 and full rank n its limit."""
    n = len(y)
    if penalty == 0 and np.linalg.matrix_rank(X) == n:
        penalty = 1e-7 * np.sum(X**2) / n  # far below every eigenvalue that matters
    fits = np.stack([X @ beta_hat(X, e, basis, eta, penalty)[0] for e in np.eye(n)], axis=1)
    rest = np.eye(n) - fits
    return n * np.sum((rest @ y) ** 2) / np.trace(rest) ** 2


def choose(X, y, basis, eta, multiples, generalised):
    """Return the best candidate, and the scores of all."""
    penalties = candidates(X, basis, eta, multiples)
    score = gcv_score if generalised else loo_score
    scores = np.array([score(X, y, basis, eta, penalty) for penalty in penalties])
    return penalties, scores
