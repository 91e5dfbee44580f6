"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mcbrain.asking.studies import Study
from mcbrain.cli import stop_if_asked
from mcbrain.results.writing import Written
from mcbrain.running.conductor import Tally
from mcbrain.running.merging import Merged
from mcbrain.running.runner import Outcome, Reporter
from mcbrain.store.provenance import other_code

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["TerminalReporter", "close_merge", "duration"]

_LINE_SECONDS = 10.0
# How many missing problems are named at most.
_LISTED = 20


def _say(text: str) -> None:
    """Print a line to standard error at once."""
    print(text, file=sys.stderr, flush=True)


class TerminalReporter(Reporter):
    """A reporter that writes to standard error, so that standard output holds results alone.

    Parameters
    ----------
    study : Study
        The study that runs.
    opening : str
        A sentence to say at the start, after the study's size.
    """

    def __init__(self, study: Study, opening: str = "") -> None:
        # A bar is drawn over itself again and again, which a dumb terminal cannot show.
        self.fancy = sys.stderr.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")
        size = f"{study.n_points:,} points, {study.n_rows:,} outputs, seed {study.seed}"
        # These lines are printed with the first note, so that a run that is refused prints its
        # refusal alone.
        self._unsaid = [f"{study.name}: {size}", *filter(None, [opening])]

    def note(self, text: str) -> None:
        """Print a sentence that deserves a line of its own.

        Parameters
        ----------
        text : str
            The sentence.
        """
        stop_if_asked()
        for line in (*self._unsaid, text):
            _say(line)
        self._unsaid.clear()

    @contextmanager
    def stage(self, name: str, problems: int) -> Iterator[Callable[[Tally], None]]:
        """Show a bar on a terminal, or print a line every ten seconds, while problems are computed.

        Parameters
        ----------
        name : str
            What is computed, in a word.
        problems : int
            How many problems there are.

        Yields
        ------
        callable
            To be called with a Tally whenever a block is done: the problems done, replicates per
            second and the time left are shown.
        """
        if self.fancy:
            with _bar() as progress:
                task = progress.add_task(name, total=problems, rate="")
                yield lambda tally: _advance(progress, task, tally, problems)
            return
        begun = last = time.monotonic()

        def line(tally: Tally) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last > _LINE_SECONDS:
                last = now
                _say(f"{name}: {_summary(tally, problems, now - begun)}")

        yield line

    @contextmanager
    def compiling(self, pieces: int) -> Iterator[Callable[[int, float], None]]:
        """Show a bar on a terminal once kernels are compiled; elsewhere the note before suffices.

        Parameters
        ----------
        pieces : int
            How many pieces there are to compile or to load.

        Yields
        ------
        callable
            To be called with the pieces done and the seconds left whenever a piece is done.
        """
        if not self.fancy:
            yield lambda done, left: stop_if_asked()
            return
        progress = _bar()
        task = progress.add_task("kernels", total=pieces, rate="")

        def show(done: int, left: float) -> None:
            stop_if_asked()
            progress.start()
            progress.update(task, completed=done, rate=f"about {duration(left)} left")

        try:
            yield show
        finally:
            progress.stop()

    def close(self, outcome: Outcome) -> None:
        """Print the closing lines: what was reused, what was computed, and where the results are.

        Parameters
        ----------
        outcome : Outcome
            What the run returned.
        """
        _say(
            f"reused {outcome.reused:,} blocks, computed {outcome.computed:,} "
            f"({outcome.replicates:,} replicates) in {outcome.seconds:.1f} s"
            + (f"; not reused: {other_code(outcome.other)}" if outcome.other else "")
        )

        if outcome.stopped:
            _say("stopped at --max-time; run again to go on")
        if outcome.shard is not None:
            _say(
                f"shard {outcome.shard} has {outcome.owned:,} of the study's "
                f"{outcome.problems:,} problems, its blocks are in {outcome.folder}; "
                "put the shards together with mcbrain merge DIR... --out DIR"
            )
            return
        _close(outcome.results, outcome.folder, outcome.stopped)


def close_merge(merged: Merged) -> None:
    """Print the lines that say what was merged, and what is missing.

    Parameters
    ----------
    merged : Merged
        What the merge returned.
    """
    for note in merged.notes:
        _say(note)
    whole = merged.problems - len(merged.missing)
    folders = "1 folder" if merged.folders == 1 else f"{merged.folders} folders"
    _say(f"merged {folders}: {whole:,} of {merged.problems:,} problems complete")
    if merged.missing:
        listed = "; ".join(merged.missing[:_LISTED])
        more = len(merged.missing) - _LISTED
        _say(f"missing: {listed}" + (f"; and {more:,} more" if more > 0 else ""))
        _say(
            f"merge again with the missing shards, or complete the results with "
            f"mcbrain run {merged.folder / 'study.toml'} --out {merged.folder}"
        )
    # While problems are missing, the number of imprecise outputs is not known.
    _close(replace(merged.results, unmet=0) if merged.missing else merged.results, merged.folder)


def _close(results: Written, folder: Path, stopped: bool = False) -> None:
    """What must be known of the results, and where they are."""
    if results.unmet:
        advice = (
            "the time limit came first, run again to go on"
            if stopped
            else "raise max_replicates or ask for less precision"
        )
        _say(
            f"{results.unmet:,} of {results.rows:,} outputs are above their target standard error "
            f"(status mcse_not_met): {advice}"
        )
    if results.failed:
        _say(
            f"{results.failed:,} of {results.rows:,} outputs have failed replicates: "
            f"mcbrain show {folder} --where failed"
        )
    if results.removed:
        _say("report.html showed former results and was removed; mcbrain report makes it anew")
    for path in results.stale:
        _say(f"{path.name} holds former results; mcbrain export writes it anew")
    _say(f"results: {folder / 'results.arrow'}")


def _bar() -> Progress:
    """A progress bar on standard error, which leaves nothing behind when it ends."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        console=Console(stderr=True),
        transient=True,
    )


def _advance(progress: Progress, task: TaskID, tally: Tally, problems: int) -> None:
    """Move a bar to what is done, with the rate so far."""
    elapsed = progress.tasks[task].elapsed or 0.0
    progress.update(task, completed=tally.problems, rate=_rate(tally, elapsed))


def _summary(tally: Tally, problems: int, elapsed: float) -> str:
    """Problems done, replicates per second and time left, in a line."""
    return f"{tally.problems:,}/{problems:,} done, {_rate(tally, elapsed)}"


def _rate(tally: Tally, elapsed: float) -> str:
    """Replicates per second, and the time left where it is known."""
    per_second = tally.replicates / elapsed if elapsed > 0 else 0.0
    if tally.left is None:
        return f"{per_second:,.0f} replicates/s"
    left = duration(elapsed * tally.left)
    return f"{per_second:,.0f} replicates/s, about {left} left at this pace"


def duration(seconds: float) -> str:
    """A length of time in the unit that a person would choose.

    Parameters
    ----------
    seconds : float
        From 0.

    Returns
    -------
    str
        In seconds below 90 s, in minutes below 90 min, else in hours.
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
