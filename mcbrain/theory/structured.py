"""Matrices that are a diagonal plus a few columns, so that a covariance of 4,096 inputs is cheap.

In the eigenbasis of the inputs' covariance everything that the laws of `equivalents` multiply is of
this form: the covariance is diagonal, and a subspace of rank r adds r columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.typing import Floats

__all__ = ["Structured", "diagonal_of", "solve_rows", "trace_of_product"]


@dataclass(frozen=True)
class Structured:
    """The matrix diag(diagonal) + left right'.

    Attributes
    ----------
    diagonal : ndarray, shape (d,)
    left, right : ndarray, shape (d, c)
        c columns each; c may be 0.
    """

    diagonal: Floats
    left: Floats
    right: Floats

    @classmethod
    def of_diagonal(cls, diagonal: Floats) -> Structured:
        """A diagonal matrix.

        Parameters
        ----------
        diagonal : ndarray, shape (d,)

        Returns
        -------
        Structured
            Without columns.
        """
        nothing = np.zeros((diagonal.size, 0))
        return cls(diagonal, nothing, nothing)

    @property
    def T(self) -> Structured:  # noqa: N802 (the name that NumPy gives to a transpose)
        """The transpose."""
        return Structured(self.diagonal, self.right, self.left)

    @property
    def trace(self) -> float:
        """Sum of the diagonal entries."""
        return float(np.sum(self.diagonal) + np.sum(self.left * self.right))

    def dense(self) -> Floats:
        """The matrix as an array, shape (d, d).

        Returns
        -------
        ndarray, shape (d, d)
            A new array.
        """
        return np.asarray(np.diag(self.diagonal) + self.left @ self.right.T)

    def apply(self, columns: Floats) -> Floats:
        """The product with a vector (d,) or with columns (d, m).

        Parameters
        ----------
        columns : ndarray, shape (d,) or (d, m)

        Returns
        -------
        ndarray, shape (d,) or (d, m)
            Of the shape of `columns`.
        """
        scale = self.diagonal if columns.ndim == 1 else self.diagonal[:, None]
        return np.asarray(scale * columns + self.left @ (self.right.T @ columns))

    def __matmul__(self, other: Structured) -> Structured:
        """The product of two matrices, again a diagonal plus columns."""
        # (A + l r') (B + L R') = AB + [l, (A + l r') L] [B r, R]'
        left = np.hstack([self.left, self.apply(other.left)])
        right = np.hstack([other.diagonal[:, None] * self.right, other.right])
        return Structured(self.diagonal * other.diagonal, left, right)

    def __add__(self, other: Structured) -> Structured:
        """The sum of two matrices, again a diagonal plus columns."""
        return Structured(
            self.diagonal + other.diagonal,
            np.hstack([self.left, other.left]),
            np.hstack([self.right, other.right]),
        )

    def inverse(self) -> Structured:
        """The inverse, by Woodbury's identity; the diagonal may have no zero.

        Returns
        -------
        Structured
            With as many columns.
        """
        scaled = self.left / self.diagonal[:, None]
        inner = np.eye(self.left.shape[1]) + self.right.T @ scaled
        right = solve_rows(inner, self.right / self.diagonal[:, None])
        return Structured(1.0 / self.diagonal, -scaled, right)


def trace_of_product(one: Structured | Floats, other: Structured) -> float:
    """The trace of a product of two matrices, without forming it.

    Parameters
    ----------
    one : Structured or ndarray, shape (d, d)
    other : Structured

    Returns
    -------
    float
        In the product of the units of both.
    """
    image = one @ other.left if isinstance(one, np.ndarray) else one.apply(other.left)
    return float(np.sum(diagonal_of(one) * other.diagonal) + np.sum(other.right * image))


def diagonal_of(matrix: Structured | Floats) -> Floats:
    """The diagonal entries, shape (d,).

    Parameters
    ----------
    matrix : Structured or ndarray, shape (d, d)

    Returns
    -------
    ndarray, shape (d,)
        In the units of the matrix.
    """
    if isinstance(matrix, np.ndarray):
        return np.asarray(np.diag(matrix))
    return np.asarray(matrix.diagonal + np.sum(matrix.left * matrix.right, axis=1))


def solve_rows(matrix: Floats, rows: Floats) -> Floats:
    """Every row x of `rows` replaced by matrix^-1 x.

    Parameters
    ----------
    matrix : ndarray, shape (c, c)
    rows : ndarray, shape (d, c)

    Returns
    -------
    ndarray, shape (d, c)
        The solutions, a row each.
    """
    return np.asarray(np.linalg.solve(matrix, rows.T).T, dtype=np.float64)
