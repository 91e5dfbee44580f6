"""Values as people give them: of the right type and in range, or one sentence that says what is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcbrain.errors import InputError, did_you_mean

__all__ = ["LARGE", "choice", "integer", "number", "parameter", "vector"]

# Norms, gains and noises at most: the square of a risk under the largest shift is still a number.
LARGE = 1e50


def integer(name: str, value: Any, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not whole or not low <= value <= high:
        raise InputError(f"{name} = {value!r}: a whole number from {low} to {high} is allowed")
    return int(value)


def number(name: str, value: Any, low: float, high: float) -> float:
    """A number from `low` to `high`, and never NaN."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(
        value, (int, float, np.integer, np.floating)
    ):
        raise InputError(f"{name} = {value!r}: a number from {low:g} to {high:g} is allowed")
    if not low <= value <= high:  # also refuses NaN
        raise InputError(f"{name} = {value}: allowed is {low:g} to {high:g}")
    return float(value)


def vector(name: str, value: Any, size: int, low: float) -> tuple[float, ...]:
    """As many numbers as there are latents, none below `low`."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
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


def parameter(name: str, value: str, text: str, form: str) -> float:
    """The number behind a law's name, as in student:5."""
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{name} = {value!r}: allowed is {form}") from None
