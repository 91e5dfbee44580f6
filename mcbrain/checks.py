"""Values as people give them: of the right type and in range, or one sentence that says what is."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mcbrain.errors import InputError, did_you_mean

__all__ = [
    "LARGE",
    "MOST_SAMPLES",
    "affordable",
    "by_name",
    "choice",
    "duration",
    "integer",
    "is_number",
    "number",
    "numpy_defaults",
    "parameter",
    "plain",
    "plain_table",
    "positive",
    "results_path",
    "unmasked",
    "vector",
    "whole",
]

# Norms, gains and noises at most: the square of a risk under the largest shift is still a number.
LARGE = 1e50
# Samples of either kind that a law is asked about: beyond, sums of them are not exact.
MOST_SAMPLES = 10**12
# How far a whole number may be from one, relatively: what np.geomspace leaves.
_ULPS = 64 * float(np.finfo(float).eps)

# Decorates what users call: a caller's np.seterr(all="raise") is for the caller's own arithmetic.
numpy_defaults = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")

T = TypeVar("T")


def plain(value: Any) -> Any:
    """A NumPy scalar or array as the Python number or list that it stands for.

    Parameters
    ----------
    value : object
        Anything; what is not NumPy's is returned as it is.
    """
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def plain_table(table: Any) -> Any:
    """A table from Python as TOML holds it: lists and Python's own numbers, however deep.

    Parameters
    ----------
    table : object
        Mappings, lists, tuples and values.
    """
    table = plain(table)
    if isinstance(table, Mapping):
        return {key: plain_table(value) for key, value in table.items()}
    return [plain_table(value) for value in table] if isinstance(table, (list, tuple)) else table


def whole(value: Any) -> Any:
    """A whole number as an int, however it is held; anything else as it is.

    Parameters
    ----------
    value : object
        Such as 30, 30.0, 1e6, ``np.int32(30)`` or the last value of ``np.geomspace(1, 1000, 4)``,
        which may be some units in the last place beside the number that is meant.
    """
    value = plain(value)
    if isinstance(value, float) and math.isfinite(value):
        nearest = round(value)
        return nearest if abs(value - nearest) <= _ULPS * abs(value) else value
    return value


def integer(name: str, value: Any, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    found = whole(value)
    if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
        raise InputError(
            f"{name} = {plain(value)!r}: a whole number from {low} to {high} is allowed"
        )
    return int(found)


def is_number(value: Any) -> bool:
    """Whether a value is a real number of Python or of NumPy, and no truth value."""
    value = plain(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def number(name: str, value: Any, low: float, high: float) -> float:
    """A number from `low` to `high`, and never NaN."""
    value = plain(value)
    if not is_number(value):
        raise InputError(f"{name} = {value!r}: a number from {low:g} to {high:g} is allowed")
    if not low <= value <= high:  # also refuses NaN
        raise InputError(f"{name} = {value}: allowed is {low:g} to {high:g}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """A finite number above 0."""
    value = plain(value)
    if not is_number(value) or not 0 < value < np.inf:
        raise InputError(f"{name} = {value!r}: a finite number > 0 is allowed")
    return float(value)


def affordable(budget: float, **prices: float) -> None:
    """Refuse a budget that buys more samples at some price than a law is asked about."""
    for name, price in prices.items():
        if budget > MOST_SAMPLES * price:
            raise InputError(
                f"budget = {budget:g}: buys more than {MOST_SAMPLES:g} samples at "
                f"{name} = {price:g}; at most so many are allowed"
            )


def duration(name: str, value: Any) -> float:
    """Seconds, from a number of them or text such as 90s, 10m or 2h."""
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


def vector(name: str, value: Any, size: int, low: float) -> tuple[float, ...]:
    """As many numbers as there are latents, none below `low`."""
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


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Refuse a word that is not allowed."""
    if value not in allowed:
        raise InputError(f"{name} = {value!r}: {did_you_mean(str(value), allowed)}")


def unmasked(name: str, values: Any) -> Any:
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


def results_path(path: Any) -> Path:
    """The path of a folder or file of results."""
    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"results in {path!r}: the path of a folder is allowed")
    return Path(path)


def parameter(name: str, value: str, text: str, form: str) -> float:
    """The number behind a law's name, as in student:5."""
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
    def checked(self: T, *values: Any, **settings: Any) -> None:
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
