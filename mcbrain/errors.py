"""The kinds of mistake: the user's, reported in one sentence, and one of mcbrain's own."""

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
    "unhandled",
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


def unhandled(what: str, value: object, where: str) -> NotImplementedError:
    """What is raised where a decision has no branch for an entry of one of mcbrain's tables.

    No branch is a default: an entry that somebody adds to a table and forgets elsewhere ends in
    this sentence and not in the numbers of another entry.

    Parameters
    ----------
    what : str
        What the table lists, such as "input distribution".
    value : object
        The entry.
    where : str
        What has no branch for it, in words that lead to the module.

    Returns
    -------
    NotImplementedError
        To be raised.
    """
    return NotImplementedError(
        f"{what} {value!r} is in a table of mcbrain, but {where} cannot handle it; this is a fault "
        "of mcbrain and not of what was asked for, and no number was computed"
    )


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
