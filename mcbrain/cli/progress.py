"""What a run shows while it works: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcbrain.conduct import Tally
from mcbrain.runner import Outcome, Reporter
from mcbrain.study import Study

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["TerminalReporter"]

_LINE_SECONDS = 10.0


class TerminalReporter(Reporter):
    """Reports to standard error, so that standard output holds results alone.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.fancy = sys.stderr.isatty()
        self._print(
            f"{study.name}: {study.n_points:,} points, {study.n_rows:,} outputs, seed {study.seed}"
        )

    @staticmethod
    def _print(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """A sentence worth a line."""
        self._print(text)

    @contextmanager
    def stage(self, name: str, problems: int) -> Iterator[Callable[[Tally], None]]:
        """A bar, or a line every ten seconds, with problems done, replicates/s and time left."""
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
                self._print(f"{name}: {_summary(tally, problems, now - begun)}")

        yield line

    def close(self, outcome: Outcome) -> None:
        """The closing lines: what was reused, computed, and where the results are."""
        self._print(
            f"reused {outcome.reused:,} blocks, computed {outcome.computed:,} "
            f"({outcome.replicates:,} replicates) in {outcome.seconds:.1f} s"
        )
        if outcome.stopped:
            self._print("stopped at --max-time; run again to go on")
        if outcome.shard is not None:
            self._print(
                f"shard {outcome.shard}: {outcome.owned:,} of {outcome.problems:,} problems are in "
                f"{outcome.folder}; put the shards together with mcbrain merge DIR... --out DIR"
            )
            return
        if outcome.unmet:
            self._print(
                f"{outcome.unmet:,} of {outcome.rows:,} outputs are above their target standard "
                "error (status mcse_not_met); raise max_replicates or lower the precision"
            )
        self._print(f"results: {outcome.folder / 'results.arrow'}")


def _bar() -> Progress:
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
    elapsed = progress.tasks[task].elapsed or 0.0
    progress.update(task, completed=tally.problems, rate=_rate(tally, problems, elapsed))


def _summary(tally: Tally, problems: int, elapsed: float) -> str:
    return f"{tally.problems:,}/{problems:,} done, {_rate(tally, problems, elapsed)}"


def _rate(tally: Tally, problems: int, elapsed: float) -> str:
    per_second = tally.replicates / elapsed if elapsed > 0 else 0.0
    left = ""
    if tally.problems:
        seconds = elapsed / tally.problems * (problems - tally.problems)
        left = f", about {_duration(seconds)} left"
    return f"{per_second:,.0f} replicates/s{left}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
