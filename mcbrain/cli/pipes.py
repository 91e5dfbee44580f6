"""Standard streams that outlive their readers: `mcbrain run STUDY | head` is a run like any other.

What nobody reads any more is dropped. The work goes on, and the exit status is what it would have
been.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["outlive_readers"]


class _Pipe(io.RawIOBase):
    """A stream that drops what is written once writing has failed in a way that is forgiven."""

    def __init__(self, raw: io.RawIOBase, forgiven: type[OSError]) -> None:
        self._raw = raw
        self._forgiven = forgiven
        self._read = True

    def write(self, data: Buffer) -> int:
        """Write, or drop; the length that was taken, as the caller expects it."""
        if self._read:
            try:
                return int(self._raw.write(data) or 0)
            except self._forgiven:
                self._read = False
        return memoryview(data).nbytes

    def writable(self) -> bool:
        """Answer Python's buffered writer that it may write."""
        return True

    def isatty(self) -> bool:
        """Whether the stream behind is a terminal."""
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        """The descriptor of the stream behind."""
        return int(self._raw.fileno())


def outlive_readers() -> None:
    """Let a closed pipe on standard output or error change nothing but what is seen of it."""
    # Messages on standard error never stop the work, not even on a full disk; results on standard
    # output do, unless their reader has gone.
    for name, forgiven in (("stdout", BrokenPipeError), ("stderr", OSError)):
        stream = getattr(sys, name)
        buffer = getattr(stream, "buffer", None)
        if buffer is None or stream.isatty():
            continue
        stream.flush()
        # A folder's name may hold bytes that the stream's encoding does not know.
        errors = "backslashreplace" if stream.errors == "strict" else stream.errors
        text = io.TextIOWrapper(
            # A stream without `raw` is one that Python was asked not to buffer.
            io.BufferedWriter(_Pipe(getattr(buffer, "raw", buffer), forgiven)),
            encoding=stream.encoding,
            errors=errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        setattr(sys, name, text)
