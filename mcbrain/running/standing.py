"""How far a results folder is: what is done, what is missing, who is at work in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.blocks.problem import BrainProblem, Problem, RawProblem
from mcbrain.blocks.query import Statistic
from mcbrain.engines import engine_for
from mcbrain.errors import MissingPilotError
from mcbrain.plan.forecast import Forecast
from mcbrain.plan.plans import Plan, User, pilots_of
from mcbrain.plan.shards import owned, parse_shard
from mcbrain.plan.subspaces import PILOT_BLOCKS
from mcbrain.results.opening import open_plan
from mcbrain.results.tables import open_results
from mcbrain.running.cores import available_cores
from mcbrain.running.work_in_progress import progress
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.identity import code_identity
from mcbrain.store.lock import in_use

__all__ = ["ProblemStanding", "Standing", "status"]


@dataclass(frozen=True)
class ProblemStanding:
    """How far one problem is.

    Attributes
    ----------
    name : str
        The points that it serves, or what it is a pilot of.
    done : int
        Blocks that are there, of those that are needed.
    needed : int or None
        Blocks in all, by the precision so far; None where a pilot has to come first.
    other_code : int
        Blocks of it that other code computed, which a run would not use.
    seconds : float
        Core seconds that the blocks took.
    """

    name: str
    done: int
    needed: int | None
    other_code: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether nothing is left to compute."""
        return self.needed is not None and self.done >= self.needed

    @property
    def seconds_left(self) -> float | None:
        """Core seconds to come at the cost of its blocks so far; None before there are any."""
        if self.complete:
            return 0.0
        if self.needed is None or not self.done:
            return None
        return self.seconds / self.done * (self.needed - self.done)


@dataclass(frozen=True)
class Standing:
    """How far a results folder is; see `status`.

    Attributes
    ----------
    folder, study, engine : str
        The path of the folder, the name of its study, and the engine that serves it.
    shard : str or None
        The part of the study that the folder is for, such as "2/3".
    running : bool
        Whether a run is writing in the folder now.
    problems : tuple of ProblemStanding
        Pilots first. Empty for the engine `law`, which simulates nothing.
    blocks : dict
        Blocks on disk by the code that computed them, in words.
    other_code : dict
        Those of them that neither a run nor the rows use.
    reused : tuple of str
        The other code whose blocks count, in words: a run has accepted them for the rows.
    rows_of : tuple of str
        The code behind the rows, in words; empty where there are none.
    rows, unmet, missing : int
        Rows of the results, those above their target standard error, and among them those that no
        replicate was drawn for yet.
    report : str
        "none", "up to date" or "older than the results".
    stale : tuple of str
        Exported tables that are older than the results.
    seconds_left : float or None
        Until all is done, at the pace that the latest run has noted; where none has, as if every
        core of this machine worked. None before anything can be said.
    """

    folder: str
    study: str
    engine: str
    shard: str | None
    running: bool
    problems: tuple[ProblemStanding, ...]
    blocks: dict[str, int]
    other_code: dict[str, int]
    reused: tuple[str, ...]
    rows_of: tuple[str, ...]
    rows: int
    unmet: int
    missing: int
    report: str
    stale: tuple[str, ...]
    seconds_left: float | None

    @property
    def complete(self) -> int:
        """Problems for which nothing is left to compute."""
        return sum(problem.complete for problem in self.problems)

    def as_dict(self) -> dict[str, object]:
        """All that is known, for a file in JSON.

        Returns
        -------
        dict
            The fields, and the number of complete problems; each problem is a dict of its own
            fields, whether it is complete and the core seconds that it still needs.
        """
        problems = [
            {**asdict(p), "complete": p.complete, "seconds_left": p.seconds_left}
            for p in self.problems
        ]
        lists = {name: list(getattr(self, name)) for name in ("reused", "rows_of", "stale")}
        return {**asdict(self), **lists, "problems": problems, "complete": self.complete}


