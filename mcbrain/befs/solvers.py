"""Least squares with a projection penalty: plain functions of arrays.

Everything here solves, for one or several targets and for a whole grid of penalties at once,

    argmin_beta |y - X beta|^2 + z beta' (I - S S') beta                  (theory/README.md 2)

with rows already centred and scaled by the square roots of their weights and z = n_task times the
per-sample penalty. S has orthonormal columns; no columns makes it ridge. X'X and the penalty are
brought to diagonal form once, after which a penalty costs a division, and leave-one-out errors of
every penalty cost one pass over the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

__all__ = ["Array", "Dual", "Primal", "decompose"]

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_FITTED_AT_ONCE = 2**22


@dataclass(frozen=True)
class Primal:
    """More rows than columns: coefficients in a basis where X'X and the penalty are both diagonal.

    Attributes
    ----------
    X : (n, d)
    Y : (n, t)
    free : (d, a)
        Unpenalised directions, with free' X'X free = I.
    shrunk : (d, q)
        Penalised directions: their X'X is diag(spectrum), their penalty the identity.
    spectrum : (q,)
    free_fit : (a, t)
        free' X' Y.
    shrunk_fit : (q, t)
        shrunk' X' Y.
    constant : (n,) or None
        Unit direction of the fitted intercept among the scaled rows.
    """

    X: Array
    Y: Array
    free: Array
    shrunk: Array
    spectrum: Array
    free_fit: Array
    shrunk_fit: Array
    constant: Array | None

    def coefficients(self, z: Array) -> Array:
        """Coefficients (d, t) for one penalty of each target, z of shape (t,)."""
        return self.free @ self.free_fit + self.shrunk @ (self._inverse(z) * self.shrunk_fit)

    def response_coordinates(self, z: float) -> Array:
        """Fitted values in an orthonormal basis of the column space, (k, t)."""
        scale = np.sqrt(self.spectrum)[:, None] * self._inverse(np.array([z]))
        return np.vstack([self.free_fit, scale * self.shrunk_fit])

    @property
    def residual_dof(self) -> int:
        """Rows left over when every direction with signal is fitted without penalty."""
        used = self.free.shape[1] + np.count_nonzero(self.spectrum) + (self.constant is not None)
        return self.X.shape[0] - int(used)

    def residual_squares(self) -> Array:
        """Residual sum of squares of each target at penalty zero, (t,)."""
        explained = np.sum(self.response_coordinates(0.0) ** 2, axis=0)
        squares = np.sum(self.Y**2, axis=0) - explained
        return np.asarray(np.maximum(squares, 0.0))

    def loo_errors(self, z: Array) -> Array:
        """Mean squared leave-one-out error (L, t), the penalty z (L,) held fixed."""
        n, t = self.Y.shape
        inverse = self._inverse(z)
        step = (inverse[:, :, None] * self.shrunk_fit[:, None, :]).reshape(-1, z.size * t)
        errors = np.zeros((z.size, t))
        chunk = int(np.clip(_FITTED_AT_ONCE // (z.size * t), 16, 2048))
        for start in range(0, n, chunk):
            rows = slice(start, start + chunk)
            free = self.X[rows] @ self.free
            scores = self.X[rows] @ self.shrunk
            fitted = (scores @ step).reshape(-1, z.size, t) + (free @ self.free_fit)[:, None, :]
            leverage = np.square(scores, out=scores) @ inverse
            leverage += np.sum(free**2, axis=1)[:, None]
            if self.constant is not None:
                leverage += np.square(self.constant[rows])[:, None]
            left = 1.0 - leverage[:, :, None]
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                residual = (self.Y[rows, None, :] - fitted) / left
            # A row that alone determines a coefficient cannot be predicted from the others.
            residual[np.broadcast_to(left < 1e-10, residual.shape)] = np.inf
            errors += np.sum(residual**2, axis=0)
        return errors / n

    def gcv_errors(self, z: Array) -> Array:
        """Generalised cross-validation score (L, t) (Golub, Heath & Wahba 1979)."""
        n = self.Y.shape[0]
        seen = self.spectrum > 0
        spectrum, fit = self.spectrum[seen], self.shrunk_fit[seen]
        kept = _shrinkage(spectrum, z)
        squares = self.residual_squares() + (kept.T**2) @ (fit**2 / spectrum[:, None])
        freedom = self.residual_dof + kept.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = n * squares / freedom[:, None] ** 2
        score[freedom <= 1e-10 * n] = np.inf
        return np.asarray(score)

    def _inverse(self, z: Array) -> Array:
        """1 / (spectrum + z), shape (q, len(z)); directions without data get nothing at z = 0."""
        total = self.spectrum[:, None] + z
        return np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)


@dataclass(frozen=True)
class Dual:
    """At most as many rows as columns: residuals in a basis where the kernel is diagonal.

    Attributes
    ----------
    X : (n, d)
    Y : (n, t)
    basis : (d, r)
        Unpenalised directions, orthonormal.
    within : (r, r)
        Pseudo-inverse of (X basis)'(X basis).
    rows : (n, c)
        Orthonormal directions among the rows that no unpenalised direction explains.
    spectrum : (c,)
        Eigenvalues of the penalised kernel there.
    fit : (c, t)
        rows' Y.
    used : int
        n - c.
    """

    X: Array
    Y: Array
    basis: Array
    within: Array
    rows: Array
    spectrum: Array
    fit: Array
    used: int

    def coefficients(self, z: Array) -> Array:
        """Coefficients (d, t) for one penalty of each target, z of shape (t,)."""
        total = self.spectrum[:, None] + z
        inverse = np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)
        outside = self.X.T @ (self.rows @ (inverse * self.fit))
        outside -= self.basis @ (self.basis.T @ outside)
        inside = self.within @ ((self.X @ self.basis).T @ (self.Y - self.X @ outside))
        return outside + self.basis @ inside

    def response_coordinates(self, z: float) -> Array:
        """Penalised part of the fitted values in an orthonormal basis of the rows, (k, t)."""
        explained = 1.0 - _shrinkage(self.spectrum, np.array([z]))
        return np.asarray(explained * self.fit)

    @property
    def residual_dof(self) -> int:
        """Rows left over when every direction with signal is fitted without penalty."""
        return int(np.count_nonzero(self.spectrum == 0))

    def residual_squares(self) -> Array:
        """Residual sum of squares of each target at penalty zero, (t,)."""
        return np.asarray(np.sum(self.fit[self.spectrum == 0] ** 2, axis=0))

    def loo_errors(self, z: Array) -> Array:
        """Mean squared leave-one-out error (L, t), the penalty z (L,) held fixed.

        The ratio of residual and 1 - leverage does not change when both are divided by z, which
        leaves a form that is exact down to z = 0, where both of them vanish.
        """
        weight = self._weights(z)
        left = self.rows**2 @ weight
        errors = np.empty((z.size, self.Y.shape[1]))
        for index in range(z.size):
            residual = self.rows @ (weight[:, index, None] * self.fit)
            unpredictable = left[:, index] <= 1e-13 * weight[:, index].max(initial=0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                residual /= left[:, index, None]
            residual[unpredictable] = np.inf
            errors[index] = np.mean(residual**2, axis=0)
        return errors

    def gcv_errors(self, z: Array) -> Array:
        """Generalised cross-validation score (L, t) (Golub, Heath & Wahba 1979)."""
        weight = self._weights(z)
        squares = (weight.T**2) @ self.fit**2
        freedom = weight.sum(axis=0)
        return np.asarray(self.Y.shape[0] * squares / freedom[:, None] ** 2)

    def _weights(self, z: Array) -> Array:
        """Share of each row direction that stays in the residual, up to a factor, (c, L)."""
        total = self.spectrum[:, None] + z
        weight = np.ones_like(total)
        np.divide(1.0, total, out=weight, where=(total > 0) & np.isfinite(total))
        empty = self.spectrum == 0
        if np.any(empty):
            weight[:, z == 0] = empty[:, None]
        return weight


def decompose(X: Array, Y: Array, basis: Array, constant: Array | None) -> Primal | Dual:
    """Bring X'X (XX' when there are no more rows than columns) and the penalty to diagonal form.

    Parameters
    ----------
    X : (n, d)
        Rows centred, and scaled by the square roots of their weights.
    Y : (n, t)
        Targets, treated likewise.
    basis : (d, r)
        Orthonormal basis of what is not penalised; r = 0 for ridge.
    constant : (n,) or None
        Unit vector of the intercept among the scaled rows, orthogonal to the columns of X.

    Returns
    -------
    Primal or Dual
        With the same methods: coefficients, loo_errors, gcv_errors.
    """
    n, d = X.shape
    return _primal(X, Y, basis, constant) if n > d else _dual(X, Y, basis, constant)


def _primal(X: Array, Y: Array, basis: Array, constant: Array | None) -> Primal:
    n, d = X.shape
    r = basis.shape[1]
    gram, moment = X.T @ X, X.T @ Y
    if r == 0:
        spectrum, shrunk = _eigen(gram, n)
        free = np.zeros((d, 0))
    else:
        turn = linalg.qr(basis)[0]
        gram = turn.T @ gram @ turn
        inside, axes = _eigen(gram[:r, :r], n)
        axes = axes[:, inside > 0] / np.sqrt(inside[inside > 0])
        free = turn[:, :r] @ axes
        leak = axes.T @ gram[:r, r:]
        spectrum, axes = _eigen(gram[r:, r:] - leak.T @ leak, n, float(np.trace(gram)))
        shrunk = (turn[:, r:] - free @ leak) @ axes
    return Primal(X, Y, free, shrunk, spectrum, free.T @ moment, shrunk.T @ moment, constant)


def _dual(X: Array, Y: Array, basis: Array, constant: Array | None) -> Dual:
    n, d = X.shape
    inside = X @ basis
    values, axes = _eigen(inside.T @ inside, max(n, d))
    axes = axes[:, values > 0] / np.sqrt(values[values > 0])
    fixed = inside @ axes
    if constant is not None:
        fixed = np.column_stack([constant, fixed])
    used = fixed.shape[1]
    outside = X - inside @ basis.T
    kernel = outside @ outside.T
    if used:
        others = linalg.qr(fixed)[0][:, used:]
        kernel = others.T @ kernel @ others
    spectrum, rows = _eigen(kernel, d, float(np.sum(X**2)))
    rows = others @ rows if used else rows
    return Dual(X, Y, basis, axes @ axes.T, rows, spectrum, rows.T @ Y, used)


def _eigen(matrix: Array, size: int, scale: float = 0.0) -> tuple[Array, Array]:
    """Eigenvalues, with those that are rounding set to zero, and eigenvectors of a Gram matrix."""
    if matrix.shape[0] == 0:
        return np.zeros(0), np.zeros((0, 0))
    values, vectors = linalg.eigh(matrix, driver="evd")
    floor = max(size, matrix.shape[0]) * np.finfo(float).eps * max(float(values[-1]), scale)
    return np.where(values > floor, values, 0.0), vectors


def _shrinkage(spectrum: Array, z: Array) -> Array:
    """z / (spectrum + z), the share of each direction that the penalty removes, (q, L)."""
    total = spectrum[:, None] + z
    kept = np.ones_like(total)
    finite = (total > 0) & np.isfinite(total)
    np.divide(np.broadcast_to(z, total.shape), total, out=kept, where=finite)
    return kept
