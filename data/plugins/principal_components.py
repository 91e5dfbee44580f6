"""Principal-component regression: least squares where the inputs vary most."""

import numpy as np

import mcbrain as mb


@mb.estimator(parameters={"rank": 5})
def principal_components(data, parameters, beta):
    """Least squares on the leading right singular vectors of X."""
    rank = min(int(parameters.rank), data.n, beta.size)
    U, s, Vt = np.linalg.svd(data.X, full_matrices=False)
    beta[:] = 0.0
    for j in range(rank):
        if s[j] > 1e-12 * s[0]:
            beta += (U[:, j] @ data.y / s[j]) * Vt[j]


def principal_components_twin(data, parameters):
    """The same by the eigenvectors of X'X, for `mcbrain plugin check`."""
    _, vectors = np.linalg.eigh(data.X.T @ data.X)
    V = vectors[:, ::-1][:, : min(int(parameters.rank), data.n)]
    return V @ np.linalg.lstsq(data.X @ V, data.y, rcond=None)[0]
