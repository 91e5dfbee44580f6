"""The main loop: blocks of many problems through a pool, each problem stopping on its own."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
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

_JOB_SECONDS = 0.1
_MAX_JOB_BLOCKS = 256


@dataclass
class Tally:
    """What has been done so far, for progress and for the closing line.

    `reused` counts the blocks that were needed and there before, `blocks` those computed; `left` is
    the work that is left as a multiple of the work done, None before anything can be said.
    """

    problems: int = 0
    reused: int = 0
    blocks: int = 0
    replicates: int = 0
    stopped: bool = False
    forecast: Forecast = field(default_factory=Forecast)

    @property
    def left(self) -> float | None:
        """See `Forecast.left`."""
        return self.forecast.left()


@dataclass
class _Active:
    """One problem on its way: which look is being filled, what is still unmet, what is out."""

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
        """Go on to the first look that lacks blocks: which, and what of each; none at the end."""
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
            self.need = self._expected(size * self.work.stopping.factor(series, ~good))
        return {}

    def _expected(self, blocks: float) -> int:
        """The look at which a problem stops if it needs so many blocks."""
        if not self.queries or self.look == len(self.looks):
            return self.looks[self.look - 1]
        later = self.looks[self.look :]
        return next((look for look in later if look >= blocks), later[-1])


# Jobs on their way, each with the problem that it is a part of.
Flying: TypeAlias = dict[Future[list[BlockSums]], tuple[_Active, Job]]


def progress(work: Work, store: Store) -> tuple[int, int]:
    """Blocks that a work has, of those that it needs by its precision so far; equal at its end.

    Parameters
    ----------
    work : Work
    store : Store
    """
    active = _Active.of(work)
    lacking = len(active.lacking(store.of(work.problem)))
    needed = active.seen if not lacking else max(active.need or 0, active.seen)
    return active.seen - lacking, needed


def complete(work: Work, store: Store) -> bool:
    """Whether the store holds every block that a work needs."""
    done, needed = progress(work, store)
    return done == needed


class Conductor:
    """Runs works to their ends.

    Parameters
    ----------
    store : Store
    executor : Executor
    slots : int
        Blocks that can run at once.
    simulate : callable
        Job -> list of BlockSums.
    report : callable
        Called with the Tally after each finished job.
    deadline : float, optional
        `time.monotonic()` after which no new block is started.
    problems : collection of Problem
        Every problem of the works to come, so that the tally can say how much is left.
    """

    def __init__(
        self,
        store: Store,
        executor: Executor,
        slots: int,
        simulate: Callable[[Job], list[BlockSums]],
        report: Callable[[Tally], None] = lambda tally: None,
        deadline: float | None = None,
        problems: Collection[Problem] = (),
    ) -> None:
        self.store, self.executor, self.slots = store, executor, slots
        self.simulate, self.report, self.deadline = simulate, report, deadline
        self.tally = Tally(forecast=Forecast(problems))
        self._pace: dict[str, float] = {}

    def run(self, works: Iterator[Work]) -> Tally:
        """Compute every block that the works still need, in any order, and keep each at once."""
        flying: Flying = {}
        ready: deque[_Active] = deque()
        source = filter(None, map(self._begin, works))
        try:
            while True:
                self._submit(source, ready, flying)
                if not flying:
                    # A time limit has stopped a run only if some problem still lacks blocks.
                    self.tally.stopped = bool(ready) or next(source, None) is not None
                    return self.tally
                for future in wait(flying, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    active, job = flying.pop(future)
                    self._keep(active, job, future.result())
                    if active.out == 0 and not active.waiting and self._advance(active):
                        ready.append(active)
                self.report(self.tally)
        finally:
            self._collect(flying)
            self.store.flush()

    def _submit(self, source: Iterator[_Active], ready: deque[_Active], flying: Flying) -> None:
        """Hand out jobs until every slot has one more than it works on, or nothing is left."""
        while len(flying) < 2 * self.slots and not self._late():
            active = ready[0] if ready else next(source, None)
            if active is None:
                return
            if not ready:
                ready.append(active)
            job = active.waiting.popleft()
            if not active.waiting:
                ready.popleft()
            active.out += 1
            flying[self.executor.submit(self.simulate, job)] = (active, job)

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() > self.deadline

    def _collect(self, flying: Flying) -> None:
        """On the way out after an interruption: what runs is finished and kept."""
        running = {f: v for f, v in flying.items() if not f.cancel()}
        for future, (active, job) in running.items():
            if future.exception() is None:
                self._keep(active, job, future.result())

    def _begin(self, work: Work) -> _Active | None:
        active = _Active.of(work)
        return active if self._advance(active) else None

    def _advance(self, active: _Active) -> bool:
        """Find the next blocks that a problem needs; False when it is finished."""
        work = active.work
        missing = active.lacking(self.store.of(work.problem))
        self.tally.reused += active.reused
        active.reused = 0
        self.tally.forecast.judged(work.problem, active.seen - len(missing), active.need)
        if missing:
            active.waiting = self._jobs(work, missing)
            return True
        self.tally.problems += 1
        self.store.release(work.problem)
        return False

    def _jobs(self, work: Work, missing: dict[int, tuple[int, ...]]) -> deque[Job]:
        """Missing blocks, cut into jobs of about a tenth of a second."""
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
            seconds = sum(s.seconds for s in blocks)
            self.tally.forecast.computed(job.problem, len(blocks), seconds)
            latest, kind = seconds / len(blocks), job.problem.kind
            self._pace[kind] = 0.5 * self._pace.get(kind, latest) + 0.5 * latest
