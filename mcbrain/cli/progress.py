"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from mcbrain.asking.studies import Study
from mcbrain.cli import stop_if_asked
from mcbrain.cli.waiting import bar, patience, say, shown, steps, terminal
from mcbrain.results.writing import Written
from mcbrain.running.conductor import Tally
from mcbrain.running.merging import Merged
from mcbrain.running.runner import Outcome, Reporter
from mcbrain.store.provenance import other_code

__all__ = ["StepsReporter", "TerminalReporter", "close_merge", "duration"]

# How many missing problems are named at most.
_LISTED = 20


class StepsReporter(Reporter):
    """Shows on standard error how far something is that simulates nothing."""

    def steps(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far something is that simulates nothing.

        Parameters
        ----------
        name : str
            What is done, in a word or two.
        total : int
            How many steps there are.

        Returns
        -------
        context manager
            See `waiting.steps`.
        """
        return steps(name, total)


class TerminalReporter(StepsReporter):
    """A reporter that writes to standard error, so that standard output holds results alone.

    Parameters
    ----------
    study : Study
        The study that runs.
    opening : str
        A sentence to say at the start, after the study's size.
    """

    def __init__(self, study: Study, opening: str = "") -> None:
        self.fancy = terminal()
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
            say(line)
        self._unsaid.clear()

    @contextmanager
    def stage(self, name: str, problems: int) -> Iterator[Callable[[Tally], None]]:
        """Show how far the problems of a stage are, a bar on a terminal and lines elsewhere.

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
        begun = time.monotonic()
        with shown(name) as show:
            yield lambda tally: show(
                lambda: (tally.share, _summary(tally, problems, time.monotonic() - begun))
            )

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """Say what is at work if it takes longer than a moment.

        Parameters
        ----------
        text : str
            A sentence.

        Returns
        -------
        context manager
            See `waiting.patience`.
        """
        return patience(text)

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
        progress = bar()
        task = progress.add_task("kernels", total=pieces, rate="")

        def show(done: int, left: float) -> None:
            stop_if_asked()
            progress.start()
            words = f"{done}/{pieces}, about {duration(left)} left"
            progress.update(task, completed=done, rate=words)

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
        say(
            f"reused {outcome.reused:,} blocks, computed {outcome.computed:,} "
            f"({outcome.replicates:,} replicates) in {outcome.seconds:.1f} s"
            + (f"; not reused: {other_code(outcome.other)}" if outcome.other else "")
        )

        if outcome.stopped:
            say("stopped at --max-time; run again to go on")
        if outcome.shard is not None:
            say(
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
        say(note)
    whole = merged.problems - len(merged.missing)
    folders = "1 folder" if merged.folders == 1 else f"{merged.folders} folders"
    say(f"merged {folders}: {whole:,} of {merged.problems:,} problems complete")
    if merged.missing:
        listed = "; ".join(merged.missing[:_LISTED])
        more = len(merged.missing) - _LISTED
        say(f"missing: {listed}" + (f"; and {more:,} more" if more > 0 else ""))
        say(
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
        say(
            f"{results.unmet:,} of {results.rows:,} outputs are above their target standard error "
            f"(status mcse_not_met): {advice}"
        )
    if results.failed:
        say(
            f"{results.failed:,} of {results.rows:,} outputs have failed replicates: "
            f"mcbrain show {folder} --where failed"
        )
    if results.removed:
        say("report.html showed former results and was removed; mcbrain report makes it anew")
    for path in results.stale:
        say(f"{path.name} holds former results; mcbrain export writes it anew")
    say(f"results: {folder / 'results.arrow'}")


def _summary(tally: Tally, problems: int, elapsed: float) -> str:
    """Problems done, replicates per second and time left, in a line."""
    per_second = tally.replicates / elapsed if elapsed > 0 else 0.0
    said = f"{tally.problems:,}/{problems:,} done, {per_second:,.0f} replicates/s"
    return said if tally.left is None else f"{said}, about {duration(tally.left)} left at this pace"


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
