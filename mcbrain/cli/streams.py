"""Standard streams as they are given: closed, of a narrow encoding, or full.

A command does its work whether or not what it says can be seen.
"""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress

__all__ = ["flush", "open_streams"]


def open_streams() -> None:
    """Let standard streams that are closed lead nowhere, and print what an encoding does not know.

    Where `2>&-` closes one, its number would go to the next file that is opened, and whatever is
    written to it into that file.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(spare)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = open(os.devnull, "r+", encoding="utf-8")  # noqa: SIM115, PTH123
            setattr(sys, name, nowhere)
            setattr(sys, f"__{name}__", nowhere)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # a stream of another kind, put in its place by a test
            stream.reconfigure(errors="mcbrain.shown")  # type: ignore[union-attr]


def _shown(error: UnicodeError) -> tuple[str | bytes, int]:
    """What a terminal shows of characters that its encoding does not have.

    A byte of a file's name that is no text is that byte again, as `ls` writes it; any other
    character is its escape.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    with suppress(UnicodeEncodeError):
        return codecs.lookup_error("surrogateescape")(error)
    return codecs.lookup_error("backslashreplace")(error)


codecs.register_error("mcbrain.shown", _shown)


def flush() -> None:
    """Write what standard output still holds.

    Raises
    ------
    OSError
        A full disk: what was printed is not all there.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # What cannot be written must not be tried again at the interpreter's end.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        error.filename = error.filename or "standard output"
        raise
