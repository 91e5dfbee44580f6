"""Both stages by their definitions, on stacks of replicates (theory/README.md 2).

X is (count, n, d), y (count, n), A (count, d, r) with orthonormal columns or None for no subspace.
What has no solution is NaN.
"""

from __future__ import annotations

import numpy as np

TIE = 1e-9  # scores nearer than this are equal but for rounding
EMPTY = 1e-10  # eigenvalues below this share of the largest are zeros
NEXT_TO_NOTHING = 1e-7  # times the mean eigenvalue, where the limit has no form of its own
GRID = np.geomspace(1e-4, 1e4, 49)


def transposed(stack: np.ndarray) -> np.ndarray:
    return np.swapaxes(stack, -1, -2)


def times(stack: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (stack @ vectors[..., None])[..., 0]


def solve(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.linalg.solve(matrices, vectors[..., None])[..., 0]


def singular(grams: np.ndarray) -> np.ndarray:
    """Which of a stack of semi-definite matrices are singular but for rounding."""
    values = np.linalg.eigvalsh(grams)
    return values[:, 0] <= EMPTY * values[:, -1]


def encode(X: np.ndarray, R: np.ndarray, rank: int, penalty: float, exact: bool) -> np.ndarray:
    """Stage 1: an orthonormal basis (count, d, rank) by reduced-rank regression.

    `exact` asks for the pseudo-inverse by singular values, for inputs that may be dependent.
    """
    n, d = X.shape[1:]
    if penalty > 0:
        gram = transposed(X) @ X + n * penalty * np.eye(d)
        maps = np.linalg.solve(gram, transposed(X) @ R)
    elif exact:
        maps = np.linalg.pinv(X, rcond=EMPTY) @ R
    elif n >= d:
        maps = np.linalg.solve(transposed(X) @ X, transposed(X) @ R)
    else:
        maps = transposed(X) @ np.linalg.solve(X @ transposed(X), R)
    fitted = X @ maps
    if n <= d + 3:  # where squaring would hide what is small
        values, vectors = np.linalg.svd(fitted, full_matrices=False)[1:]
        leading, weak = transposed(vectors[:, :rank]), values[:, rank - 1] <= 1e-13 * values[:, 0]
    else:
        values, vectors = np.linalg.eigh(transposed(fitted) @ fitted)
        leading, weak = vectors[..., -rank:], values[:, -rank] <= 1e-13 * values[:, -1]
    basis = np.linalg.qr(maps @ leading)[0]
    basis[weak] = np.nan
    return basis


def _inside(X: np.ndarray, y: np.ndarray, A: np.ndarray) -> np.ndarray:
    """Least squares inside the subspace, of minimum norm where n < r or columns depend."""
    Z = X @ A
    n, r = Z.shape[1:]
    gram = Z @ transposed(Z) if n < r else transposed(Z) @ Z
    lost = singular(gram)
    gram[lost] = np.eye(min(n, r))
    Zt = transposed(Z)
    along = times(Zt, solve(gram, y)) if n < r else solve(gram, times(Zt, y))
    seen = lost & np.isfinite(Z).all(axis=(1, 2))
    along[lost] = np.nan
    along[seen] = times(np.linalg.pinv(Z[seen], rcond=EMPTY**0.5), y[seen])
    return times(A, along)


def _limit(X: np.ndarray, y: np.ndarray, A: np.ndarray | None, eta: float) -> np.ndarray:
    """The limit of penalty 0 from above."""
    n, d = X.shape[1:]
    if A is None or eta == 1.0:
        return times(np.linalg.pinv(X, rcond=EMPTY), y)
    if n >= d:
        gram = transposed(X) @ X
        lost = singular(gram)
        gram[lost] = np.eye(d)
        found = solve(gram, times(transposed(X), y))
        if lost.any():
            found[lost] = _least(X[lost], y[lost], A[lost], eta)
        return found
    return _least(X, y, A, eta)


def _least(X: np.ndarray, y: np.ndarray, A: np.ndarray, eta: float) -> np.ndarray:
    """Of all best fits the one that is penalised least, for eta = 0 with the shortest part in P."""
    d = X.shape[2]
    P = A @ transposed(A)
    if eta > 0:
        root = np.eye(d) + (eta**-0.5 - 1) * P
        return times(root, times(np.linalg.pinv(X @ root, rcond=EMPTY), y))
    Q = np.linalg.qr(X @ A)[0]
    left = X @ (np.eye(d) - P)
    left = left - Q @ (transposed(Q) @ left)
    size = np.linalg.norm(X, axis=(1, 2)) / np.maximum(np.linalg.norm(left, 2, axis=(1, 2)), 1e-300)
    inverse = np.linalg.pinv(left, rcond=EMPTY * size)  # relative to X: all may be partialled out
    outside = times(inverse, y - times(Q, times(transposed(Q), y)))
    outside = outside - times(P, outside)
    return outside + _inside(X, y - times(X, outside), A)


def fit(
    X: np.ndarray, y: np.ndarray, A: np.ndarray | None, eta: float, penalty: float | np.ndarray
) -> np.ndarray:
    """Stage 2: coefficients (count, d) at a per-sample penalty, or one for each replicate."""
    if isinstance(penalty, np.ndarray):
        out = np.full((len(X), X.shape[2]), np.nan)
        middle = (penalty > 0) & np.isfinite(penalty)
        for special in (0.0, np.inf):
            at = penalty == special
            if at.any():
                out[at] = fit(X[at], y[at], None if A is None else A[at], eta, special)
        if middle.any():
            some = None if A is None else A[middle]
            out[middle] = _penalised(X[middle], y[middle], some, eta, penalty[middle])
        return out
    idle = A is not None and X.shape[1] <= A.shape[2] and penalty >= 0
    if A is not None and eta == 0.0 and (penalty == np.inf or idle):
        return _inside(X, y, A)
    if penalty == np.inf:
        return np.zeros((len(X), X.shape[2]))
    if penalty == 0:
        return _limit(X, y, A, eta)
    return _penalised(X, y, A, eta, np.full(len(X), float(penalty)))


def _penalised(
    X: np.ndarray, y: np.ndarray, A: np.ndarray | None, eta: float, penalty: np.ndarray
) -> np.ndarray:
    """(X'X + n lambda Omega)^-1 X'y; NaN where that matrix is not positive definite."""
    n, d = X.shape[1:]
    if A is not None and eta == 0.0 and n <= A.shape[2] and np.all(penalty > 0):
        return _inside(X, y, A)
    matrix = transposed(X) @ X
    omega = np.eye(d) if A is None else np.eye(d) + (eta - 1) * (A @ transposed(A))
    matrix = matrix + n * penalty[:, None, None] * omega
    bad = ~np.isfinite(matrix).all(axis=(1, 2))
    matrix[bad] = np.eye(d)
    if np.any(penalty < 0):
        bad |= singular(matrix)  # or worse: an eigenvalue below 0
    free = np.zeros(len(X), bool)
    if np.all(penalty >= 0) and A is not None and eta == 0.0:
        free = ~bad & singular(transposed(X @ A) @ (X @ A))  # where what is not penalised is
    matrix[bad | free] = np.eye(d)
    found = solve(matrix, times(transposed(X), y))
    found[bad] = np.nan
    if free.any():  # of all minimisers the shortest
        weighted = np.sqrt(n * penalty[free])[:, None, None] * omega[free]
        tall = np.concatenate([X[free], weighted], axis=1)
        right = np.concatenate([y[free], np.zeros((free.sum(), d))], axis=1)
        found[free] = times(np.linalg.pinv(tall, rcond=EMPTY**0.5), right)
    return found


def chosen_penalty(
    X: np.ndarray, y: np.ndarray, A: np.ndarray | None, eta: float, rule: str
) -> np.ndarray:
    """Per-sample penalty of each replicate by `loo` or `gcv`, the first of equal scores.

    With S = I - H the residual operator over all penalties, left-out errors are (Sy)_i / S_ii; the
    same at penalty 0 with fewer rows than columns is the limit, by S / lambda.
    """
    n, d = X.shape[1:]
    if A is not None and eta == 0.0:
        if n <= A.shape[2] or d == A.shape[2]:
            return np.zeros(len(X))  # every penalty gives the same
        Q = np.linalg.qr(X @ A)[0]
        W = X - (X @ A) @ transposed(A)
        W = W - Q @ (transposed(Q) @ W)
        left, columns = 1 - np.sum(Q**2, axis=2), d - A.shape[2]
        rest, rows = y - times(Q, times(transposed(Q), y)), n - A.shape[2]
    else:
        W = X if A is None or eta == 1.0 else X + (eta**-0.5 - 1) * (X @ A) @ transposed(A)
        left, rest, columns, rows = np.ones(y.shape), y, d, n
    values, vectors = np.linalg.eigh(transposed(W) @ W)
    mean = np.clip(values, 0, None).sum(axis=1) / columns
    keep = np.arange(d) >= d - min(rows, columns)
    values, W = values[:, keep], W @ vectors[:, :, keep]
    fits = times(transposed(W), y)
    grid = mean[:, None] * np.concatenate([[NEXT_TO_NOTHING], GRID])
    inverse = 1 / (values[:, :, None] + grid[:, None, :])
    errors = rest[:, :, None] - W @ (fits[:, :, None] * inverse)
    shares = left[:, :, None] - W**2 @ inverse
    live = values > EMPTY * np.sum(X**2, axis=(1, 2))[:, None]
    inverse0 = np.where(live, 1 / np.where(live, values, 1.0), 0.0)
    full = (live.sum(axis=1) == rows)[:, None]
    error0 = np.where(full, times(W, fits * inverse0**2), rest - times(W, fits * inverse0))
    share0 = np.where(full, times(W**2, inverse0**2), left - times(W**2, inverse0))
    alone = ~full & (share0 < 1e-9)  # a row that nothing else predicts, but in the limit
    errors[:, :, 0], shares[:, :, 0] = (
        np.where(alone, errors[:, :, 0], error0),
        np.where(alone, shares[:, :, 0], share0),
    )
    errors = np.concatenate([errors, rest[:, :, None]], axis=2)
    shares = np.concatenate([shares, left[:, :, None]], axis=2)
    if rule == "loo":
        scores = np.sum((errors / shares) ** 2, axis=1)
    else:
        scores = n * np.sum(errors**2, axis=1) / np.sum(shares, axis=1) ** 2
    grid[:, 0] = 0.0
    candidates = np.concatenate([grid, np.full((len(X), 1), np.inf)], axis=1)
    scores = np.where(np.isfinite(scores), scores, np.inf)
    first = np.argmax(scores <= scores.min(axis=1, keepdims=True) * (1 + TIE), axis=1)
    return candidates[np.arange(len(X)), first] / n
