"""Ridge and BEFS at every penalty from one eigendecomposition of the training rows.

The centred rows are X = U diag(s) V'. With z the penalty summed over rows and S the spared
subspace, of which V'S = B is what the rows reach, X'X + z (I - SS') is the matrix of ridge less z
SS', so that by Woodbury's identity

    coefficients = ridge + z A^-1 S N^-1 S'A^-1 X'y,   A = X'X + z I,   N = B' diag(s^2/(s^2+z)) B,

and another subspace costs a few small products. Nothing larger than (d, d) or (n, n) is formed,
whichever is smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from mcbrain.typing import Floats

__all__ = ["PENALTIES", "Principal", "RowSet", "Spared", "principal"]

RowSet = NDArray[np.integer]

PENALTIES = np.logspace(-4.0, 5.0, 16)
"""Penalties that are tried, as multiples of the mean variance of an input per row."""

_LEAST_FREE = 0.1  # share of the rows that a fit leaves free, at least
_RANK = 1e-12  # share of the largest eigenvalue below which rows do not vary


@dataclass(frozen=True)
class Principal:
    """Principal axes of centred training rows.

    Attributes
    ----------
    sizes : (k,)
        Singular values s of the centred rows, all above zero.
    rows : (n, k)
        U, their orthonormal coordinates.
    axes : (d, k) or None
        V; None where n < d, where it is (rows / sizes) @ X.
    X : (n, d)
        The centred rows.
    mean : (d,)
        What was subtracted.
    """

    sizes: Floats
    rows: Floats
    axes: Floats | None
    X: Floats
    mean: Floats

    @property
    def count(self) -> int:
        """Training rows n."""
        return int(self.X.shape[0])

    @cached_property
    def penalties(self) -> Floats:
        """The grid as sums over rows, (L,): `PENALTIES` times the trace of X'X over d."""
        return np.asarray(PENALTIES * (float(np.sum(self.sizes**2)) / self.X.shape[1]))

    def project(self, X: Floats) -> Floats:
        """Other rows (m, d) in the coordinates of the axes, (m, k).

        Parameters
        ----------
        X : (m, d)
            Rows, not centred.

        Returns
        -------
        array (m, k)
            In the units of the inputs.
        """
        moved = X - self.mean
        if self.axes is not None:
            return moved @ self.axes
        return (moved @ self.X.T) @ (self.rows / self.sizes)

    def lift(self, weights: Floats) -> Floats:
        """Weights (k, r) on the axes as weights (d, r) of the inputs.

        Parameters
        ----------
        weights : (k, r)
            On the axes.

        Returns
        -------
        array (d, r)
            Of the inputs.
        """
        if self.axes is not None:
            return self.axes @ weights
        return self.X.T @ ((self.rows / self.sizes) @ weights)

    def spared(self, basis: Floats, held: Floats, held_axes: Floats) -> Spared:
        """What a subspace is to these rows and to the rows held out.

        Parameters
        ----------
        basis : (d, r)
            Orthonormal columns; none makes it ridge.
        held : (m, d)
            Rows held out.
        held_axes : (m, k)
            The same, as `project` gives them.

        Returns
        -------
        Spared
            For `kept`, `choose` and `predict`.
        """
        if self.axes is None:
            inside = (self.rows.T @ (self.X @ basis)) / self.sizes[:, None]
        else:
            inside = self.axes.T @ basis
        if self.sizes.size == basis.shape[0]:  # the rows reach everything
            beyond = np.zeros((held.shape[0], basis.shape[1]))
        else:
            beyond = (held - self.mean) @ basis - held_axes @ inside
        return Spared(self, inside, held_axes, beyond)


@dataclass(frozen=True)
class Spared:
    """A subspace as the training rows and the rows held out see it.

    Attributes
    ----------
    principal : Principal
        The training rows.
    inside : (k, r)
        B, what the rows reach of the subspace.
    held_axes : (m, k)
        Rows held out along the principal axes.
    beyond : (m, r)
        Rows held out along the part of the subspace that no training row reaches.
    """

    principal: Principal
    inside: Floats
    held_axes: Floats
    beyond: Floats

    @cached_property
    def _parts(self) -> tuple[Floats, Floats, Floats]:
        """For each z: s/(s^2+z) (L, k), that times B (L, k, r), and N^-1 times its transpose."""
        s = self.principal.sizes
        gain = s / (s**2 + self.principal.penalties[:, None])
        turned = gain[:, :, None] * self.inside
        N = self.inside.T @ (s[:, None] * turned)
        small = np.linalg.pinv(N, hermitian=True) if N.size else N
        return gain, turned, small @ turned.transpose(0, 2, 1)

    def generalised(self, reduced: Floats, squares: Floats) -> Floats:
        """Generalised cross-validation score (L, t) of each penalty of the grid.

        Parameters
        ----------
        reduced : (k, t)
            U'y of the centred labels.
        squares : (t,)
            Their sums of squares.

        Returns
        -------
        array (L, t)
            Mean squared error, corrected for the freedom of the fit.
        """
        s, n = self.principal.sizes, self.principal.count
        gain, turned, small = self._parts
        penalties = self.principal.penalties
        left = (1.0 - gain * s)[:, :, None] * reduced
        freedom = n - 1.0 - gain @ s
        if self.inside.shape[1]:
            left -= (penalties[:, None, None] * turned) @ (small @ reduced)
            freedom -= penalties * np.einsum("lrk,lkr->l", small, turned)
        rest = np.maximum(squares - np.sum(reduced**2, axis=0), 0.0)
        errors = np.einsum("lkt,lkt->lt", left, left) + rest
        # A fit that all but passes through the rows says nothing of its own error.
        freedom = np.where(freedom > _LEAST_FREE * (n - 1.0), freedom, np.nan)
        scores = n * errors / freedom[:, None] ** 2
        return np.where(np.isnan(scores), np.inf, scores)

    def predictions(self, reduced: Floats, place: int) -> Floats:
        """Predictions (m, t) for the rows held out at one penalty, less the mean of the labels.

        Parameters
        ----------
        reduced : (k, t)
            U'y of the centred labels.
        place : int
            Of the penalty in the grid.

        Returns
        -------
        array (m, t)
            In the units of the labels.
        """
        gain, turned, small = (part[place] for part in self._parts)
        weights = gain[:, None] * reduced
        if not self.inside.shape[1]:
            return np.asarray(self.held_axes @ weights)
        pull = small @ reduced
        penalty = self.principal.penalties[place]
        weights += (penalty / self.principal.sizes)[:, None] * (turned @ pull)
        return np.asarray(self.held_axes @ weights + self.beyond @ pull)


def principal(X: Floats) -> Principal:
    """Principal axes of rows (n, d), by the smaller of their two Gram matrices.

    Parameters
    ----------
    X : (n, d)
        Training rows, not centred.

    Returns
    -------
    Principal
        Of the centred rows.
    """
    mean = X.mean(axis=0)
    X = X - mean
    n, d = X.shape
    gram = X.T @ X if d <= n else X @ X.T
    values, vectors = linalg.eigh(gram, driver="evd", overwrite_a=True, check_finite=False)
    varies = values > _RANK * max(n, d) * values[-1]
    sizes, vectors = np.sqrt(values[varies]), vectors[:, varies]
    if d <= n:
        return Principal(sizes, (X @ vectors) / sizes, vectors, X, mean)
    return Principal(sizes, vectors, None, X, mean)
