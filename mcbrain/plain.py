"""Values of NumPy as the Python values that they stand for, and NumPy's defaults for arithmetic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["is_number", "numpy_defaults", "plain", "plain_table", "whole"]

# How far a number may be from a whole one, relative to its size, to be taken as whole: np.geomspace
# leaves as much.
_ULPS = 64 * float(np.finfo(float).eps)

# A decorator of what users call: a caller's np.seterr(all="raise") must not make mcbrain's own
# arithmetic raise.
numpy_defaults = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")


# What these return is as untyped as what they are given, hence `Any`.
def plain(value: object) -> Any:
    """A NumPy scalar or array as the Python number or list that it stands for.

    Parameters
    ----------
    value : object
        Anything; what is not NumPy's is returned as it is.

    Returns
    -------
    object
        Python's own number, string or list.
    """
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


def plain_table(table: object) -> Any:
    """A table from Python as TOML holds it: lists and Python's own numbers, however deep.

    Parameters
    ----------
    table : object
        Mappings, lists, tuples and values.

    Returns
    -------
    object
        Dictionaries, lists and Python's own values.
    """
    table = plain(table)
    if isinstance(table, Mapping):
        return {key: plain_table(value) for key, value in table.items()}
    return [plain_table(value) for value in table] if isinstance(table, (list, tuple)) else table


def whole(value: object) -> Any:
    """A whole number as an int, however it is held; anything else as it is.

    Parameters
    ----------
    value : object
        Such as 30, 30.0, 1e6, ``np.int32(30)`` or the last value of ``np.geomspace(1, 1000, 4)``,
        which may be some units in the last place beside the number that is meant.

    Returns
    -------
    object
        An int where the value is whole to rounding; otherwise the value as Python's own.
    """
    value = plain(value)
    if isinstance(value, float) and math.isfinite(value):
        nearest = round(value)
        return nearest if abs(value - nearest) <= _ULPS * abs(value) else value
    return value


def is_number(value: object) -> bool:
    """Whether a value is a real number of Python or of NumPy, and no truth value.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    bool
        True for NaN and infinity too.
    """
    value = plain(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)
