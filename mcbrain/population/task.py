"""How the task lies in the spectrum of the inputs (theory/README.md 1)."""

from __future__ import annotations

import numpy as np

from mcbrain.checks import parameter
from mcbrain.errors import InputError
from mcbrain.population.given import Given, is_file
from mcbrain.typing import Floats

__all__ = ["UNIFORM", "settled_task", "source_direction", "source_exponent"]

UNIFORM = "uniform"
"""The part of beta that the brain misses points anywhere: no direction is preferred."""

_SOURCE = "source:S with a number 0 < S <= 10"
_RULED_OUT = 1e-12
"""Share of an axis outside the brain's span below which the axis is inside but for rounding."""


def settled_task(value: object, input_dim: int) -> str:
    """A model's `task` as it is held: a word, or beta as it was given, read.

    Parameters
    ----------
    value : str or ndarray
        "uniform", "source:S", "file:NAME.npy", or an array.
    input_dim : int

    Returns
    -------
    str
        A `Given` of shape (d,) where an array was given.

    Raises
    ------
    InputError
        An unknown word, an exponent out of range, or an array that is no beta of so many inputs.
    """
    if isinstance(value, np.ndarray):
        value = Given.of("task", value)
    elif is_file(value):
        value = Given.read("task", str(value))
    if not isinstance(value, Given):
        source_exponent(value)
        return str(value)
    if value.values.shape != (input_dim,):
        raise InputError(
            f"task = '{value}': an array of the shape {value.values.shape}; the task weights of "
            f"input_dim = {input_dim} have the shape ({input_dim},)"
        )
    if not np.any(value.values):
        raise InputError(f"task = '{value}': at least one task weight must differ from 0")
    return value


def source_exponent(text: object) -> float | None:
    """s of a model's `task`, such as "source:0.5"; None for "uniform".

    Parameters
    ----------
    text : str

    Returns
    -------
    float or None

    Raises
    ------
    InputError
        An unknown word, or an exponent at which the signal is infinite.
    """
    if isinstance(text, str) and text == UNIFORM:
        return None
    name, _, number = str(text).partition(":")
    if not isinstance(text, str) or name != "source":
        raise InputError(f"task = {text!r}: allowed: uniform, source:S, file:NAME.npy")
    value = parameter("task", text, number, _SOURCE)
    if not value > 0:
        raise InputError(
            f"task = {text!r}: allowed is {_SOURCE}; below it the variance of the labels, a sum of "
            "j^-(1 + 2 alpha S) over the inputs, has no limit"
        )
    if not value <= 10:
        raise InputError(f"task = {text!r}: allowed is {_SOURCE}")
    return value


def source_direction(variances: Floats, exponent: float, brain: Floats) -> Floats:
    """The direction of the part of beta that the brain misses, with a source exponent.

    In the eigenbasis of the covariance it is the projection, on the complement of the brain's span,
    of a vector u with u_j^2 Sigma_j proportional to Sigma_j^(2s) / j: with a power law alpha that
    is j^-(1 + 2 alpha s).

    Parameters
    ----------
    variances : ndarray, shape (d,)
        Sigma_j, descending.
    exponent : float
        s, above 0.
    brain : ndarray, shape (k, d)
        Orthonormal rows, in the eigenbasis.

    Returns
    -------
    ndarray, shape (d,)
        A unit vector.

    Raises
    ------
    InputError
        The inputs vary in no direction that the brain misses.
    """
    open_to_it = 1.0 - np.sum(brain**2, axis=0) > _RULED_OUT
    if not np.any(open_to_it):
        raise InputError(
            f"task = 'source:{exponent:g}': the inputs vary in no direction that the brain misses"
        )
    number = np.arange(1, variances.size + 1)[open_to_it]
    logarithm = ((2.0 * exponent - 1.0) * np.log(variances[open_to_it]) - np.log(number)) / 2.0
    wanted = np.zeros(variances.size)
    wanted[open_to_it] = np.exp(logarithm - logarithm.max())
    outside = wanted - brain.T @ (brain @ wanted)
    return np.asarray(outside / np.linalg.norm(outside))
