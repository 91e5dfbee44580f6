"""Twins of ``kernels.replicate.sufficient``: small data sets with the same sufficient statistics.

L' stands for n >= d inputs, L'beta + noise for their labels, and L'AH' + noise for their
recordings; the estimators are then computed from these as from any data.
"""

import numpy as np

from tests.twins.reduced import bartlett
from tests.twins.streams import fill_chi_square


def inputs(rng, scale, n):
    """Return (min(n, d), d) inputs."""
    if n < len(scale):
        return rng.standard_normal((n, len(scale))) * scale
    return bartlett(rng, len(scale), n).T * scale


def recordings(rng, latents, channels, noise):
    """Return recordings (rows, signal + c), with the law of RR' that p channels have."""
    rows, (p, k) = len(latents), channels.shape
    signal = min(p, k)
    c = min(rows, p - signal)
    W = rng.standard_normal((rows, signal))
    chi = np.sqrt(fill_chi_square(rng, p - signal - np.arange(c)))
    rest = np.zeros((rows, c))
    rest[np.arange(c), np.arange(c)] = chi
    for i in range(rows):
        rest[i, : min(i, c)] = rng.standard_normal(min(i, c))
    # H = QT: rotated by Q', the first channels are T z, the others noise.
    T = np.linalg.qr(channels)[1]
    return np.hstack([latents @ T.T + noise * W, noise * rest])


def encode(X, R, rank, penalty):
    """Return an orthonormal basis (d, r) by reduced-rank regression; `penalty` is a sum."""
    if penalty > 0.0:
        B = np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ R)
    else:
        B = np.linalg.lstsq(X, R, rcond=None)[0]
    V = np.linalg.svd(X @ B, full_matrices=False)[2][:rank].T
    return np.linalg.qr(B @ V)[0]


def regress(X, y, basis, eta, penalty):
    """Return beta_hat for the penalty (a sum) I - P + eta P; infinite: regression inside P."""
    d = X.shape[1]
    if np.isinf(penalty):
        return basis @ np.linalg.lstsq(X @ basis, y, rcond=None)[0]
    if penalty == 0.0:
        return np.linalg.lstsq(X, y, rcond=None)[0]
    P = basis @ basis.T
    return np.linalg.solve(X.T @ X + penalty * (np.eye(d) - P + eta * P), X.T @ y)


def excess_risk(delta, scale, shift_scale, weights, probes):
    """Return shift_scale |Sigma^(1/2) delta|^2 + sum weights (probe'delta)^2."""
    return shift_scale * np.sum((scale * delta) ** 2) + weights @ (probes @ delta) ** 2


def sufficient_block(rngs, population, sizes, rows, shifts, n_replicates, draw=None):
    """Return excess (replicates, rows, shifts), m_hat and C^ of each replicate.

    `rngs` are the generators of the roles task inputs, label noise, brain inputs, recordings;
    `rows` are (subspace, eta, penalty), `shifts` (scale, weights, probes), and the target beta.
    `draw` replaces the draws: None for sufficient statistics, `raw_data` for whole data sets.
    """
    d, A = len(population["beta"]), population["brain_map"].T
    none = np.zeros((d, 0))
    excess, missed, overlaps = [], [], []
    for _ in range(n_replicates):
        X_B, R, X, y = (draw or reduced_data)(rngs, population, sizes)
        P = encode(X_B, R, sizes["rank"], sizes["encoding_penalty"])
        bases = (none, P, A[:, : sizes["measured"]])
        beta = population["beta"]
        fits = [regress(X, y, bases[code], eta, penalty) for code, eta, penalty in rows]
        excess.append(
            [[excess_risk(b - beta, population["scale"], *s) for s in shifts] for b in fits]
        )
        missed.append(np.sum((beta - P @ (P.T @ beta)) ** 2) / np.sum(beta**2))
        overlaps.append(A.T @ P @ P.T @ A)
    return np.array(excess), np.array(missed), np.array(overlaps)


def reduced_data(rngs, population, sizes):
    """Draw brain inputs, recordings, task inputs and labels, reduced."""
    scale, A = population["scale"], population["brain_map"].T
    X_B = inputs(rngs[2], scale, sizes["n_brain"])
    R = recordings(rngs[3], X_B @ A, population["channels"], population["neural_noise"])
    X = inputs(rngs[0], scale, sizes["n_task"])
    noise = population["task_noise"] * rngs[1].standard_normal(len(X))
    return X_B, R, X, X @ population["beta"] + noise


def raw_data(rngs, population, sizes):
    """Draw the same as whole data sets."""
    d, p = len(population["scale"]), len(population["channels"])
    X_B = rngs[2].standard_normal((sizes["n_brain"], d)) * population["scale"]
    signal = X_B @ population["brain_map"].T @ population["channels"].T
    R = signal + population["neural_noise"] * rngs[3].standard_normal((sizes["n_brain"], p))
    X = rngs[0].standard_normal((sizes["n_task"], d)) * population["scale"]
    noise = population["task_noise"] * rngs[1].standard_normal(len(X))
    return X_B, R, X, X @ population["beta"] + noise
