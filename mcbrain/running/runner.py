"""The main job: a study in, results out; run again, it resumes."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mcbrain.asking.engines import engine_of
from mcbrain.asking.from_toml import load_study
from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import Problem
from mcbrain.blocks.query import Statistic
from mcbrain.checks import duration, numpy_defaults
from mcbrain.engines import OutOfTimeError, choose
from mcbrain.engines import simulate as simulate_job
from mcbrain.errors import InputError, UnfinishedError
from mcbrain.plan.plans import Plan, User, Work, all_works, pilots_of
from mcbrain.plan.shards import Shard, owned, parse_shard
from mcbrain.plan.stopping import Stopping
from mcbrain.plan.subspaces import PILOT_BLOCKS
from mcbrain.results.opening import open_plan
from mcbrain.results.writing import about, write_results
from mcbrain.running.conductor import Conductor, Tally
from mcbrain.running.outcome import Outcome, Reporter
from mcbrain.running.workers import available_cores, open_workers
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.provenance import history, machine_change, other_code, run_entry

__all__ = ["Outcome", "Reporter", "run", "warm", "warm_study"]

_FIRST_ROWS = 2.0  # seconds of computing before the first rows of a folder are written
_ROW_SECONDS = 5e-4  # and at least so many for each row: some ten times what writing it takes
_LONGEST = 200  # bytes of a folder's name; file systems allow 255


@numpy_defaults
def run(
    study: Study | str | Path,
    out: str | Path | None = None,
    *,
    threads: int | None = None,
    cluster: object = None,
    max_time: float | str | None = None,
    shard: Shard | str | None = None,
    fresh: bool = False,
    reuse_other_code: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Run a study, or resume it.

    Parameters
    ----------
    study : Study, str or Path
        A study, a TOML file, or the name of a shipped study.
    out : str or Path, optional
        Results folder; default results/NAME, for a shard results/NAME-shard-I-of-N.
    threads : int, optional
        Threads on this machine; default all cores. No number depends on it.
    cluster : str or dask.distributed.Client, optional
        Run the blocks there instead.
    max_time : float or str, optional
        After this long no kernel is compiled and no block is started any more: seconds, or text
        such as "90s", "10m" or "2h". Those on their way are finished.
    shard : Shard or str, optional
        Such as "2/3": run the second of three parts. Its folder holds blocks, and no results until
        `mcbrain.merge` has put the parts together. "1/1" is the whole study.
    fresh : bool
        Start over, after moving what is in the folder aside.
    reuse_other_code : bool
        Use the blocks that other code has computed, such as another version of mcbrain or NumPy;
        the provenance of the rows then says so.
    reporter : Reporter, optional

    Raises
    ------
    InputError
        One sentence; nothing was written.
    UnfinishedError
        A full disk, a folder that may not be written, a lost cluster. What is finished is kept; so
        it is after a KeyboardInterrupt, and `results.arrow` has the rows that follow from it.
    """
    if not isinstance(study, Study):
        study = load_study(study)
    reporter = reporter or Reporter()
    setup = _set_up(study, out, max_time, shard, fresh, reuse_other_code)
    with open_workers(threads, cluster, reporter.note) as pool:
        aside = setup.folder.set_aside() if fresh else None
        if aside is not None:
            reporter.note(f"what was in {setup.folder.path} is now in {aside}")
        with setup.folder.writing():
            setup.folder.bring_files(study, aside)
            store = _prepare_folder(setup, reporter)
            former = setup.folder.record()
            first_rows = _FirstRows(setup, former, store, pool[1])
            outcome = Outcome(setup.folder.path, shard=setup.part, other=store.unused())
            plan = open_plan(study, setup.engine, store)
            try:
                if engine_of(setup.engine).draws:
                    warm(plan, reporter, setup.deadline)
                    _simulate(plan, store, outcome, reporter, pool, setup.deadline, first_rows)
            except OutOfTimeError:
                outcome.stopped = True
                reporter.note("the time limit came before every kernel was compiled")
            except BaseException as reason:
                outcome.stopped = True
                if store.added or isinstance(reason, (KeyboardInterrupt, UnfinishedError)):
                    # Rows of what there is; why there is no more is told, whatever follows.
                    with suppress(Exception):
                        store.reload()
                        _keep(setup, former, plan, store, outcome, pool[1])
                raise
            _keep(setup, former, plan, store, outcome, pool[1])
    outcome.seconds = time.time() - setup.started
    return outcome


