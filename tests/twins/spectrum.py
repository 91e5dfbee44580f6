"""Twins of ``kernels.task.spectrum``: eigenvalues of the dense matrix, summed as written."""

import numpy as np

from tests.twins.streams import fill_chi_square


def recur(diagonal, below, ridges):
    """Return sum f, sum f^2, q sum f^2 - (sum f)^2 and sum t/(t+z)^2 for each z, q = m."""
    return statistics(spectrum(diagonal, below), len(diagonal), ridges)


def spectrum(diagonal, below):
    """Return the eigenvalues of BB', B lower bidiagonal with these squared entries."""
    B = np.diag(np.sqrt(diagonal)) + np.diag(np.sqrt(below[: len(diagonal) - 1]), -1)
    return np.linalg.svd(B, compute_uv=False) ** 2


def statistics(t, q, ridges):
    """Sum over q eigenvalues, those beyond `t` being zero and having f = 1 at every ridge."""
    rows = []
    for z in ridges:
        h = np.append(t / (t + z), np.zeros(q - len(t)))
        f = np.append(z / (t + z), np.ones(q - len(t)))
        smaller = f if f.sum() < h.sum() else h
        spread = q * np.sum((smaller - smaller.mean()) ** 2)
        rows.append([f.sum(), np.sum(f**2), spread, np.sum(t / (t + z) ** 2)])
    return np.array(rows).T


def task_block(rng, n_prime, q, ridges, n_replicates):
    """Draw the bidiagonal matrices of a block; return (statistics, eigenvalues) of each."""
    m, large = min(n_prime, q), max(n_prime, q)
    out, spectra = [], []
    for _ in range(n_replicates):
        diagonal = fill_chi_square(rng, large - np.arange(m))
        below = fill_chi_square(rng, np.arange(m - 1, 0, -1))
        spectra.append(spectrum(diagonal, below))
        out.append(statistics(spectra[-1], q, ridges))
    return np.array(out), np.array(spectra)
