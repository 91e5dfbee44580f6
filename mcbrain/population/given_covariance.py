"""A covariance that a user gives: a matrix, a spectrum, or rows of real features.

It is taken apart once, when it is read: into the spectrum that the kernels know, and the axes in
which they work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from mcbrain.blas import one_blas_thread
from mcbrain.errors import InputError
from mcbrain.population.given import Given
from mcbrain.typing import Floats

__all__ = ["GivenCovariance"]

_SYMMETRIC = 1e-10
"""Difference from its transpose, relative to its largest entry, up to which a square array is a
matrix; and the share of the largest eigenvalue by which one may be negative."""

_SMALLEST = 1e-200
"""A largest variance below this counts as 0: with it, the scale is still a number."""


@dataclass(frozen=True)
class _Spectrum:
    """A covariance taken apart, before it is scaled.

    Attributes
    ----------
    kind : str
        "matrix", "spectrum" or "rows": what was given.
    variances : ndarray, shape (q,)
        Eigenvalues, descending, without those that are 0 but for rounding.
    axes : ndarray, shape (q, d), or None
        Their eigenvectors as rows, the largest entry of each positive; None where they are the axes
        of all inputs, in their order.
    rows : int
        Rows that were given.
    """

    kind: str
    variances: Floats
    axes: Floats | None
    rows: int


class GivenCovariance(Given):
    """A covariance from a file or an array: a matrix, a spectrum, or rows of real features."""

    @classmethod
    def read(cls, field: str, text: str, folder: Path | None = None) -> Self:
        """See `Given.read`; the numbers are those of a covariance.

        Parameters
        ----------
        field : str
        text : str
        folder : Path, optional

        Returns
        -------
        GivenCovariance
        """
        found = super().read(field, text, folder)
        found.__dict__["spectrum"] = _taken_apart(f"{field} = '{text}'", found.values)
        return found

    @classmethod
    def of(cls, field: str, array: object) -> Self:
        """See `Given.of`; the numbers are those of a covariance.

        Parameters
        ----------
        field : str
        array : ndarray

        Returns
        -------
        GivenCovariance
        """
        found = super().of(field, array)
        found.__dict__["spectrum"] = _taken_apart(f"{field}: the array", found.values)
        return found

    @cached_property
    def spectrum(self) -> _Spectrum:
        """The covariance taken apart, when it was read."""
        return _taken_apart(str(self), self.values)

    @property
    def axes(self) -> Floats | None:
        """Eigenvectors as rows, shape (q, d); None where they are the axes of the inputs."""
        return self.spectrum.axes

    @property
    def kind(self) -> str:
        """What was given: "matrix", "spectrum" or "rows"."""
        return self.spectrum.kind

    @property
    def input_dim(self) -> int:
        """d, the number of inputs."""
        return self.rank if self.axes is None else int(self.axes.shape[1])

    @property
    def rank(self) -> int:
        """q, how many directions the inputs vary in."""
        return int(self.spectrum.variances.size)

    def variances(self, scale: str) -> Floats:
        """Eigenvalues in descending order, shape (q,).

        Parameters
        ----------
        scale : str
            A word of `SCALES`.

        Returns
        -------
        ndarray
        """
        found = self.spectrum.variances
        return found * (self.input_dim / found.sum()) if scale == "trace" else found

    def words(self, scale: str) -> str:
        """What the file was taken for, as a run says it.

        Parameters
        ----------
        scale : str
            A word of `SCALES`.

        Returns
        -------
        str
        """
        d, rows = self.input_dim, self.spectrum.rows
        taken = {
            "matrix": f"a {d} x {d} covariance matrix",
            "spectrum": f"a spectrum of {d} variances",
            "rows": f"{rows:,} rows of {d} features, centred here",
        }[self.kind]
        rank = "" if self.rank == d else f", of rank {self.rank}"
        scaled = f"scaled to trace {d}" if scale == "trace" else "not scaled"
        return f"covariance = {self.label}: taken as {taken}{rank}, {scaled}"

    def light(self) -> GivenCovariance:
        """The same without the numbers as given: spectrum and axes are all that a worker needs.

        Returns
        -------
        GivenCovariance
        """
        copy = GivenCovariance(str(self), np.zeros(0), self.digest)
        copy.__dict__["spectrum"] = self.spectrum
        return copy


def _taken_apart(where: str, given: Floats) -> _Spectrum:
    """Eigenvalues and eigenvectors of a covariance, with one BLAS thread: the same bits always."""
    if given.ndim == 1:
        return _from_spectrum(where, given)
    if given.ndim != 2:
        raise InputError(
            f"{where}: a (d, d) matrix, a (d,) spectrum or (n, d) rows are allowed, "
            f"this has the shape {given.shape}"
        )
    with one_blas_thread():
        rows, d = given.shape
        size = float(np.abs(given).max())
        if rows == d and np.abs(given - given.T).max() <= _SYMMETRIC * size:
            return _from_matrix(where, "matrix", (given + given.T) / 2, d)
        if rows < 2:
            raise InputError(f"{where}: one row has no covariance; at least 2 rows are allowed")
        centred = given - given.mean(axis=0)
        return _from_matrix(where, "rows", centred.T @ centred / (rows - 1), rows)


def _from_spectrum(where: str, given: Floats) -> _Spectrum:
    """One variance for each input, in any order."""
    if given.min() < 0:
        raise InputError(
            f"{where}: a variance is not negative; the smallest of the spectrum is {given.min():g}"
        )
    order = np.argsort(-given, kind="stable")
    variances = _varying(where, given[order], 1)
    as_they_are = np.array_equal(order[: variances.size], np.arange(given.size))
    axes = None if as_they_are else np.eye(order.size)[order[: variances.size]]
    return _Spectrum("spectrum", variances, axes, given.size)


def _from_matrix(where: str, kind: str, matrix: Floats, rows: int) -> _Spectrum:
    """A covariance matrix, shape (d, d)."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -_SYMMETRIC * max(values[-1], 0.0):
        raise InputError(
            f"{where}: a covariance is positive semi-definite; the smallest eigenvalue of this "
            f"matrix is {values[0]:.3g}, the largest {values[-1]:.3g}"
        )
    axes = vectors[:, ::-1].T
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    variances = _varying(where, values[::-1], max(rows, len(matrix)))
    return _Spectrum(kind, variances, np.ascontiguousarray(axes[: variances.size]), rows)


def _varying(where: str, values: Floats, rows: int) -> Floats:
    """Descending eigenvalues without those that are 0 or rounding of sums over so many rows."""
    if not values[0] > _SMALLEST:
        raise InputError(f"{where}: every variance is 0; inputs that vary are needed")
    noise = 2.0 * rows * np.finfo(float).eps if rows > 1 else 0.0
    return np.asarray(values[values > noise * values[0]])
