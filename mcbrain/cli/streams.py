"""Standard streams in any state: closed, of a narrow encoding, or on a full disk.

A command does its work whether or not its output can be seen.
"""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress

__all__ = ["flush", "open_streams"]


def open_streams() -> None:
    """Replace closed standard streams by the null device, and let no character fail to be printed.

    Where the shell closes a stream, as `2>&-` does, the operating system would give its number to
    the next file that is opened, and messages would be written into that file.
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
        The disk is full: a part of what was printed is lost.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # The interpreter would try to write the rest again when it ends, and fail again.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
        error.filename = error.filename or "standard output"
        raise
