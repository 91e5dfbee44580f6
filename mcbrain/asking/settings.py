"""Keys of a study that are given beside its file, such as `model.misalignment=0.2`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from mcbrain.errors import InputError

__all__ = ["merged", "settings_table"]

# What a table of a TOML file holds is as untyped as the file, hence `Any`.
Table = dict[str, Any]


def settings_table(settings: Iterable[str]) -> Table:
    """Settings as the tables of a study that holds nothing else.

    Parameters
    ----------
    settings : iterable of str
        KEY=VALUE each, the key with its section, the value as in a study file; quotes around a word
        may be left out. Of two for one key the later one counts.

    Returns
    -------
    dict
        Tables, as `tomllib` makes them.

    Raises
    ------
    InputError
        What is not of that form, or has no section.
    """
    table: Table = {}
    for setting in settings:
        key, sign, value = (part.strip() for part in setting.partition("="))
        if not sign or not key or not value:
            raise InputError(f"--set {setting}: the form is KEY=VALUE, as model.misalignment=0.2")
        table = merged(table, _parsed(setting, key, value))
    return table


def _parsed(setting: str, key: str, value: str) -> Table:
    """One setting as tables; a value that is no TOML is taken for a word."""
    for text in (value, json.dumps(value)):
        try:
            return tomllib.loads(f"{key} = {text}")
        except tomllib.TOMLDecodeError:
            continue
    raise InputError(
        f'--set {setting}: {key} is no key of a study; such as model.misalignment or estimators."'
        'two-penalty:0.1" is allowed'
    )


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> Table:
    """A table with some of its keys changed, those of its sections one by one.

    Parameters
    ----------
    table, changes : mapping
        Tables of a study, and what is to stand in their place.

    Returns
    -------
    dict
        A new table; neither argument is changed.
    """
    found = dict(table)
    for key, value in changes.items():
        inside = found.get(key)
        if isinstance(value, Mapping) and isinstance(inside, Mapping):
            found[key] = merged(inside, value)
        else:
            found[key] = value
    return found
