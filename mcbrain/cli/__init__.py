"""The command line: read the arguments, call the function, print what it returned."""

from __future__ import annotations

import errno
import signal
import sys
import warnings
from contextlib import suppress

__all__ = ["main", "stop_if_asked"]

# Ctrl-C, a terminal that is closed, and what batch systems send: SIGTERM, or before a job's time is
# up what `sbatch --signal` or `qsub -notify` name, or SIGXCPU. Not every system has them all.
_ENDINGS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
    if hasattr(signal, name)
)
_asked: list[int] = []
_RESUMED = ("run", "merge", "warmup")
_PATIENCE = 0.5  # seconds
# Errors of the operating system that the user can mend by asking for something else (status 2); any
# other one kept the work from being finished (status 3).
_MISTAKES = (
    errno.ENOENT,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.EINVAL,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)


def main() -> None:
    """Run the command that the arguments name, and end the process with the status of its outcome.

    Whoever made a mistake reads one sentence. Status 2 is bad input, 3 work that could not be
    finished, 128 and more the number of the signal that ended it (130 Ctrl-C, 143 SIGTERM); 0 and 1
    are the command's own.
    """
    from mcbrain.cli.pipes import outlive_readers
    from mcbrain.cli.streams import open_streams

    for number in _ENDINGS:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _interrupt)
    sys.unraisablehook = _say_what_is_lost
    warnings.formatwarning = _as_sentence
    open_streams()
    outlive_readers()
    status = _status()
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0.0)
    for stream in (sys.stdout, sys.stderr):
        # Where the stream cannot be written, the exit status alone says what happened.
        with suppress(OSError):
            stream.flush()
    # The work is done: a signal while the interpreter ends must not change the exit status.
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


def _as_sentence(message: Warning | str, *_: object, **__: object) -> str:
    """A warning as a user of the command line reads it: without the line of code that gave it."""
    return f"mcbrain: {message}\n"


def _status() -> int:
    """Run the command that the arguments name; its exit status."""
    try:
        # These imports come after the handlers are set, since they take long enough to be
        # interrupted.
        import typer

        from mcbrain.cli.commands import app
        from mcbrain.cli.streams import flush
        from mcbrain.errors import InputError, UnfinishedError
    except KeyboardInterrupt:
        return _interruption()
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0
        if status == 130:  # typer's own answer to an interruption
            raise KeyboardInterrupt
        flush()
        return status
    except InputError as error:
        return _complain(str(error), 3 if isinstance(error, UnfinishedError) else 2)
    except KeyboardInterrupt:
        return _complain(_interrupted(), _interruption())
    except typer.Abort as abort:
        # Typer also turns a file that ends early into Abort, which is no interruption.
        if isinstance(abort.__cause__, EOFError):
            raise abort.__cause__ from None
        return _complain(_interrupted(), _interruption())
    except MemoryError:
        return _complain("the memory of this machine does not suffice for what was asked", 3)
    except OSError as error:
        sentence = f"{error.filename or 'file'}: {error.strerror or error}"
        return _complain(sentence, 2 if error.errno in _MISTAKES else 3)
    except Exception as error:  # click reports its own usage errors in this way
        if _asked:  # an interrupted compiler fails in ways of its own
            return _complain(_interrupted(), _interruption())
        if not hasattr(error, "format_message"):
            raise
        return _complain(error.format_message(), 2)


def _interruption() -> int:
    """The status that says which signal ended a command."""
    return 128 + (_asked[0] if _asked else signal.SIGINT)


def stop_if_asked() -> None:
    """Interrupt now if a signal came while compiled code or the compiler swallowed it.

    Raises
    ------
    KeyboardInterrupt
        A signal came before.
    """
    if _asked:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: object) -> None:
    """Handle a signal that ends a command: remember it and interrupt what runs."""
    _asked.append(number)
    _ask_again()
    raise KeyboardInterrupt


def _ask_again() -> None:
    """Raise once more in half a second if kernels are still compiled then.

    Within a callback of the compiler the first interruption is lost.
    """
    if _compiling() and hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _interrupt_compiler)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)


def _interrupt_compiler(number: int, frame: object) -> None:
    """Handle the alarm: interrupt again as long as kernels are being compiled."""
    if _compiling():
        _ask_again()
        raise KeyboardInterrupt


def _compiling() -> bool:
    """Whether kernels are being compiled or loaded; nothing is imported to find out."""
    cache = sys.modules.get("mcbrain.kernels.cache")
    return cache is not None and bool(cache.ACCOUNT.watched)


def _say_what_is_lost(lost: sys.UnraisableHookArgs) -> None:
    """Print Python's own words for an exception that nobody can catch, interruptions aside."""
    if not isinstance(lost.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(lost)


def _interrupted() -> str:
    """What an interrupted command leaves behind: only some have anything to resume from."""
    if sys.argv[1:2] and sys.argv[1] in _RESUMED:
        return "interrupted; everything finished is kept, run again to resume"
    return "interrupted; nothing was kept"


def _complain(sentence: str, status: int) -> int:
    """Print one sentence to standard error, and return the exit status that goes with it."""
    with suppress(OSError):  # on a full disk, the status alone says it
        print("mcbrain: " + " ".join(sentence.split()), file=sys.stderr)
    return status
