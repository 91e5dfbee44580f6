"""Standard streams that outlive their readers: `mcbrain run STUDY | head` is a run like any other.

What nobody reads any more is dropped. The work goes on, and the exit status is what it would have
been.
"""

from __future__ import annotations

import io
import sys
from typing import Any

__all__ = ["outlive_readers"]


class _Pipe(io.RawIOBase):
    """Writes to a stream as long as that does not end in an error which is forgiven."""

    def __init__(self, raw: Any, forgiven: type[OSError]) -> None:
        self._raw = raw
        self._forgiven = forgiven
        self._read = True

    def write(self, data: Any) -> int:
        if self._read:
            try:
                return int(self._raw.write(data) or 0)
            except self._forgiven:
                self._read = False
        return len(data)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        return int(self._raw.fileno())


def outlive_readers() -> None:
    """Let a closed pipe on standard output or error change nothing but what is seen of it."""
    # What is said on the side never stops the work, not even where a full disk takes no more of it.
    for name, forgiven in (("stdout", BrokenPipeError), ("stderr", OSError)):
        stream = getattr(sys, name)
        buffer = getattr(stream, "buffer", None)
        if buffer is None or stream.isatty():
            continue
        stream.flush()
        # A folder's name may hold bytes that the stream's encoding does not know.
        errors = "backslashreplace" if stream.errors == "strict" else stream.errors
        text = io.TextIOWrapper(
            # Without `raw`, Python was asked not to buffer.
            io.BufferedWriter(_Pipe(getattr(buffer, "raw", buffer), forgiven)),
            encoding=stream.encoding,
            errors=errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, text)
