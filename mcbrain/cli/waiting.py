"""Words for whoever waits: nothing at first, then how far it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING, TypeAlias

from mcbrain.cli import stop_if_asked

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Show", "bar", "patience", "say", "shown", "steps", "terminal"]

_FIRST_SECONDS = 2.0  # before anything is said of how far something is
_LINE_SECONDS = 10.0  # between two lines
_BAR_SECONDS = 0.2  # between two looks of a bar

Show: TypeAlias = Callable[[Callable[[], tuple[float, str]]], None]
"""Takes a function that finds the share that is done, and words; called only when it is shown."""


def say(text: str) -> None:
    """Print a line to standard error at once.

    Parameters
    ----------
    text : str
    """
    print(text, file=sys.stderr, flush=True)


def terminal() -> bool:
    """Whether standard error can show a bar, which is drawn over itself again and again.

    Returns
    -------
    bool
        False for files, pipes and terminals that call themselves dumb.
    """
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


def bar() -> Progress:
    """A progress bar on standard error, which leaves nothing behind when it ends.

    Returns
    -------
    rich.progress.Progress
        Not started yet.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
        console=Console(stderr=True),
        transient=True,
    )


@contextmanager
def shown(name: str) -> Iterator[Show]:
    """Show how far something is: a bar on a terminal, a line every ten seconds elsewhere.

    Parameters
    ----------
    name : str
        What is done, in a word or two.

    Yields
    ------
    Show
        To be called as often as one likes.
    """
    drawn = bar() if terminal() else None
    task = drawn.add_task(name, total=1.0, rate="") if drawn else None
    due = time.monotonic() + _FIRST_SECONDS

    def show(find: Callable[[], tuple[float, str]]) -> None:
        nonlocal due
        now = time.monotonic()
        if now < due:
            return
        share, words = find()
        if drawn is None or task is None:
            due = now + _LINE_SECONDS
            say(f"{name}: {words}")
            return
        due = now + _BAR_SECONDS
        drawn.start()
        drawn.update(task, completed=share, rate=words)

    try:
        yield show
    finally:
        if drawn:
            drawn.stop()


@contextmanager
def steps(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many steps are done.

    Parameters
    ----------
    name : str
        What is done, in a word or two.
    total : int
        How many steps there are.

    Yields
    ------
    callable
        To be called with the number of steps done.
    """
    with shown(name) as show:

        def tell(done: int) -> None:
            stop_if_asked()
            show(lambda: (done / max(total, 1), f"{done:,}/{total:,}"))

        yield tell


@contextmanager
def patience(text: str) -> Iterator[None]:
    """Say what is at work where nobody knows how far it is, if it takes longer than a moment.

    Parameters
    ----------
    text : str
        A sentence.
    """
    timer = Timer(_FIRST_SECONDS, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
