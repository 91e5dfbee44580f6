"""A work in progress: what it lacks, the jobs of its blocks, and how far it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcbrain.blocks.problem import Job
from mcbrain.blocks.query import Statistic
from mcbrain.plan.plans import Work
from mcbrain.store.protocol import Store
from mcbrain.store.stored import StoredBlocks

__all__ = ["WorkInProgress", "complete", "progress"]

_MAX_JOB_BLOCKS = 256


@dataclass
class WorkInProgress:
    """A work whose blocks are being computed: the look that is being filled, and what it lacks.

    Attributes
    ----------
    work : Work
        The problem and what is wanted of it.
    looks : list of int
        Numbers of blocks at which it may stop.
    queries : tuple of Statistic
        The statistics that are not precise enough so far.
    look : int
        Place in `looks` of the one whose blocks are lacking.
    need : int or None
        Blocks that it is likely to need in all, by its latest look; None before the first.
    seen : int
        Blocks of the largest look whose blocks have been looked for so far.
    reused : int
        How many of these were there before and have not been counted in the tally yet.
    out : int
        Jobs that workers have not returned.
    waiting : deque of Job
        Jobs that have not been handed out.
    """

    work: Work
    looks: list[int]
    queries: tuple[Statistic, ...]
    look: int = 0
    need: int | None = None
    seen: int = 0
    reused: int = 0
    out: int = 0
    waiting: deque[Job] = field(default_factory=deque)

    @classmethod
    def of(cls, work: Work) -> WorkInProgress:
        """A work of which nothing is known yet.

        Parameters
        ----------
        work : Work
            A problem, what is wanted of it, and when it may stop.

        Returns
        -------
        WorkInProgress
            At the first look.
        """
        return cls(work, work.stopping.looks, work.queries)

    def lacking(self, stored: StoredBlocks) -> dict[int, tuple[int, ...]]:
        """Go on to the first look that lacks blocks.

        Parameters
        ----------
        stored : StoredBlocks
            Those of the problem that there are.

        Returns
        -------
        dict of int to tuple of int
            The number of each block that is lacking, and the statistics that it lacks. Empty where
            every statistic has been precise enough at some look, or the last look is full.
        """
        while self.queries and self.look < len(self.looks):
            size = self.looks[self.look]
            wanted = self.work.with_baselines(self.queries)
            missing = stored.missing([q.id for q in wanted], size, self.work.keep)
            if size > self.seen:
                self.reused += size - self.seen - len(missing)
                self.seen = size
            if missing:
                return missing
            series = stored.series([q.id for q in self.queries]).head(size)
            good = self.work.stopping.met(series, self.queries)
            self.queries = tuple(q for q, fine in zip(self.queries, good, strict=True) if not fine)
            self.look += 1
            if self.queries and self.look < len(self.looks):
                expected = self.work.stopping.expected(series, ~good)
                self.need = max(expected, self.looks[self.look])
            else:
                self.need = size
        return {}

    def glance(self, stored: StoredBlocks) -> int | None:
        """The look at which it is likely to stop, judged by what it has before its first look.

        Parameters
        ----------
        stored : StoredBlocks
            Those of the problem that there are.

        Returns
        -------
        int or None
            Blocks in all; None where there are none to judge by.
        """
        series, stopping = stored.series([q.id for q in self.queries]), self.work.stopping
        if not series.n_blocks:
            return None
        return stopping.expected(series, ~stopping.met(series, self.queries))

    def cut(self, missing: Mapping[int, tuple[int, ...]], length: int) -> None:
        """Make the jobs that wait: each some blocks that lack the same statistics.

        Parameters
        ----------
        missing : mapping of int to tuple of int
            The statistics that each block lacks, by its number; see `lacking`.
        length : int
            Blocks of a job at most.
        """
        by_id = {q.id: q for q in self.work.every}
        length = max(1, min(_MAX_JOB_BLOCKS, length))
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, statistics in missing.items():
            groups.setdefault(statistics, []).append(index)
        self.waiting = deque()
        for statistics, indices in groups.items():
            queries = self.work.with_baselines(tuple(by_id[s] for s in statistics))
            for start in range(0, len(indices), length):
                part = tuple(indices[start : start + length])
                self.waiting.append(Job(self.work.problem, queries, part, self.work.keep))


def progress(work: Work, store: Store) -> tuple[int, int]:
    """How many blocks a work has, and how many it needs.

    Parameters
    ----------
    work : Work
        A problem, what is wanted of it, and when it may stop.
    store : Store
        Where its blocks are looked for.

    Returns
    -------
    done, needed : int
        Blocks that are there of those up to the first look that lacks some, and blocks needed in
        all by the precision so far. Equal where nothing is left to compute.
    """
    active = WorkInProgress.of(work)
    lacking = len(active.lacking(store.of(work.problem)))
    needed = active.seen if not lacking else max(active.need or 0, active.seen)
    return active.seen - lacking, needed


def complete(work: Work, store: Store) -> bool:
    """Whether the store holds every block that a work needs.

    Parameters
    ----------
    work : Work
        A problem, what is wanted of it, and when it may stop.
    store : Store
        Where its blocks are looked for.

    Returns
    -------
    bool
        Whether nothing is left to compute.
    """
    done, needed = progress(work, store)
    return done == needed
