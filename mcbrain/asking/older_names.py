"""Keys and keywords under the names that they had before, read for two more releases."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

from mcbrain.errors import InputError

__all__ = ["OLDER_ENGINE_KEYS", "keyword", "warn_of_older", "with_new_names"]

OLDER_ENGINE_KEYS = {"law": "exact_task_stage"}
"""The older name of a key of [engine] and the one of today; keywords of `simulate` too."""


def with_new_names(section: Mapping[str, object]) -> dict[str, object]:
    """The section [engine] of a study with its keys under the names of today.

    Parameters
    ----------
    section : mapping
        As it was written.

    Returns
    -------
    dict
        The same values.

    Raises
    ------
    InputError
        A key stands there under both of its names.
    """
    for old, new in OLDER_ENGINE_KEYS.items():
        if old in section and new in section:
            raise InputError(f"[engine] {old} and {new} are two names of one key: leave {old} out")
    return {OLDER_ENGINE_KEYS.get(key, key): value for key, value in section.items()}


def warn_of_older(section: object) -> None:
    """One warning for each key of [engine] that has another name now.

    Parameters
    ----------
    section : object
        The section as it was written; what is no table is refused elsewhere.
    """
    if isinstance(section, Mapping):
        for old in OLDER_ENGINE_KEYS.keys() & section.keys():
            _warn(f"[engine] {old}", OLDER_ENGINE_KEYS[old], stacklevel=6)


def keyword(old: str, given: bool | None, new: bool) -> bool:
    """The value of a keyword that may still be given under the name that it had before.

    Parameters
    ----------
    old : str
        One of `OLDER_ENGINE_KEYS`.
    given : bool or None
        What was given under that name; None if nothing was.
    new : bool
        What was given under the name of today, or its default.

    Returns
    -------
    bool
        The one that counts.
    """
    if given is None:
        return new
    _warn(old, OLDER_ENGINE_KEYS[old], stacklevel=5)
    return given


def _warn(old: str, new: str, stacklevel: int) -> None:
    """Name the line of the user's own that spells it so, behind our functions and `np.errstate`."""
    warnings.warn(
        f"{old} is called {new} now; the older name is read until release 0.3",
        FutureWarning,
        stacklevel=stacklevel,
    )
