"""Checks of values that a user gives: each returns the value in its own type, or refuses it.

A refusal is an `InputError` of one sentence that names the value and says what is allowed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import MISSING, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mcbrain.errors import InputError, did_you_mean
from mcbrain.plain import is_number, numpy_defaults, plain, whole

__all__ = [
    "LARGE",
    "MOST_SAMPLES",
    "affordable",
    "by_name",
    "duration",
    "integer",
    "number",
    "one_of",
    "parameter",
    "positive",
    "results_path",
    "unmasked",
    "vector",
]

# The largest norm, gain or noise: with it, the square of a risk under the largest shift is still a
# floating-point number.
LARGE = 1e50
# The most samples of either kind that a law is asked about: sums of larger numbers would be
# rounded.
MOST_SAMPLES = 10**12
T = TypeVar("T")


def integer(name: str, value: object, low: int, high: int) -> int:
    """A whole number from `low` to `high`.

    Parameters
    ----------
    name : str
        What to call the value in the sentence.
    value : object
        Whole to rounding, see `whole`; no truth value.
    low, high : int
        The least and the largest number that are allowed.

    Returns
    -------
    int
        The same number.

    Raises
    ------
    InputError
        Anything else.
    """
    found = whole(value)
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise InputError(
            f"{name} = {plain(value)!r}: a whole number from {low} to {high} is allowed"
        )
    return int(found)


def number(name: str, value: object, low: float, high: float) -> float:
    """A number from `low` to `high`, and never NaN.

    Parameters
    ----------
    name : str
        What to call the value in the sentence.
    value : object
        A real number of Python or of NumPy.
    low, high : float
        The least and the largest number that are allowed.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    InputError
        Anything else, NaN included.
    """
    found = plain(value)
    if not is_number(found):
        raise InputError(f"{name} = {found!r}: a number from {low:g} to {high:g} is allowed")
    if not low <= found <= high:  # also refuses NaN
        raise InputError(f"{name} = {found}: allowed is {low:g} to {high:g}")
    return float(found)


def positive(name: str, value: object) -> float:
    """A finite number above 0.

    Parameters
    ----------
    name : str
        What to call the value in the sentence.
    value : object
        A real number of Python or of NumPy.

    Returns
    -------
    float
        The same number.

    Raises
    ------
    InputError
        Anything else.
    """
    found = plain(value)
    if not is_number(found) or not 0 < found < np.inf:
        raise InputError(f"{name} = {found!r}: a finite number > 0 is allowed")
    return float(found)


def affordable(budget: float, **prices: float) -> None:
    """Refuse a budget that buys more samples at some price than a law is asked about.

    Parameters
    ----------
    budget : float
        What may be spent.
    **prices : float
        The price of one sample of each kind, under the name that the sentence uses, in the same
        currency.

    Raises
    ------
    InputError
        The budget buys more than `MOST_SAMPLES` at one of the prices.
    """
    for name, price in prices.items():
        if budget > MOST_SAMPLES * price:
            raise InputError(
                f"budget = {budget:g}: buys more than {MOST_SAMPLES:g} samples at "
                f"{name} = {price:g}; at most so many are allowed"
            )


def duration(name: str, value: object) -> float:
    """Seconds, from a number of them or text such as 90s, 10m or 2h.

    Parameters
    ----------
    name : str
        What to call the value in the sentence.
    value : float or str
        Seconds, or a number followed by s, m or h.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    InputError
        Anything else, or less than 0.
    """
    if not isinstance(value, str):
        return number(name, value, 0.0, LARGE)
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:[eE]\+?\d+)?)\s*([smh]?)\s*", value)
    if not match:
        raise InputError(
            f"{name} = {value!r}: seconds, or a number with s, m or h such as 90s, 10m or 2h, "
            "are allowed"
        )
    unit = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[match[2]]
    return number(name, float(match[1]) * unit, 0.0, LARGE)


def vector(name: str, value: object, size: int, low: float) -> tuple[float, ...]:
    """As many numbers as there are latents, none below `low`.

    Parameters
    ----------
    name : str
        What to call the values in the sentence.
    value : sequence of float, or array of shape (size,)
        One number for each latent.
    size : int
        The number of latents.
    low : float
        The least number that is allowed.

    Returns
    -------
    tuple of float
        The same numbers.

    Raises
    ------
    InputError
        Another length, anything that is no number, or masked values.
    """
    unmasked(name, value)
    value = plain(value)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise InputError(
            f"{name} = {value!r}: a list of {size} numbers, one per latent, is allowed"
        )
    if len(value) != size:
        raise InputError(
            f"{name} = {list(value)!r}: {len(value)} numbers for latent_dim = {size}; "
            "one per latent is allowed"
        )
    return tuple(number(f"{name}[{i}]", v, low, LARGE) for i, v in enumerate(value))


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not allowed.

    Parameters
    ----------
    name : str
        What to call the value in the sentence.
    value : object
        What was written.
    allowed : tuple of str
        What may be written.

    Raises
    ------
    InputError
        Any other value; the sentence suggests the closest word.
    """
    if value not in allowed:
        raise InputError(f"{name} = {value!r}: {did_you_mean(str(value), allowed)}")


