"""Pieces of engines compiled, or loaded where their machine code is kept.

Where several pieces lack, each is compiled by a process of its own, as many at a time as there are
cores; these fill the folder of machine code, from which this process then loads. Whatever they
leave, this process compiles itself.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from mcbrain.engines.pieces import Piece, seconds

__all__ = ["OutOfTimeError", "compile_pieces", "help_compile"]

_LOOK_SECONDS = 0.1
_PROGRAM = "from mcbrain.engines.compiling import help_compile; help_compile()"

Show = Callable[[int, float], None]
"""Told how many pieces are compiled, and about how many seconds are left."""


class OutOfTimeError(BaseException):
    """A time limit came while kernels were compiled.

    The compiler makes an error of its own of every `Exception` that is raised within it.
    """


def compile_pieces(
    pieces: Sequence[Piece],
    note: Callable[[str], None] = lambda sentence: None,
    show: Show = lambda done, left: None,
    *,
    deadline: float | None = None,
    cores: int = 1,
) -> float:
    """Compile pieces, or load them from where their machine code is kept.

    Parameters
    ----------
    pieces : sequence of Piece
        The longest first.
    note : callable, optional
        Told before kernels are compiled, and whether the machine code is kept; nothing where it
        was there.
    show : callable, optional
        Told, again and again, how many pieces are compiled and about how many seconds are left.
        It is called only while several processes compile.
    deadline : float, optional
        `time.monotonic()`, in seconds, after which no further kernel is compiled.
    cores : int
        Processes that may compile at once. Machine code that cannot be kept is compiled by this
        process alone.

    Returns
    -------
    float
        Seconds of wall-clock time that it took.

    Raises
    ------
    OutOfTimeError
        The deadline came; every kernel that was finished is kept.
    """
    begun = time.perf_counter()
    if not pieces:
        return 0.0
    from mcbrain.kernels.cache import keeps, watching

    cores = min(cores, len(pieces)) if sys.executable and keeps() else 1

    def check() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise OutOfTimeError

    def watch(done: int, left: float) -> None:
        check()
        show(done, left)

    def begin() -> None:
        account.compiling = check  # called before each kernel that is compiled from now on
        check()
        about = sum(map(seconds, pieces)) / cores
        note(f"compiling the kernels, about {about:.0f} s, once")
        if cores > 1:
            _side_by_side(pieces, cores, watch)

    with watching(begin) as account:
        before = account.missed
        for piece in pieces:
            _compile(piece)
    took = time.perf_counter() - begun
    if account.missed > before:
        why = account.unkept
        end = f"; could not be kept because {why}" if why else ", kept for later runs"
        note(f"compiled in {took:.0f} s{end}")
    return took


def _compile(piece: Piece) -> None:
    """Compile or load one piece in this process."""
    with _without_collection():
        import_module(f"mcbrain.engines.{piece.engine}").compile_piece(piece)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Switch the search for garbage off: it takes a tenth of the time in which code is compiled."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _side_by_side(pieces: Sequence[Piece], cores: int, show: Show) -> None:
    """Have pieces compiled by other processes, and wait for them; their failures do not count."""
    begun, waiting, total = time.monotonic(), list(pieces), sum(map(seconds, pieces))
    running: dict[subprocess.Popen[bytes], Piece] = {}
    done: list[Piece] = []
    try:
        while waiting or running:
            while waiting and len(running) < cores:
                piece = waiting.pop(0)
                running[_helper(piece)] = piece
            time.sleep(_LOOK_SECONDS)
            done += [running.pop(p) for p in list(running) if p.poll() is not None]
            spent, ready = time.monotonic() - begun, sum(map(seconds, done))
            show(len(done), max((total / cores if not done else spent * total / ready) - spent, 0))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _helper(piece: Piece) -> subprocess.Popen[bytes]:
    """Start a process that compiles one piece into this process's folder of machine code."""
    from mcbrain.kernels.cache_folder import cache_folder

    path = os.pathsep.join(os.path.abspath(place) for place in sys.path)  # noqa: PTH100
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, str(cache_folder()), json.dumps(piece)],
        env=os.environ | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def help_compile() -> None:
    """Compile the piece that the command names, if its machine code is for the folder named."""
    from mcbrain.kernels.cache_folder import cache_folder

    folder, piece = sys.argv[1:]
    # Another interpreter or other settings of the compiler: nobody would look for this code.
    if str(cache_folder()) == folder:
        _compile(Piece(*json.loads(piece)))
