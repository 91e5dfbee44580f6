"""What is done to arrays before a solver sees them."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from mcbrain.befs.solvers import Array
from mcbrain.errors import InputError

__all__ = ["centre", "orthonormal_basis"]


def centre(
    X: Array, Y: Array, weight: Array | None, intercept: bool
) -> tuple[Array, Array, Array, Array, Array | None]:
    """Rows without their weighted mean, times the square roots of the weights; weight 0 dropped.

    Returns
    -------
    X : (n, d)
    Y : (n, t)
    x_mean : (d,)
    y_mean : (t,)
    constant : (n,) or None
        Unit direction of the intercept among the scaled rows.
    """
    if weight is not None:
        if not np.any(weight > 0):
            raise InputError("every sample weight is 0: at least one row must count")
        X, Y, weight = X[weight > 0], Y[weight > 0], weight[weight > 0]
    x_mean, y_mean = np.zeros(X.shape[1]), np.zeros(Y.shape[1])
    if intercept:
        x_mean = np.average(X, axis=0, weights=weight)
        y_mean = np.average(Y, axis=0, weights=weight)
        X, Y = X - x_mean, Y - y_mean
    root = np.ones(X.shape[0]) if weight is None else np.sqrt(weight)
    if weight is not None:
        X, Y = X * root[:, None], Y * root[:, None]
    return X, Y, x_mean, y_mean, root / linalg.norm(root) if intercept else None


def orthonormal_basis(subspace: Array) -> Array:
    """Orthonormal basis (d, r) of the columns of `subspace`, itself if it already is one.

    Raises
    ------
    InputError
        If a column is a combination of the others.
    """
    r = subspace.shape[1]
    if np.allclose(subspace.T @ subspace, np.eye(r), atol=1e-12):
        return subspace
    left, values, _ = linalg.svd(subspace, full_matrices=False)
    if values.size < r or values[-1] <= 1e-10 * values[0]:
        raise InputError(
            f"the {r} columns of the subspace are linearly dependent: give a basis of it"
        )
    return np.asarray(left)
