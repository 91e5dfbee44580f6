"""A control: BEFS whose recordings are not those of their inputs."""

import numpy as np

import mcbrain as mb


@mb.estimator(parameters={"alpha": 1.0})
def shuffled_brain(data, parameters, beta):
    """Regress the recordings, moved by half their number, on the inputs; then BEFS.

    Samples are independent, so to move them is to shuffle them: nothing of an input is left in its
    recording, and all that a recording is by itself stays. Needs `n_brain` of at least d.
    """
    d, r = beta.size, data.basis.shape[0]
    half = data.R.shape[0] // 2
    R = np.concatenate((data.R[half:], data.R[:half]))
    encoder = np.linalg.solve(data.X_brain.T @ data.X_brain, data.X_brain.T @ R)
    U, _, _ = np.linalg.svd(encoder, full_matrices=False)
    V = np.ascontiguousarray(U[:, :r])
    G = data.X.T @ data.X + data.n * parameters.alpha * (np.eye(d) - V @ V.T)
    beta[:] = np.linalg.solve(G, data.X.T @ data.y)


def shuffled_brain_twin(data, parameters):
    """The same by other routines, for `mcbrain plugin check`."""
    d, r = data.X.shape[1], data.basis.shape[0]
    R = np.roll(data.R, -(data.R.shape[0] // 2), axis=0)
    fitted = np.linalg.lstsq(data.X_brain, R, rcond=None)[0]
    V = np.linalg.eigh(fitted @ fitted.T)[1][:, d - r :]
    G = data.X.T @ data.X / data.n + parameters.alpha * (np.eye(d) - V @ V.T)
    return np.linalg.solve(G, data.X.T @ data.y / data.n)
