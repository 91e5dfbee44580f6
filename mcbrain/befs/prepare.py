"""What is done to arrays before a solver sees them: checks, centring, scaling and bases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg

from mcbrain.checks import unmasked
from mcbrain.errors import InputError

__all__ = ["Array", "Centre", "Design", "orthonormal_basis", "power_of_two", "real_array"]

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


class Centre(NamedTuple):
    """The mean of some rows, held as one of the rows and the mean distance from it.

    A column of times in seconds since 1970 varies in its last digits alone. Differences of two of
    its values are exact, while its mean is rounded to the digits of the values themselves: rows are
    centred by subtracting first the one and then the other.

    Attributes
    ----------
    origin : (c,)
        One of the rows.
    distance : (c,)
        Mean distance of all rows from it.
    """

    origin: Array
    distance: Array

    @classmethod
    def of(cls, values: Array, weight: Array | None, wanted: bool = True) -> Centre:
        """The weighted mean of rows (n, c), or zero where it is not wanted.

        Parameters
        ----------
        values : (n, c)
            Rows.
        weight : (n,) or None
            Their weights; None for equal ones.
        wanted : bool
            Whether rows are to be centred at all; without it the mean is taken as zero.

        Returns
        -------
        Centre
            The weighted mean of the rows.
        """
        if not wanted:
            return cls(np.zeros(values.shape[1]), np.zeros(values.shape[1]))
        # The mean may lie very near to the heaviest row, so that their distance must be exact.
        origin = values[0 if weight is None else int(np.argmax(weight))]
        return cls(origin, np.average(values - origin, axis=0, weights=weight))

    def subtracted(self, values: Array) -> Array:
        """Rows without the mean.

        Parameters
        ----------
        values : (n, c) or (c,)
            Rows, or one row.

        Returns
        -------
        array of the same shape
            `values` less the mean, exact in the digits that vary.
        """
        return np.asarray((values - self.origin) - self.distance)

    @property
    def mean(self) -> Array:
        """The mean itself, (c,)."""
        return self.origin + self.distance


@dataclass(frozen=True)
class Design:
    """What a fit learns from, apart from its targets.

    Attributes
    ----------
    X : (n, d)
        Inputs as they were given; only rows that count.
    weight : (n,) or None
        Weight of each row, above 0; None for equal weights of 1.
    intercept : bool
        Whether a constant, which is never penalised, is fitted too.
    basis : (d, r)
        Orthonormal basis of the directions that are not penalised; r = 0 for ridge.
    """

    X: Array
    weight: Array | None
    intercept: bool
    basis: Array

    @property
    def root(self) -> Array:
        """Square roots of the weights, by which rows are multiplied, (n,)."""
        return np.ones(self.X.shape[0]) if self.weight is None else np.sqrt(self.weight)

    def scaled(self, values: Array) -> Array:
        """Rows without their weighted mean, times the square roots of the weights.

        Parameters
        ----------
        values : (n, c)
            Inputs or targets, one row for each row of X.

        Returns
        -------
        array (n, c)
            What the solvers work on.
        """
        centred = Centre.of(values, self.weight, self.intercept).subtracted(values)
        return centred if self.weight is None else centred * self.root[:, None]

    def without(self, row: int) -> Design:
        """The same design with one row left out.

        Parameters
        ----------
        row : int
            Place of the row in X.

        Returns
        -------
        Design
            Of n - 1 rows.
        """
        weight = None if self.weight is None else np.delete(self.weight, row)
        return Design(np.delete(self.X, row, axis=0), weight, self.intercept, self.basis)


def power_of_two(values: Array, axis: int | tuple[int, ...] | None = None) -> Array:
    """The power of two below the largest magnitude, 1 for zeros: dividing by it rounds nothing.

    Parameters
    ----------
    values : array
        Numbers, of any shape.
    axis : int or tuple of int, optional
        The axes along which the largest is taken; all by default.

    Returns
    -------
    array
        Powers of two, `values` without `axis` in shape.
    """
    largest = np.max(np.abs(values), axis=axis, initial=0.0)
    exponent = np.clip(np.frexp(largest)[1] - 1, -1000, 1000)
    return np.asarray(np.where(largest > 0, np.ldexp(1.0, exponent), 1.0))


def real_array(name: str, values: object) -> Array:
    """An array of finite or infinite real numbers, or one sentence.

    Parameters
    ----------
    name : str
        What to call it in the sentence.
    values : array_like
        As the user gave it.

    Returns
    -------
    array
        The same values as float64, which may be infinite or NaN.

    Raises
    ------
    InputError
        For complex numbers, text, Python objects and masked values.
    """
    array = np.asarray(unmasked(name, values))
    if array.size and array.dtype.kind not in "fiu":
        raise InputError(f"{name} holds {array.dtype}: it must be an array of real numbers")
    return array.astype(np.float64)


def orthonormal_basis(subspace: Array) -> Array:
    """Orthonormal basis (d, r) of the columns of `subspace`.

    Each row is as accurate, relative to its own size, as it was given: the part of a direction that
    belongs to an input of large numbers is small, and counts as much as the others.

    Parameters
    ----------
    subspace : (d, r)
        Columns that span the subspace, finite.

    Returns
    -------
    array (d, r)
        Orthonormal columns of the same span.

    Raises
    ------
    InputError
        If a column is a combination of the others.
    """
    r = subspace.shape[1]
    if r == 0:
        return subspace
    basis = subspace / power_of_two(subspace, axis=0)
    basis = basis / linalg.norm(basis, axis=0).clip(0.5)
    values = linalg.svdvals(basis)
    if values.size < r or values[-1] <= 1e-10 * values[0]:
        raise InputError(
            f"the {r} columns of the subspace are linearly dependent: give a basis of it"
        )
    # The second round removes the rounding that the first leaves where columns are nearly
    # dependent.
    for _ in range(2):
        triangle = linalg.qr(basis, mode="r")[0][:r]
        basis = linalg.solve_triangular(triangle, basis.T, trans="T").T
    return np.ascontiguousarray(basis)
