"""The inputs' covariance, by its spectrum and its axes (theory/README.md 1).

The kernels know a covariance by its spectrum alone: all directions of a study are in the
coordinates of its eigenvectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcbrain.checks import parameter
from mcbrain.errors import InputError
from mcbrain.population.given import is_file
from mcbrain.population.given_covariance import GivenCovariance
from mcbrain.typing import Floats

__all__ = [
    "SCALES",
    "InputCovariance",
    "input_covariance",
    "parse_covariance",
    "power_spectrum",
    "settled_covariance",
]

SCALES = ("trace", "as-is")
"""Whether a covariance that is given is scaled to the trace d of the identity."""


@dataclass(frozen=True, eq=False)
class InputCovariance:
    """The covariance of the inputs, taken apart.

    Attributes
    ----------
    variances : ndarray, shape (q,)
        Eigenvalues of Sigma that are not 0, descending; trace d unless given as it is.
    axes : ndarray, shape (q, d), or None
        Their eigenvectors as rows, in the coordinates of x; None where they are the axes of x, or
        where a basis that a word names says what they are.
    """

    variances: Floats
    axes: Floats | None = None

    @property
    def rank(self) -> int:
        """q, how many directions the inputs vary in; less than d where it is singular."""
        return int(self.variances.size)

    @property
    def identity(self) -> bool:
        """Whether the inputs vary alike in every direction, by 1."""
        singular = self.axes is not None and len(self.axes) < self.axes.shape[1]
        return not singular and bool(np.all(self.variances == 1.0))

    def in_axes(self, vectors: Floats) -> Floats:
        """Vectors in the coordinates of x in those of the eigenvectors along which inputs vary.

        Parameters
        ----------
        vectors : ndarray, shape (..., d)

        Returns
        -------
        ndarray, shape (..., q)
        """
        return vectors if self.axes is None else np.asarray(vectors @ self.axes.T)


@lru_cache(maxsize=16)
def input_covariance(covariance: str, scale: str, input_dim: int) -> InputCovariance:
    """What a model's `covariance` stands for; models that share it share its arrays.

    Parameters
    ----------
    covariance : str
        Of `settled_covariance`.
    scale : str
        A word of `SCALES`.
    input_dim : int

    Returns
    -------
    InputCovariance
    """
    if isinstance(covariance, GivenCovariance):
        return InputCovariance(covariance.variances(scale), covariance.axes)
    return InputCovariance(power_spectrum(input_dim, parse_covariance(covariance)))


def settled_covariance(value: object, input_dim: int, latent_dim: int) -> str:
    """A model's `covariance` as it is held: a word, or what was given, read.

    Parameters
    ----------
    value : str or ndarray
        "identity", "powerlaw:ALPHA", "file:NAME.npy", or an array.
    input_dim, latent_dim : int

    Returns
    -------
    str
        A `GivenCovariance` where an array was given.

    Raises
    ------
    InputError
        An unknown word, an exponent out of range, or an array that is no covariance of so many
        inputs.
    """
    if isinstance(value, np.ndarray):
        value = GivenCovariance.of("covariance", value)
    elif is_file(value):
        value = GivenCovariance.read("covariance", str(value))
    if not isinstance(value, GivenCovariance):
        parse_covariance(value)
        return str(value)
    if value.input_dim != input_dim:
        what = "rows" if value.kind == "rows" else f"a {value.kind}"
        raise InputError(
            f"covariance = '{value}': {what} of {value.input_dim} inputs; "
            f"input_dim = {input_dim} needs as many"
        )
    if value.rank < latent_dim:
        few = f" of {value.spectrum.rows} rows" if value.kind == "rows" else ""
        raise InputError(
            f"covariance = '{value}': has the rank {value.rank}{few}; latent_dim = {latent_dim} "
            "needs inputs that vary in at least as many directions"
        )
    return value


def parse_covariance(text: object) -> float:
    """alpha of a model's `covariance`, such as "powerlaw:1"; 0 for "identity".

    Parameters
    ----------
    text : str

    Returns
    -------
    float

    Raises
    ------
    InputError
        An unknown covariance, or an alpha out of range.
    """
    if isinstance(text, str) and text == "identity":
        return 0.0
    name, _, number = str(text).partition(":")
    if not isinstance(text, str) or name != "powerlaw":
        raise InputError(f"covariance = {text!r}: allowed: identity, powerlaw:ALPHA, file:NAME.npy")
    value = parameter("covariance", text, number, "powerlaw:ALPHA")
    if not 0 <= value <= 10:
        raise InputError(f"covariance = {text!r}: allowed is an ALPHA of 0 to 10")
    return value


def power_spectrum(dim: int, exponent: float) -> Floats:
    """Eigenvalues proportional to j^-exponent with trace `dim`.

    Parameters
    ----------
    dim : int
        d, how many.
    exponent : float
        alpha.

    Returns
    -------
    ndarray, shape (dim,)
        Descending.
    """
    values = np.arange(1, dim + 1, dtype=float) ** -exponent
    return np.asarray(values * (dim / values.sum()))