def status(folder: str | Path) -> Standing:
    """Say how far a results folder is; nothing in it is changed.

    Parameters
    ----------
    folder : str or Path
        A results folder, of a shard or not, in use or not.

    Returns
    -------
    Standing
        What is done, what is missing, and who is at work in the folder.

    Raises
    ------
    StoreError
        It is not a results folder, or one whose blocks are of a newer format.
    """
    home = ResultsFolder(folder)
    study, record = home.study(), home.record()
    engine, _ = engine_for(study)
    running = in_use(home.path)
    reuses = bool(record.get("other_code_accepted"))
    store = BlockStore(home.blocks, read_only=True, any_code=reuses)
    plan = open_plan(study, engine, store)
    problems, left = _problems(plan, store, record.get("shard"), home.pace())
    rows, unmet, missing = _rows(home)
    return Standing(
        folder=str(home.path),
        study=study.name,
        engine=engine,
        shard=record.get("shard"),
        running=running,
        problems=problems,
        blocks={code.name: number for code, number in store.counts().items()},
        other_code={code.name: number for code, number in store.unused().items()},
        reused=tuple(code.name for code in store.used if code != code_identity()),
        rows_of=tuple(code.name for code in home.codes()) if rows else (),
        rows=rows,
        unmet=unmet,
        missing=missing,
        report=_report(home),
        stale=tuple(p.name for p in home.exports() if _older(p, home.results)),
        seconds_left=left,
    )


def _problems(
    plan: Plan[User], store: BlockStore, shard: str | None, pace: float | None
) -> tuple[tuple[ProblemStanding, ...], float | None]:
    """How far every problem is, and the seconds left at a pace."""
    every = plan.problems()
    mine = owned(every, parse_shard(shard)) if shard else set(every)
    problems = {problem: users for problem, users in every.items() if problem in mine}
    found = [
        _pilot(number, problem, statistics, store)
        for number, (problem, statistics) in enumerate(pilots_of(plan, problems))
    ]
    forecast = Forecast(problems, plan.most)
    for problem, users in problems.items():
        try:
            works = [progress(work, store) for work in plan.works(problem, users)]
            done, needed = min(d for d, _ in works), max(n for _, n in works)
        except MissingPilotError:
            done, needed = 0, None
        seconds = _seconds(problem, store)
        found.append(
            ProblemStanding(
                plan.describe(problem, users), done, needed, store.unused_of(problem), seconds
            )
        )
        if done and needed is not None:
            forecast.judged(problem, 0, needed)
            forecast.computed(problem, done, seconds)
    if all(problem.complete for problem in found):
        return tuple(found), 0.0
    left = forecast.left()
    return tuple(found), None if left is None else left / (pace or available_cores())


def _pilot(
    number: int,
    problem: BrainProblem | RawProblem,
    statistics: Sequence[Statistic],
    store: BlockStore,
) -> ProblemStanding:
    """How far a pilot is; several models may have one at the same numbers of samples."""
    samples = f"n_brain = {problem.n_brain}"
    if isinstance(problem, RawProblem):
        samples = f"n_task = {problem.n_task}, {samples}"
    missing = store.of(problem).missing([s.id for s in statistics], PILOT_BLOCKS)
    return ProblemStanding(
        f"pilot {number} for {samples}",
        PILOT_BLOCKS - len(missing),
        PILOT_BLOCKS,
        store.unused_of(problem),
        _seconds(problem, store),
    )


def _seconds(problem: Problem, store: BlockStore) -> float:
    """Core seconds of a problem's blocks."""
    table = store.rows((problem.key, problem.seed))
    return float(pc.sum(table["seconds"]).as_py() or 0.0)


def _rows(home: ResultsFolder) -> tuple[int, int, int]:
    """Numbers of rows: all, those above their target, and those without a replicate so far."""
    if not home.results.exists():
        return 0, 0, 0
    table = open_results(home.path)
    unmet = pc.equal(table["status"].cast(pa.string()), "mcse_not_met")
    missing = pc.and_(unmet, pc.equal(table["replicates"], 0))
    return table.num_rows, pc.sum(unmet).as_py() or 0, pc.sum(missing).as_py() or 0


def _report(home: ResultsFolder) -> str:
    """Whether there is a report, and of which results."""
    if not home.report.exists():
        return "none"
    return "older than the results" if _older(home.report, home.results) else "up to date"


def _older(path: Path, than: Path) -> bool:
    return than.exists() and path.stat().st_mtime_ns < than.stat().st_mtime_ns