# What it returns is as untyped as what it is given, hence `Any`.
def unmasked(name: str, values: object) -> Any:
    """Refuse an array with masked values, which NumPy would use as if they were not masked.

    Parameters
    ----------
    name : str
        What to call it in the sentence.
    values : object
        Anything; lists and tuples are looked through.

    Returns
    -------
    object
        The same `values`.

    Raises
    ------
    InputError
        If an array is masked anywhere.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        masked = np.argwhere(np.ma.getmaskarray(values))
        place = ", ".join(str(int(i)) for i in masked[0])
        raise InputError(
            f"{name} is masked at [{place}] (and {len(masked) - 1} more): "
            "leave out what is missing, or fill it in"
        )
    if isinstance(values, (list, tuple)):
        for index, value in enumerate(values):
            if isinstance(value, (list, tuple, np.ma.MaskedArray)):
                unmasked(f"{name}[{index}]", value)
    return values


def results_path(path: object) -> Path:
    """The path of a folder or file of results.

    Parameters
    ----------
    path : str or path
        As the user gave it; it need not exist.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    InputError
        Anything else.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"results in {path!r}: the path of a folder is allowed")
    return Path(path)


def parameter(name: str, value: str, text: str, form: str) -> float:
    """The number that follows the name of a distribution or a shift, as in student:5.

    Parameters
    ----------
    name : str
        What to call the value in the sentence.
    value : str
        All that was written, such as "student:5".
    text : str
        The part of it that should be a number.
    form : str
        What is allowed, in words.

    Returns
    -------
    float
        The number.

    Raises
    ------
    InputError
        The text is no number.
    """
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} = {value!r}: allowed is {form}") from None


def by_name(kind: type[T]) -> type[T]:
    """A keyword-only dataclass that names a missing or an unknown key in a sentence.

    Parameters
    ----------
    kind : type
        A dataclass; its `__init__` is replaced.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    InputError
        When one is made: values without their names, a key that is no field, a field without a
        value.
    """
    make = kind.__init__
    listed = fields(kind)  # type: ignore[arg-type]
    names = [f.name for f in listed]
    required = [f.name for f in listed if f.default is MISSING and f.default_factory is MISSING]

    @wraps(make)
    @numpy_defaults
    def checked(self: T, *values: object, **settings: object) -> None:
        if values:
            example = f"{kind.__name__}({names[0]}={values[0]!r}, ...)"
            raise InputError(f"{kind.__name__}{values!r}: values are given by name: {example}")
        for key in settings:
            if key not in names:
                raise InputError(f"{key}: unknown key; {did_you_mean(key, names)}")
        for key in required:
            if key not in settings:
                raise InputError(f"{key} is missing")
        make(self, **settings)

    kind.__init__ = checked  # type: ignore[method-assign, assignment]
    return kind
