"""Answers as JSON, for programs that read what a command says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from mcbrain.plain import plain

__all__ = ["print_json"]


def print_json(answer: object) -> None:
    """Print an answer as JSON on standard output.

    Parameters
    ----------
    answer : object
        A record, a table (a list of its rows), or mappings, sequences and values. NaN is null, and
        an infinite number, for which JSON has no word, the string "inf" or "-inf".
    """
    print(json.dumps(_held(answer), indent=1, allow_nan=False))


def _held(value: object) -> object:
    """A value as JSON holds it."""
    if hasattr(value, "to_pylist"):  # of Arrow, which is not imported for its name
        return _held(value.to_pylist())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _held(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (np.generic, np.ndarray)):
        value = plain(value)
    if isinstance(value, Mapping):
        return {str(key): _held(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_held(one) for one in value]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
