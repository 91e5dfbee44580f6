"""Where the latents lie among the inputs: at random, along the leading axes, or as given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcbrain.checks import one_of
from mcbrain.errors import InputError, unhandled
from mcbrain.population.covariance import InputCovariance
from mcbrain.population.given import Given, is_file
from mcbrain.typing import Floats

__all__ = ["PLACES", "BrainPlace", "orthonormal_rows", "settled_map"]

PLACES = {"haar": "random", "axes": "leading"}
"""Where the brain map lies unless a model says so, by its basis. `leading`: along the eigenvectors
of the largest variances; `random`: a seeded direction, one for a study."""

_ROUNDING = 1e-9
"""A component of a latent that is given below which it has none there."""

_ORTHONORMAL = 1e-6
"""How far a given map may be from orthonormal: files of single precision are."""


@dataclass(frozen=True, eq=False)
class BrainPlace:
    """Where the latents of a model lie, in native coordinates.

    Attributes
    ----------
    word : str
        "random", "leading", or a `Given` of shape (k, d).
    latent_dim : int
        k.
    covariance : InputCovariance
        Whose eigenvectors native coordinates are along.
    """

    word: str
    latent_dim: int
    covariance: InputCovariance

    @cached_property
    def fixed(self) -> Floats | None:
        """A', orthonormal rows, shape (k, q); None where the seed decides."""
        match self.word:
            case Given() as given:
                return orthonormal_rows(self.covariance.in_axes(given.values))
            case "leading":
                return np.eye(self.latent_dim, self.covariance.rank)
            case "random":
                return None
        raise unhandled("brain map", self.word, "the place of the brain")

    def coordinates_of(self, latents: int) -> int:
        """How many of the inputs' independent components some latents are made of.

        Parameters
        ----------
        latents : int
            The first so many.

        Returns
        -------
        int
            q where they lie at random.
        """
        if self.word == "leading":
            return latents
        if self.fixed is None:
            return self.covariance.rank
        used = np.any(np.abs(self.fixed[:latents]) > _ROUNDING, axis=0)
        return int(np.count_nonzero(used))

    @property
    def along_axes(self) -> bool:
        """Whether each latent is one of the inputs' independent components."""
        if self.word == "leading" or self.fixed is None:
            return self.word == "leading"
        return int(np.count_nonzero(np.abs(self.fixed) > _ROUNDING)) == self.latent_dim


def settled_map(value: object, latent_dim: int, input_dim: int) -> str | None:
    """A model's `brain_map` as it is held: a word, None, or the map as it was given, read.

    Parameters
    ----------
    value : str, ndarray or None
        "random", "leading", "file:NAME.npy", or an array.
    latent_dim, input_dim : int

    Returns
    -------
    str or None
        A `Given` of shape (k, d) where an array was given.

    Raises
    ------
    InputError
        An unknown word, or an array whose rows are not the directions of so many latents.
    """
    if isinstance(value, np.ndarray):
        value = Given.of("brain_map", value)
    elif is_file(value):
        value = Given.read("brain_map", str(value))
    if value is None:
        return None
    if not isinstance(value, Given):
        one_of("brain_map", value, (*PLACES.values(), "file:NAME.npy"))
        return str(value)
    rows = value.values
    if rows.shape != (latent_dim, input_dim):
        raise InputError(
            f"brain_map = '{value}': an array of the shape {rows.shape}; a row for each latent, so "
            f"({latent_dim}, {input_dim}), is allowed"
        )
    off = float(np.abs(rows @ rows.T - np.eye(latent_dim)).max())
    if off > _ORTHONORMAL:
        raise InputError(
            f"brain_map = '{value}': its rows are not orthonormal, products of two differ from "
            f"those of unit vectors by up to {off:.2g}; np.linalg.qr(rows.T)[0].T makes them so"
        )
    return value


def orthonormal_rows(rows: Floats) -> Floats:
    """Gram-Schmidt of the rows (by QR, signs fixed); of normal numbers they are Haar.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        Linearly independent.

    Returns
    -------
    ndarray, shape (n, d)
        Rows that are added later change none.
    """
    q, r = np.linalg.qr(rows.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray((q * signs).T)
