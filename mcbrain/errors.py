"""What mcbrain reports in one sentence instead of a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "InputError",
    "MissingPilotError",
    "StoreError",
    "UnfinishedError",
    "did_you_mean",
    "unwritable",
]


class InputError(ValueError):
    """What the user wrote cannot be used; the message says what, where and what is allowed."""


class StoreError(InputError):
    """A results folder cannot be used as it is: in use, of another study, damaged or newer."""


class MissingPilotError(StoreError):
    """A penalty or a law needs a pilot whose blocks are not in the folder."""


class UnfinishedError(StoreError):
    """Nothing was wrong with what was asked, and it could not be finished: everything done is kept.

    A full disk, a folder that may not be written, a cluster that was lost. Exit status 3.
    """


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """End of a sentence: the closest allowed name, or all of them.

    Parameters
    ----------
    name : str
        What was written.
    allowed : iterable of str
        What could have been written.
    """
    choices = sorted(allowed)
    close = difflib.get_close_matches(name, choices, n=1)
    listing = ", ".join(choices)
    return f"did you mean '{close[0]}'? Allowed: {listing}" if close else f"allowed: {listing}"


def unwritable(path: Path, error: OSError) -> UnfinishedError:
    """What is said when a disk is full or a folder read-only.

    Parameters
    ----------
    path : Path
        What was to be written.
    error : OSError
    """
    return UnfinishedError(
        f"{path}: cannot be written ({error.strerror or error}); what was there is kept, "
        "run again once it can be"
    )
