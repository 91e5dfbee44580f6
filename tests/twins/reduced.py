"""Twins of ``kernels.brain.reduced``: the same matrices written out, dense algebra on them."""

import numpy as np

from tests.twins.streams import fill_chi_square


def bartlett(rng, rows, dof, columns=None):
    """Draw the lower trapezoidal factor of a rows x dof Gaussian matrix."""
    c = min(rows, dof) if columns is None else columns
    L = np.zeros((rows, c))
    L[np.arange(c), np.arange(c)] = np.sqrt(fill_chi_square(rng, dof - np.arange(c)))
    for i in range(rows):
        L[i, : min(i, c)] = rng.standard_normal(min(i, c))
    return L


def upper_trapezoid(rng, rows, dof, columns):
    """Draw the upper trapezoidal factor R of the QR decomposition of a dof x columns matrix."""
    R = np.zeros((rows, columns))
    R[np.arange(rows), np.arange(rows)] = np.sqrt(fill_chi_square(rng, dof - np.arange(rows)))
    for i in range(rows):
        R[i, i + 1 :] = rng.standard_normal(columns - i - 1)
    return R


def band_matrix(rng, n_rows, p, noise, spike, blocks):
    """Write out the first row blocks of the N x p matrix."""
    k1, k = spike.shape
    Y = np.zeros((n_rows, p))
    top, height, column, width, before = 0, k1, 0, k, 0
    for block in range(blocks):
        rows, columns = slice(top, top + height), slice(column, column + width)
        if block > 0:
            below = upper_trapezoid(rng, height, n_rows - top, before)
            Y[rows, column - before : column] = noise * below
        Y[rows, columns] = noise * rng.standard_normal((height, width))
        left = p - column - width
        after = min(height, left)
        above = bartlett(rng, height, left, after)
        Y[rows, column + width : column + width + after] = noise * above
        top += height
        column += width
        height, before, width = min(width, n_rows - top), width, after
    Y[:k1, :k] += spike
    return Y[:top]


def canonical_basis(U, r):
    """Rotate a basis so that its first r rows are lower triangular with positive diagonal."""
    rotation, triangle = np.linalg.qr(U[:r].T)
    return U @ (rotation * np.where(np.diag(triangle) < 0, -1.0, 1.0))


def triangle_of(U2, n_rows):
    """Return T, U2'U2 = T'T, for a U2 of `n_rows` rows, all but the first ones zero.

    Triangular with positive diagonal, or U2 itself where that has no more rows than columns.
    """
    U2 = np.pad(U2, ((0, n_rows - len(U2)), (0, 0)))
    if n_rows <= U2.shape[1]:
        return U2
    T = np.linalg.qr(U2)[1]
    return T * np.where(np.diag(T) < 0, -1.0, 1.0)[:, None]


def brain_block(rng, n_brain, input_dim, n_channels, rank, noise, gains, blocks):
    """Return C^ of each replicate, (n_replicates, k, k); `blocks` says how many each draws."""
    k, n_rows = len(gains), min(n_brain, input_dim)
    k1 = min(k, n_rows)
    r2 = min(rank, n_rows - k1)
    out = []
    for count in blocks:
        triangle = bartlett(rng, k, n_brain, k1)
        if n_brain >= input_dim:
            small = bartlett(rng, r2, n_brain - input_dim + r2)
            mix = rng.standard_normal((k, r2))
        else:
            small = bartlett(rng, k1 + r2, input_dim - k - n_brain + k1 + r2)
        Y = band_matrix(rng, n_rows, n_channels, noise, triangle.T * gains, count)
        U = canonical_basis(np.linalg.svd(Y)[0][:, :rank], rank)
        U1, T = U[:k1], triangle_of(U[k1:], n_rows - k1)
        if n_brain >= input_dim:
            S = np.linalg.solve(small, T)
            Z1 = np.linalg.solve(triangle.T, U1 - mix @ S)
            gram = Z1.T @ Z1 + S.T @ S
        else:
            latents = np.vstack([triangle.T, np.zeros((r2, k))])
            K = small @ small.T + latents @ latents.T
            Uf = np.vstack([U1, T])
            Z1 = latents.T @ np.linalg.solve(K, Uf)
            gram = Uf.T @ np.linalg.solve(K, Uf)
        out.append(Z1 @ np.linalg.solve(gram, Z1.T))
    return np.array(out)


def raw_overlap(rng, n_brain, input_dim, n_channels, rank, noise, gains, n_replicates):
    """Draw the data themselves, regress with reduced rank, return C^ of each replicate."""
    k = len(gains)
    out = np.empty((n_replicates, k, k))
    for replicate in range(n_replicates):
        X = rng.standard_normal((n_brain, input_dim))
        R = noise * rng.standard_normal((n_brain, n_channels))
        R[:, :k] += X[:, :k] * gains
        B = np.linalg.lstsq(X, R, rcond=None)[0]
        V = np.linalg.svd(X @ B, full_matrices=False)[2][:rank].T
        basis = np.linalg.qr(B @ V)[0][:k]
        out[replicate] = basis @ basis.T
    return out
