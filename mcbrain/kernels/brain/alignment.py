"""How an estimated subspace lies to the task and to the true one (theory/README.md 2)."""

from mcbrain.kernels.jit import part
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.typing import Floats


@part
def share_missed(beta: Floats, basis: Floats, residual: Floats) -> float:
    """Return m_hat = |(I - P) beta|^2 / |beta|^2 for orthonormal rows `basis` (r, d).

    `residual` (d,) is scratch. Nothing is subtracted from 1, so a small m_hat is accurate.

    Parameters
    ----------
    beta : ndarray, shape (d,)
        Task weights.
    basis : ndarray, shape (r, d)
        Orthonormal rows.
    residual : ndarray, shape (d,)
        Scratch.

    Returns
    -------
    float
        m_hat, from 0 to 1.
    """
    d = beta.size
    total = 0.0
    for i in range(d):
        residual[i] = beta[i]
        total += beta[i] ** 2
    for a in range(basis.shape[0]):
        weight = 0.0
        for i in range(d):
            weight += basis[a, i] * beta[i]
        for i in range(d):
            residual[i] -= weight * basis[a, i]
    missed = 0.0
    for i in range(d):
        missed += residual[i] ** 2
    return missed / total


@part
def overlap_matrix(brain_map: Floats, basis: Floats, cosines: Floats, overlap: Floats) -> None:
    """Write C^ = A'PA to `overlap` (k, k); `cosines` (k, r) is scratch.

    Parameters
    ----------
    brain_map : ndarray, shape (k, d)
        A', orthonormal rows.
    basis : ndarray, shape (r, d)
        Orthonormal rows of the estimated subspace.
    cosines : ndarray, shape (k, r)
        Scratch.
    overlap : ndarray, shape (k, k)
        Filled with C^.
    """
    k, d = brain_map.shape
    r = basis.shape[0]
    dgemm("T", "N", r, k, d, 1.0, basis, d, brain_map, d, 0.0, cosines, r)
    dgemm("T", "N", k, k, r, 1.0, cosines, r, cosines, r, 0.0, overlap, k)
