"""The kinds of error: what the user must change, what could not be finished, mcbrain's own faults.

`InputError` and its subclasses are reported in one sentence. `UnfinishedError` is the one among
them that no change of the input mends. A fault of mcbrain itself is what `unhandled` makes.
"""

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


MOST_CHARACTERS = 1_000
"""Of a line of a message: a value that is longer is shown by its beginning and its end."""


class InputError(ValueError):
    """What the user wrote cannot be used; the message says what, where and what is allowed.

    Parameters
    ----------
    message : str
        A sentence, or a line for each mistake.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__("\n".join(map(_shortened, str(message).split("\n"))))


class StoreError(InputError):
    """A results folder cannot be used as it is: in use, of another study, damaged or newer."""


class MissingPilotError(StoreError):
    """A penalty or a law needs a pilot whose blocks are not in the folder."""


class UnfinishedError(StoreError):
    """What was asked for is right and could not be finished; everything done so far is kept.

    Reasons are a full disk, a folder that may not be written, or a cluster that was lost. The
    command line then ends with exit status 3.
    """


def _shortened(line: str) -> str:
    """A line without the middle of a value that is too long to be read."""
    if len(line) <= MOST_CHARACTERS:
        return line
    half = MOST_CHARACTERS // 2
    return f"{line[:half]} ... {line[-half:]}"


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the closest allowed name, and all allowed ones.

    Parameters
    ----------
    name : str
        What was written.
    allowed : iterable of str
        What could have been written.

    Returns
    -------
    str
        Begins with "did you mean" or "allowed".
    """
    choices = sorted(allowed)
    close = difflib.get_close_matches(name, choices, n=1)
    listing = ", ".join(choices)
    return f"did you mean '{close[0]}'? Allowed: {listing}" if close else f"allowed: {listing}"


def unhandled(what: str, value: object, where: str) -> NotImplementedError:
    """The error raised where a decision has no branch for an entry of one of mcbrain's tables.

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
    """The error that is raised when a disk is full or a folder is read-only.

    Parameters
    ----------
    path : Path
        What was to be written.
    error : OSError
        What the operating system said.

    Returns
    -------
    UnfinishedError
        To be raised.
    """
    return UnfinishedError(
        f"{path}: cannot be written ({error.strerror or error}); what was there is kept, "
        "run again once it can be"
    )
