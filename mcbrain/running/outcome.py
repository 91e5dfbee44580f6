"""What a run tells its caller: as it goes, and at its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from mcbrain.plan.shards import Shard
from mcbrain.results.writing import Written
from mcbrain.running.conductor import Tally
from mcbrain.store.identity import Identity

__all__ = ["Outcome", "Reporter"]


class Reporter:
    """What a run tells its caller as it goes; silent here."""

    def note(self, text: str) -> None:
        """Take note of a sentence that is worth a line.

        Parameters
        ----------
        text : str
            Without a full stop.
        """

    def stage(self, name: str, problems: int) -> AbstractContextManager[Callable[[Tally], None]]:
        """Begin a stage of computing; it ends with the context.

        Parameters
        ----------
        name : str
            What its problems are, such as "pilots" or "points".
        problems : int
            How many there are.

        Returns
        -------
        context manager
            Its value is called with the Tally as jobs finish, about once a second at least.
        """
        return nullcontext(lambda tally: None)

    def steps(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin something that simulates nothing, and whose length is known.

        Parameters
        ----------
        name : str
            What the steps make, such as "rows".
        total : int
            How many steps there are.

        Returns
        -------
        context manager
            Its value is called, again and again, with the number of steps that are done.
        """
        return nullcontext(lambda done: None)

    def waiting(self, text: str) -> AbstractContextManager[None]:
        """Begin something of which nobody knows how far it is.

        Parameters
        ----------
        text : str
            What it is, such as "planning 1,000 points".

        Returns
        -------
        context manager
            It ends with what has begun.
        """
        return nullcontext()

    def compiling(self, pieces: int) -> AbstractContextManager[Callable[[int, float], None]]:
        """Begin to load kernels, or to compile those that the cache lacks.

        Parameters
        ----------
        pieces : int
            How many pieces of engines there are; see `mcbrain.engines.pieces`.

        Returns
        -------
        context manager
            Its value is called with the number of pieces that are done, and about how many seconds
            are left.
        """
        return nullcontext(lambda done, left: None)


@dataclass(kw_only=True)
class Computed:
    """What was computed, and what was there before.

    Attributes
    ----------
    reused, computed : int
        Blocks that were needed and there before, and blocks computed.
    replicates : int
        Replicates drawn.
    stopped : bool
        Whether a time limit or an interruption came first.
    owned, problems : int
        Problems of the shard, and of the study.
    """

    reused: int = 0
    computed: int = 0
    replicates: int = 0
    stopped: bool = False
    owned: int = 0
    problems: int = 0

    def add(self, tally: Tally) -> None:
        """Count what a stage has done.

        Parameters
        ----------
        tally : Tally
            The stage's own, at its end.
        """
        self.reused += tally.reused
        self.computed += tally.blocks
        self.replicates += tally.replicates
        self.stopped |= tally.stopped


@dataclass
class Outcome(Computed):
    """What a run did, beside the counts of `Computed`.

    Attributes
    ----------
    folder : Path
        The results folder.
    results : Written
        What the results hold; nothing for a shard, which has none of its own.
    other : dict of Identity to int
        Blocks that are there and not used, since other code computed them.
    seconds : float
        How long the run took, from its start to its end.
    shard : Shard, optional
        The part of the study that was run; None for the whole.
    """

    folder: Path
    results: Written = field(default_factory=Written)
    other: dict[Identity, int] = field(default_factory=dict)
    seconds: float = 0.0
    shard: Shard | None = None

    @property
    def rows(self) -> int:
        """Rows of the results."""
        return self.results.rows

    @property
    def unmet(self) -> int:
        """Outputs whose standard error is above its target."""
        return self.results.unmet
