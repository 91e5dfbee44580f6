"""A control: BEFS whose subspace is random, of the rank that the recordings would give."""

import numpy as np

import mcbrain as mb


@mb.estimator(parameters={"alpha": 1.0})
def random_subspace(data, parameters, beta):
    """Penalise all but the first coordinates, as many as the estimated subspace has dimensions.

    In a model with `basis = "haar"` brain and task lie at random among the coordinates, so that
    these are a random subspace for them.
    """
    d = beta.size
    G = data.X.T @ data.X
    for j in range(data.basis.shape[0], d):
        G[j, j] += data.n * parameters.alpha
    beta[:] = np.linalg.solve(G, data.X.T @ data.y)


def random_subspace_twin(data, parameters):
    """The same by the projection, for `mcbrain plugin check`."""
    d, r = data.X.shape[1], data.basis.shape[0]
    P = np.eye(d)[:, :r] @ np.eye(d)[:r]
    G = data.X.T @ data.X / data.n + parameters.alpha * (np.eye(d) - P)
    return np.linalg.solve(G, data.X.T @ data.y / data.n)
