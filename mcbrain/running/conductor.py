"""The main loop: blocks of many problems through a pool, each problem stopping on its own."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TypeAlias

from mcbrain.blocks.problem import Job, Problem
from mcbrain.blocks.sums import BlockSums
from mcbrain.plan.forecast import Forecast
from mcbrain.plan.plans import Work
from mcbrain.running.pool import Pool
from mcbrain.running.work_in_progress import WorkInProgress
from mcbrain.store.protocol import Store

__all__ = ["Conductor", "Tally"]

_FIRST_JOB = 4  # blocks of a job, about, while nobody knows what a block costs


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


Report: TypeAlias = Callable[[Tally], None]


def _unheard(tally: Tally) -> None:
    """Tell nobody what has been done."""


Blocks: TypeAlias = Future[list[BlockSums]]


class Conductor:
    """Runs works to their ends, breadth first.

    Every problem has its first look before any has its second, and so on: whoever ends a run early
    has something of everything. In which order blocks are computed changes no number.

    Parameters
    ----------
    store : Store
        Where blocks are looked for and kept.
    pool : Pool
        What runs the jobs: threads, or the workers of a cluster, of which there may be more or
        fewer as it goes.
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
        pool: Pool,
        simulate: Callable[[Job], list[BlockSums]],
        deadline: float | None = None,
        forecast: Forecast | None = None,
    ) -> None:
        self.store, self.pool, self.simulate, self.deadline = store, pool, simulate, deadline
        self.tally = Tally(forecast=forecast or Forecast())
        # Jobs that have been handed out, the first first, each with the work it is a part of; and
        # those of them that have ended.
        self._flying: dict[Blocks, tuple[WorkInProgress, Job]] = {}
        self._ended: SimpleQueue[Blocks] = SimpleQueue()
        self._pace: dict[str, float] = {}
        # Works with jobs to hand out, the lowest look first and then the first to come; and by
        # problem the works that wait, since two of one problem would compute the same blocks.
        self._ready: list[tuple[int, int, WorkInProgress]] = []
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
        try:
            while True:
                self._submit(works, report)
                if self._late():
                    self._call_back()
                if not self._flying:
                    # A time limit has stopped a run only if some problem still lacks blocks.
                    self.tally.stopped = bool(self._ready) or any(map(self._begin, works))
                    return self.tally
                for future in self._wait():
                    active, job = self._flying.pop(future)
                    self._keep(active, job, future.result())
                    if active.out == 0 and not active.waiting:
                        self._advance(active)
                report(self.tally)
        finally:
            self._collect()
            self.store.flush()

    def _submit(self, works: Iterator[Work], report: Report) -> None:
        """Hand out jobs until every slot has one to do and some to follow, or nothing is left."""
        while len(self._flying) < self.pool.room and not self._late():
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
            future = self.pool.executor.submit(self.simulate, job)
            self._flying[future] = (active, job)
            future.add_done_callback(self._ended.put)

    def _wait(self) -> Iterator[Blocks]:
        """Jobs that have ended, as soon as there are any; none after a second without one."""
        try:
            ended = self._ended.get(timeout=1.0)
            while True:
                if ended in self._flying:  # and was not called back
                    yield ended
                ended = self._ended.get_nowait()
        except Empty:
            return

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _call_back(self) -> None:
        """Let nothing run but what slots are at now, or may be: each has one job and the next."""
        for future in list(self._flying)[2 * self.pool.slots :]:
            if future.cancel():
                active, job = self._flying.pop(future)
                active.out -= 1
                if not active.waiting:
                    self._wait_for_slots(active)
                active.waiting.appendleft(job)

    def _collect(self) -> None:
        """On the way out, cancel the jobs that have not begun and keep the blocks of the others."""
        running = {f: v for f, v in self._flying.items() if not f.cancel()}
        self._flying.clear()
        for future, (active, job) in running.items():
            if future.exception() is None:
                self._keep(active, job, future.result())

    def _begin(self, work: Work) -> bool:
        """Take a work up, or let it wait for another of its problem; whether it has jobs now."""
        if work.problem in self._behind:
            self._behind[work.problem].append(work)
            return False
        self._behind[work.problem] = deque()
        return self._advance(WorkInProgress.of(work))

    def _advance(self, active: WorkInProgress) -> bool:
        """Make jobs of the next blocks that a problem needs; False where it needs no more."""
        work = active.work
        missing = active.lacking(self.store.of(work.problem))
        self.tally.reused += active.reused
        active.reused = 0
        self.tally.forecast.judged(work.problem, active.seen - len(missing), active.need)
        if missing:
            active.cut(missing, self._job_length(work, len(missing)))
            self._wait_for_slots(active)
            return True
        behind = self._behind.pop(work.problem)
        self._complete.add(work.problem.key)
        self.tally.problems = len(self._complete)
        if not behind:
            self.store.release(work.problem)
            return False
        following = behind.popleft()
        self._behind[work.problem] = behind
        return self._advance(WorkInProgress.of(following))

    def _wait_for_slots(self, active: WorkInProgress) -> None:
        """Put a work in the queue of those with jobs to hand out."""
        heapq.heappush(self._ready, (active.look, next(self._places), active))

    def _job_length(self, work: Work, missing: int) -> int:
        """Blocks of a job that keeps a slot busy for long enough and leaves the others some."""
        pace = self._pace.get(work.problem.kind)
        long = _FIRST_JOB if pace is None else round(self.pool.job_seconds / max(pace, 1e-6))
        return min(long, -(-missing // max(1, self.pool.slots)))

    def _keep(self, active: WorkInProgress, job: Job, blocks: list[BlockSums]) -> None:
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
