"""The main loop: blocks of many problems through a pool, each problem stopping on its own."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field
from typing import TypeAlias

from mcbrain.blocks.problem import Job, Problem
from mcbrain.blocks.query import Statistic
from mcbrain.blocks.sums import BlockSums
from mcbrain.plan.forecast import Forecast
from mcbrain.plan.plans import Work
from mcbrain.store.protocol import Store
from mcbrain.store.stored import StoredBlocks

__all__ = ["Conductor", "Tally", "complete", "progress"]

_JOB_SECONDS = 0.1  # of one core, for which a job should keep a worker busy
_MAX_JOB_BLOCKS = 256


@dataclass
class Tally:
    """What has been done so far, for progress and for the closing line.

    Attributes
    ----------
    problems : int
        Problems of which a work has every block that it needs.
    reused : int
        Blocks that were needed and there before.
    blocks, replicates : int
        Blocks that were computed, and the replicates that were drawn for them.
    stopped : bool
        Whether the time limit came while some problem still lacked blocks.
    begun : float or None
        `time.monotonic()` when the first job was handed out; None before.
    forecast : Forecast
        What each problem of the stage still needs, and what it costs.
    """

    problems: int = 0
    reused: int = 0
    blocks: int = 0
    replicates: int = 0
    stopped: bool = False
    begun: float | None = None
    forecast: Forecast = field(default_factory=Forecast)

    @property
    def pace(self) -> float | None:
        """Core seconds computed in a second, all cores and waits together; None before any are."""
        if self.begun is None or not self.forecast.done:
            return None
        return self.forecast.done / max(time.monotonic() - self.begun, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds until the stage is done at this pace; None before anything can be said."""
        left, pace = self.forecast.left(), self.pace
        return None if left is None or pace is None else left / pace

    @property
    def share(self) -> float:
        """Share of the stage's work that is done, as far as that can be said."""
        left = self.forecast.left()
        return 0.0 if left is None else self.forecast.done / (self.forecast.done + left)


@dataclass
class _Active:
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
    def of(cls, work: Work) -> _Active:
        return cls(work, work.stopping.looks, work.queries)

    def lacking(self, stored: StoredBlocks) -> dict[int, tuple[int, ...]]:
        """Go on to the first look that lacks blocks.

        Returns
        -------
        dict of int to tuple of int
            The number of each block that is lacking, and the statistics that it lacks. Empty where
            every statistic has been precise enough at some look, or the last look is full.
        """
        while self.queries and self.look < len(self.looks):
            size = self.looks[self.look]
            wanted = self.work.with_baselines(self.queries)
            missing = stored.missing([q.id for q in wanted], size)
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
        """The look at which it is likely to stop, judged by what it has before its first look."""
        series, stopping = stored.series([q.id for q in self.queries]), self.work.stopping
        if not series.n_blocks:
            return None
        return stopping.expected(series, ~stopping.met(series, self.queries))


Report: TypeAlias = Callable[[Tally], None]


def _unheard(tally: Tally) -> None:
    """Tell nobody what has been done."""


# Jobs that have been handed out, by the future of their blocks, each with the work it is a part of.
Flying: TypeAlias = dict[Future[list[BlockSums]], tuple[_Active, Job]]


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
    active = _Active.of(work)
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


