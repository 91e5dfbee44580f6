"""Laws of the inputs: their independent components, and the spectrum of their covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mcbrain.checks import parameter
from mcbrain.errors import InputError, did_you_mean

__all__ = ["InputLaw", "parse_covariance", "parse_inputs", "power_spectrum"]

_LAWS = ("gaussian", "student", "rademacher", "uniform", "laplace", "sparse")
_PARAMETERS = {  # range of the number behind a law's name, and what is said of it
    "student": (4.0, 1e6, "student:NU with a number NU > 4"),
    "sparse": (0.0, 1.0, "sparse:F with a number 0 < F <= 1"),
}


Smoothness = Literal["density", "signs", "sparse"]

# Whether the numbers of an input have a density, are signs, or are zero with some probability:
# what decides how often a Gram matrix is nearly singular (theory/README.md 4a).
_SMOOTHNESS: dict[str, Smoothness] = {
    "gaussian": "density",
    "student": "density",
    "rademacher": "signs",
    "uniform": "density",
    "laplace": "density",
    "sparse": "sparse",
}


@dataclass(frozen=True)
class InputLaw:
    """Law of the independent input components: its name and its parameter, if it has one."""

    name: str
    parameter: float = math.nan

    @property
    def smoothness(self) -> Smoothness:
        """Of an input's numbers: "density", "signs" or "sparse"."""
        return _SMOOTHNESS[self.name]

    @property
    def share(self) -> float:
        """Share of the numbers of an input that are not zero."""
        return self.parameter if self.smoothness == "sparse" else 1.0


def parse_inputs(text: str) -> InputLaw:
    """The law that a model's `inputs` names, such as "student:5".

    Raises
    ------
    InputError
        An unknown law, or a parameter that is missing, out of range or too much.
    """
    name, _, number = str(text).partition(":")
    if name not in _LAWS:
        raise InputError(f"inputs = {text!r}: {did_you_mean(name, _LAWS)}")
    if name not in _PARAMETERS:
        if number:
            raise InputError(f"inputs = {text!r}: '{name}' takes no parameter")
        return InputLaw(name)
    low, high, form = _PARAMETERS[name]
    value = parameter("inputs", text, number, form)
    if not low < value <= high:
        raise InputError(f"inputs = {text!r}: allowed is {form}")
    return InputLaw(name, value)


def parse_covariance(text: str) -> float:
    """alpha of a model's `covariance`, such as "powerlaw:1"; 0 for "identity".

    Raises
    ------
    InputError
        An unknown covariance, or an alpha out of range.
    """
    if text == "identity":
        return 0.0
    name, _, number = str(text).partition(":")
    if name != "powerlaw":
        raise InputError(f"covariance = {text!r}: allowed: identity, powerlaw:ALPHA")
    value = parameter("covariance", text, number, "powerlaw:ALPHA")
    if not 0 <= value <= 10:
        raise InputError(f"covariance = {text!r}: allowed is an ALPHA of 0 to 10")
    return value


def power_spectrum(dim: int, exponent: float) -> NDArray[np.float64]:
    """Eigenvalues proportional to j^-exponent with trace `dim`, shape (dim,)."""
    values = np.arange(1, dim + 1, dtype=float) ** -exponent
    return np.asarray(values * (dim / values.sum()))
