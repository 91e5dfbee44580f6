"""The lasso (Tibshirani 1996) by coordinate descent, beside ridge and BEFS on the same data."""

import numpy as np

import mcbrain as mb

SWEEPS = 100_000
TOLERANCE = 1e-10  # of the largest change of a coefficient in a sweep, over the largest coefficient


@mb.estimator(parameters={"alpha": 0.1})
def lasso(data, parameters, beta):
    """Minimise |y - X b|^2 / (2 n) + alpha |b|_1, one coefficient after the other."""
    X, n, d = data.X, data.n, beta.size
    gram = X.T @ X / n
    moment = X.T @ data.y / n
    beta[:] = 0.0
    gradient = moment.copy()  # X'(y - X b) / n
    for _ in range(SWEEPS):
        change, largest = 0.0, 0.0
        for j in range(d):
            before = beta[j]
            pull = gradient[j] + gram[j, j] * before
            after = np.sign(pull) * max(abs(pull) - parameters.alpha, 0.0) / gram[j, j]
            if after != before:
                beta[j] = after
                for i in range(d):
                    gradient[i] -= gram[i, j] * (after - before)
            change = max(change, abs(after - before))
            largest = max(largest, abs(after))
        if change <= TOLERANCE * largest:
            return
    raise ValueError("the lasso did not converge; take a larger alpha")


def lasso_twin(data, parameters):
    """The same by proximal gradient steps, for `mcbrain plugin check`."""
    n = data.n
    step = n / np.linalg.norm(data.X, 2) ** 2
    b = np.zeros(data.X.shape[1])
    for _ in range(200_000):
        pull = b + step * data.X.T @ (data.y - data.X @ b) / n
        after = np.sign(pull) * np.maximum(np.abs(pull) - step * parameters.alpha, 0.0)
        if np.abs(after - b).max() <= 1e-13 * max(np.abs(after).max(), 1e-300):
            break
        b = after
    return b
