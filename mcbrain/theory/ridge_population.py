"""What ridge has left to learn, once a subspace is spared or a penalty has weights (README 5f)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.theory.structured import Structured, solve_rows, trace_of_product
from mcbrain.typing import Floats

__all__ = ["Population", "generalised", "partialled"]


@dataclass(frozen=True)
class Population:
    """What is left to be learned by ridge: how to make its resolvent at an effective penalty.

    Attributes
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the inputs' covariance; all arrays are in its eigenbasis.
    spared : ndarray, shape (d, r)
        Orthonormal columns that are partialled out; r = 0 for none.
    weights : Structured or None
        Omega_0; None is the identity on the complement of `spared`.
    """

    spectrum: Floats
    spared: Floats
    weights: Structured | None

    @property
    def dimension(self) -> int:
        """Number of penalised directions that the data can show."""
        return int(np.count_nonzero(self.spectrum > 0)) - int(self.spared.shape[1])

    @property
    def covariance(self) -> Structured:
        """S: the covariance of what is left when the spared directions are partialled out."""
        if not self.spared.shape[1]:
            return Structured.of_diagonal(self.spectrum)
        seen = self.spectrum[:, None] * self.spared
        inner = solve_rows(self.spared.T @ seen, seen)
        return Structured(self.spectrum, -seen, inner)

    def freedoms(self, kappa: float) -> tuple[float, float]:
        """tr S G and tr (S G)^2: the degrees of freedom that a fit at this penalty uses.

        Parameters
        ----------
        kappa : float
            Effective penalty, > 0.

        Returns
        -------
        tuple of float
            The two traces, between 0 and the number of directions.
        """
        if self.weights is not None:
            _, kept_matrix = self.resolvent(kappa)
            return kept_matrix.trace, trace_of_product(kept_matrix, kept_matrix)
        kept = self.spectrum / (self.spectrum + kappa)
        first, second, V = float(np.sum(kept)), float(np.sum(kept**2)), self.spared
        if V.shape[1]:
            seen, twice = kept[:, None] * V, (kept**2)[:, None] * V
            lost = np.linalg.solve(V.T @ seen, V.T @ twice)
            third = np.linalg.solve(V.T @ seen, seen.T @ twice)
            first -= float(np.trace(lost))
            second += float(np.sum(lost * lost.T)) - 2.0 * float(np.trace(third))
        return first, second

    def resolvent(self, kappa: float) -> tuple[Structured, Structured]:
        """G = (S + kappa Omega_0)^-1 on the complement of what is spared, and S G.

        Parameters
        ----------
        kappa : float
            Effective penalty, > 0.

        Returns
        -------
        tuple of Structured
            G and S G, in this order.
        """
        if self.weights is not None:
            scaled = Structured(
                kappa * self.weights.diagonal, kappa * self.weights.left, self.weights.right
            )
            inverse = (Structured.of_diagonal(self.spectrum) + scaled).inverse()
            return inverse, Structured.of_diagonal(self.spectrum) @ inverse
        inverse_diagonal = 1.0 / (self.spectrum + kappa)
        kept = self.spectrum * inverse_diagonal
        V = self.spared
        if not V.shape[1]:
            return Structured.of_diagonal(inverse_diagonal), Structured.of_diagonal(kept)
        # Q g Q + kappa Q g V X^-1 V' g Q with X = V' kept V and Q = I - VV': nothing is subtracted
        # that is nearly equal, for small and for large kappa.
        seen = kept[:, None] * V
        X = V.T @ seen
        gV = inverse_diagonal[:, None] * V
        QgV = gV - V @ (V.T @ gV)
        left = np.hstack([V, gV, QgV])
        right = np.hstack([V @ (V.T @ gV) - gV, -V, kappa * solve_rows(X, QgV)])
        return (
            Structured(inverse_diagonal, left, right),
            Structured(kept, -seen, solve_rows(X, seen)),
        )


def partialled(spectrum: Floats, spared: Floats | None = None) -> Population:
    """Ridge on what is left when the columns of `spared` are partialled out: BEFS given P.

    Parameters
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the covariance, not negative.
    spared : ndarray, shape (d, r), optional
        Orthonormal basis of P in the eigenbasis of the covariance; none is ridge.

    Returns
    -------
    Population
        The directions that are left, with the identity as penalty.
    """
    nothing = np.zeros((spectrum.size, 0))
    return Population(spectrum, nothing if spared is None else spared, None)


def generalised(spectrum: Floats, weights: Structured) -> Population:
    """Ridge whose penalty is a quadratic form: two-penalty, or any positive definite weights.

    Parameters
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the covariance, not negative.
    weights : Structured
        Omega_0, symmetric and positive definite, in the eigenbasis of the covariance.

    Returns
    -------
    Population
        All directions, with `weights` as penalty.
    """
    return Population(spectrum, np.zeros((spectrum.size, 0)), weights)