class Conductor:
    """Runs works to their ends, breadth first.

    Every problem has its first look before any has its second, and so on: whoever ends a run early
    has something of everything. In which order blocks are computed changes no number.

    Parameters
    ----------
    store : Store
        Where blocks are looked for and kept.
    executor : Executor
        What runs the jobs: threads, or the workers of a cluster.
    slots : int
        Jobs that it can run at once.
    simulate : callable
        Job -> list of BlockSums, in the order of the job's block numbers. A cluster pickles it.
    deadline : float, optional
        `time.monotonic()` after which no new block is started; default none.
    forecast : Forecast, optional
        Made of every problem of the works to come, so that the tally can say how much is left.

    Attributes
    ----------
    tally : Tally
        What has been done so far.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        slots: int,
        simulate: Callable[[Job], list[BlockSums]],
        deadline: float | None = None,
        forecast: Forecast | None = None,
    ) -> None:
        self.store, self.executor, self.slots = store, executor, slots
        self.simulate, self.deadline = simulate, deadline
        self.tally = Tally(forecast=forecast or Forecast())
        self._pace: dict[str, float] = {}
        # Works with jobs to hand out, the lowest look first and then the first to come; and by
        # problem the works that wait, since two of one problem would compute the same blocks.
        self._ready: list[tuple[int, int, _Active]] = []
        self._behind: dict[Problem, deque[Work]] = {}
        self._complete: set[bytes] = set()
        self._places = itertools.count()

    def look_up(self, works: Iterator[Work], report: Report = _unheard) -> bool:
        """See what works lack, until one of them lacks its first look, or all have been seen.

        Parameters
        ----------
        works : iterator of Work
            Those that were not looked up so far.
        report : callable, optional
            Called with the Tally after each work that was seen.

        Returns
        -------
        bool
            Whether any block is lacking.
        """
        for work in works:
            if self._begin(work) and self._ready[0][2].look == 0:
                break
            report(self.tally)
            if self._late():
                break
        return bool(self._ready)

    def run(self, works: Iterator[Work], report: Report = _unheard) -> Tally:
        """Compute every block that works still need, breadth first, and keep each at once.

        Whatever `simulate` or the executor raises is raised here too, after the blocks that other
        workers were at have been kept.

        Parameters
        ----------
        works : iterator of Work
            Those that were not looked up so far.
        report : callable, optional
            Called with the Tally when jobs have finished, at least once a second, and after each
            work that was looked up.

        Returns
        -------
        Tally
            What was done.
        """
        flying: Flying = {}
        try:
            while True:
                self._submit(works, report, flying)
                if not flying:
                    # A time limit has stopped a run only if some problem still lacks blocks.
                    self.tally.stopped = bool(self._ready) or any(map(self._begin, works))
                    return self.tally
                for future in wait(flying, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    active, job = flying.pop(future)
                    self._keep(active, job, future.result())
                    if active.out == 0 and not active.waiting:
                        self._advance(active)
                report(self.tally)
        finally:
            self._collect(flying)
            self.store.flush()

    def _submit(self, works: Iterator[Work], report: Report, flying: Flying) -> None:
        """Hand out jobs until every slot has one to do and one to follow, or nothing is left."""
        while len(flying) < 2 * self.slots and not self._late():
            if not self._ready or self._ready[0][2].look > 0:
                self.look_up(works, report)
            if not self._ready:
                return
            active = self._ready[0][2]
            job = active.waiting.popleft()
            if not active.waiting:
                heapq.heappop(self._ready)
            active.out += 1
            self.tally.begun = self.tally.begun or time.monotonic()
            flying[self.executor.submit(self.simulate, job)] = (active, job)

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _collect(self, flying: Flying) -> None:
        """On the way out, cancel the jobs that have not begun and keep the blocks of the others."""
        running = {f: v for f, v in flying.items() if not f.cancel()}
        for future, (active, job) in running.items():
            if future.exception() is None:
                self._keep(active, job, future.result())

    def _begin(self, work: Work) -> bool:
        """Take a work up, or let it wait for another of its problem; whether it has jobs now."""
        if work.problem in self._behind:
            self._behind[work.problem].append(work)
            return False
        self._behind[work.problem] = deque()
        return self._advance(_Active.of(work))

    def _advance(self, active: _Active) -> bool:
        """Make jobs of the next blocks that a problem needs; False where it needs no more."""
        work = active.work
        missing = active.lacking(self.store.of(work.problem))
        self.tally.reused += active.reused
        active.reused = 0
        self.tally.forecast.judged(work.problem, active.seen - len(missing), active.need)
        if missing:
            active.waiting = self._jobs(work, missing)
            heapq.heappush(self._ready, (active.look, next(self._places), active))
            return True
        behind = self._behind.pop(work.problem)
        self._complete.add(work.problem.key)
        self.tally.problems = len(self._complete)
        if not behind:
            self.store.release(work.problem)
            return False
        following = behind.popleft()
        self._behind[work.problem] = behind
        return self._advance(_Active.of(following))

    def _jobs(self, work: Work, missing: dict[int, tuple[int, ...]]) -> deque[Job]:
        """Missing blocks, cut into jobs of about `_JOB_SECONDS` and spread over all slots."""
        by_id = {q.id: q for q in work.queries}
        pace = self._pace.get(work.problem.kind, _JOB_SECONDS / 4)
        length = max(1, min(_MAX_JOB_BLOCKS, round(_JOB_SECONDS / max(pace, 1e-6))))
        length = max(1, min(length, -(-len(missing) // self.slots)))
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, statistics in missing.items():
            groups.setdefault(statistics, []).append(index)
        jobs: deque[Job] = deque()
        for statistics, indices in groups.items():
            queries = work.with_baselines(tuple(by_id[s] for s in statistics))
            for start in range(0, len(indices), length):
                jobs.append(Job(work.problem, queries, tuple(indices[start : start + length])))
        return jobs

    def _keep(self, active: _Active, job: Job, blocks: list[BlockSums]) -> None:
        active.out -= 1
        statistics = tuple(q.id for q in job.queries)
        for sums in blocks:
            self.store.add(job.problem, statistics, sums)
            self.tally.blocks += 1
            self.tally.replicates += sums.replicates
        if blocks:
            seconds, forecast = sum(s.seconds for s in blocks), self.tally.forecast
            forecast.computed(job.problem, len(blocks), seconds)
            if forecast.blind:
                forecast.expected(job.problem, active.glance(self.store.of(job.problem)))
            latest, kind = seconds / len(blocks), job.problem.kind
            self._pace[kind] = 0.5 * self._pace.get(kind, latest) + 0.5 * latest