def _keep(
    setup: _Setup,
    former: Mapping[str, object],
    plan: Plan[Any],
    store: BlockStore,
    outcome: Outcome,
    slots: int,
) -> None:
    """Write the rows that follow from the blocks; of a shard, how far it is."""
    record = about(setup.study, setup.engine, store, former)
    run = run_entry(setup.started, slots, len(store.added), sum(store.added))
    if setup.part is None:
        outcome.results = write_results(
            setup.folder, setup.study, plan, store, record, history(former), run
        )
        return
    runs = history(former) + ([run] if store.added else [])
    part = {"shard": str(setup.part), "complete": not outcome.stopped}
    setup.folder.keep_record({**record, **part, "runs": runs})


class _FirstRows:
    """Rows for whoever looks while the first run of a folder is at work, or finds it killed.

    They are written as soon as that costs little of the time that has passed, and again whenever
    that time has doubled, from a store and a plan of their own: the run's would keep what they know
    of blocks that are not all there.
    """

    def __init__(
        self, setup: _Setup, former: Mapping[str, object], store: BlockStore, slots: int
    ) -> None:
        self._setup, self._former, self._store, self._slots = setup, former, store, slots
        self._begun = time.monotonic()
        self._due = self._begun + max(_FIRST_ROWS, _ROW_SECONDS * setup.study.n_rows)
        if setup.part is not None or setup.folder.results.exists():
            self._due = math.inf

    def __call__(self) -> None:
        """Write them if they are due, which is never where there were results before."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + (now - self._begun)
        self._store.flush()
        setup = self._setup
        store = BlockStore(setup.folder.blocks, read_only=True, any_code=setup.any_code)
        store.added = self._store.added
        plan = open_plan(setup.study, setup.engine, store)
        outcome = Outcome(setup.folder.path, stopped=True)
        _keep(setup, self._former, plan, store, outcome, self._slots)


@dataclass(frozen=True)
class _Setup:
    """What a run needs to know, settled before anything is written."""

    study: Study
    folder: ResultsFolder
    engine: str
    why: str
    part: Shard | None
    started: float
    deadline: float | None
    any_code: bool


def _set_up(
    study: Study,
    out: str | Path | None,
    max_time: float | str | None,
    shard: Shard | str | None,
    fresh: bool,
    any_code: bool,
) -> _Setup:
    """Where, by which engine, which part and until when; or a refusal."""
    part = shard if isinstance(shard, (Shard, type(None))) else parse_shard(str(shard))
    part = None if part is None or part.count == 1 else part
    started, deadline = time.time(), None
    if max_time is not None:
        deadline = time.monotonic() + duration("max_time", max_time)
    folder = ResultsFolder(out if out is not None else Path("results") / _slug(study.name, part))
    folder.check(study)
    engine, why = choose(study)
    if part is not None:
        _check_shard(part, folder, engine, fresh)
    return _Setup(study, folder, engine, why, part, started, deadline, any_code)


def _check_shard(part: Shard, folder: ResultsFolder, engine: str, fresh: bool) -> None:
    """Refuse a shard where there is nothing to share, or where whole results are."""
    if engine == "law":
        raise InputError(f"--shard {part}: engine 'law' simulates nothing that could be shared")
    if folder.results.exists() and not fresh:
        raise InputError(
            f"--shard {part}: {folder.path} holds results of the whole study; "
            "choose another folder for the shard with --out"
        )


def _prepare_folder(setup: _Setup, reporter: Reporter) -> BlockStore:
    """Open the blocks, and write down whose they are, should the run be cut short."""
    folder = setup.folder
    store = BlockStore(folder.blocks, any_code=setup.any_code)
    reporter.note(f"engine {setup.engine}: {setup.why}")
    for sentence in store.notes:
        reporter.note(sentence)
    if changed := machine_change(folder.record()):
        reporter.note(changed)
    if others := store.unused():
        reporter.note(
            f"blocks of other code are here and not used: {other_code(others)}; "
            "--reuse-other-code accepts them"
        )
    if kept := folder.replaced_study(setup.study):
        reporter.note(
            f"the study has changed: results.arrow will hold it as it is now; {kept} "
            "keeps the former text"
        )
    if not folder.results.exists():
        folder.keep_study(setup.study)
    if setup.part is not None:
        former = folder.record()
        record = about(setup.study, setup.engine, store, former)
        part = {"shard": str(setup.part), "complete": False}
        folder.keep_record({**record, **part, "runs": history(former)})
    return store


def _simulate(
    plan: Plan[User],
    store: BlockStore,
    outcome: Outcome,
    reporter: Reporter,
    pool: tuple[Executor, int],
    deadline: float | None,
    first_rows: Callable[[], None],
) -> None:
    """Compute every block that the problems of the run still need."""
    every = plan.problems()
    problems = _part_of(every, outcome.shard)
    outcome.problems, outcome.owned = len(every), len(problems)

    def stage(name: str, works: Iterable[Work], problems: Collection[Problem]) -> None:
        with reporter.stage(name, len(problems)) as show:

            def told(tally: Tally) -> None:
                show(tally)
                first_rows()

            conductor = Conductor(store, *pool, simulate_job, told, deadline, problems)
            tally = conductor.run(iter(works))
        outcome.add(tally)

    first = [_pilot_work(p, s) for p, s in pilots_of(plan, problems)]
    if first:
        stage("pilots", first, [work.problem for work in first])
        store.reload()
    if outcome.stopped:  # no penalty is known before the end of the pilots
        return
    stage(plan.stage, all_works(plan, problems), problems)
    store.compact()


def _part_of(
    problems: Mapping[Problem, Sequence[User]], shard: Shard | None
) -> Mapping[Problem, Sequence[User]]:
    """The problems of a shard; all of them without one."""
    if shard is None:
        return problems
    mine = owned(problems, shard)
    return {problem: users for problem, users in problems.items() if problem in mine}


def _pilot_work(problem: Problem, statistics: tuple[Statistic, ...]) -> Work:
    """A pilot has a fixed size: it is done when its blocks are there."""
    return Work(problem, statistics, Stopping(PILOT_BLOCKS))


def warm(plan: Plan[User], reporter: Reporter, deadline: float | None = None) -> float:
    """Compile, or load from the cache, the kernels that a plan and its pilots run; seconds it took.

    Parameters
    ----------
    plan : Plan
    reporter : Reporter
        Told before kernels are compiled, how far that is, how long it took, and whether they are
        kept.
    deadline : float, optional
        See `mcbrain.engines.compiling.compile_pieces`.
    """
    from mcbrain.engines.compiling import compile_pieces
    from mcbrain.engines.pieces import pieces_of

    problems = plan.problems()
    pieces = pieces_of(plan.study, [*problems, *(p for p, _ in pilots_of(plan, problems))])
    with reporter.compiling(len(pieces)) as show:
        return compile_pieces(
            pieces, reporter.note, show, deadline=deadline, cores=available_cores()
        )


def warm_study(study: Study, reporter: Reporter) -> tuple[str, float]:
    """The engine of a study, and the seconds that `warm` took for it."""
    engine, _ = choose(study)
    if engine == "law":
        return engine, 0.0
    with TemporaryDirectory(prefix="mcbrain-") as folder:
        return engine, warm(open_plan(study, engine, BlockStore(Path(folder))), reporter)


def _slug(name: str, part: Shard | None) -> str:
    """A folder name from a study's name: nothing that could lead elsewhere."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-")
    if not kept:
        raise InputError(f"name = {name!r}: has no letter or digit to name a folder by; use --out")
    if len(kept.encode()) > _LONGEST:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        kept = f"{kept.encode()[:_LONGEST].decode(errors='ignore')}-{digest}"
    return kept if part is None else f"{kept}-shard-{part.number}-of-{part.count}"
