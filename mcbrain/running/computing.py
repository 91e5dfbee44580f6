"""A study computed: every block that its problems need, and results that no folder keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import pyarrow as pa

from mcbrain.asking.engines import engine_of
from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import Problem
from mcbrain.blocks.query import Statistic
from mcbrain.engines import engine_for
from mcbrain.engines import simulate as simulate_job
from mcbrain.engines.pieces import Piece, pieces_of
from mcbrain.plain import numpy_defaults
from mcbrain.plan.forecast import Forecast
from mcbrain.plan.plans import Plan, User, Work, all_works, pilots_of
from mcbrain.plan.shards import Shard, owned
from mcbrain.plan.stopping import Stopping
from mcbrain.plan.subspaces import PILOT_BLOCKS
from mcbrain.results.column import schema_of
from mcbrain.results.columns import columns_of
from mcbrain.results.opening import open_plan
from mcbrain.results.view import Results
from mcbrain.results.writing import about
from mcbrain.running.conductor import Conductor, Tally
from mcbrain.running.cores import available_cores
from mcbrain.running.outcome import Computed, Reporter
from mcbrain.running.pool import Pool
from mcbrain.running.workers import open_workers
from mcbrain.store.memory import MemoryStore
from mcbrain.store.protocol import Store
from mcbrain.store.provenance import metadata, run_entry

__all__ = ["compute", "compute_blocks", "warm", "warm_study"]

# Pieces of engines whose kernels this process has loaded for a computation in memory.
_READY: set[Piece] = set()


@numpy_defaults
def compute(
    study: Study,
    store: Store | None = None,
    *,
    threads: int | None = None,
    reporter: Reporter | None = None,
) -> Results:
    """Compute a study and keep its results in memory; the rows are those that `run` writes.

    Parameters
    ----------
    study : Study
        What is asked.
    store : Store, optional
        Where blocks are kept, and found if they are there already; default memory, which is lost
        with the results.
    threads : int, optional
        Threads on this machine, 1 to 4096; default all cores that this process may use. No number
        depends on it.
    reporter : Reporter, optional
        Told how far the computation is; default one that is silent.

    Returns
    -------
    Results
        The rows of every point of the study, and the blocks behind them.

    Raises
    ------
    InputError
        The study names an engine that would be wrong for it, a penalty has no law and may not be
        simulated, a metric has the name of a column, or `threads` is out of range.
    """
    reporter = reporter or Reporter()
    store = MemoryStore() if store is None else store
    started = time.time()
    engine, _ = engine_for(study)
    columns = columns_of(study)
    with open_workers(threads) as pool:
        plan = open_plan(study, engine, store)
        if engine_of(engine).draws:
            compute_blocks(plan, store, Computed(), reporter, pool, lambda: _load(plan, reporter))
        with reporter.steps("rows", study.n_points) as tell:
            batches = list(plan.rows(store, tell))
    run = run_entry(started, pool.most, len(store.added), sum(store.added))
    record = {**about(study, engine, store, {}), "runs": [run]}
    schema = schema_of(columns).with_metadata(metadata(record))
    table = pa.Table.from_batches(batches, schema.remove_metadata()).replace_schema_metadata(
        schema.metadata
    )
    return Results.in_memory(study, table, store)


def _load(plan: Plan[User], reporter: Reporter) -> None:
    """Compile, or load from the cache, the kernels of a plan that this process lacks."""
    pieces = _pieces(plan)
    _compile([piece for piece in pieces if piece not in _READY], reporter)
    _READY.update(pieces)


def compute_blocks(
    plan: Plan[User],
    store: Store,
    found: Computed,
    reporter: Reporter,
    pool: Pool,
    prepare: Callable[[], object],
    *,
    shard: Shard | None = None,
    deadline: float | None = None,
    after_job: Callable[[Tally], None] = lambda tally: None,
) -> None:
    """Compute every block that the problems of a plan, or of a part of it, still need.

    Pilots come first: they measure what the penalties of the other problems follow from. Where the
    time limit stops them, nothing else is begun.

    Parameters
    ----------
    plan : Plan
        The plan of the study, made from the same store.
    store : Store
        Where blocks are looked for, and kept as soon as they are computed.
    found : Computed
        To its counts is added what is done here.
    reporter : Reporter
        Told of each stage, and how far it is.
    pool : Pool
        What runs the jobs; see `open_workers`.
    prepare : callable
        Called once without arguments, before the first block is computed, and not at all where no
        block is lacking: kernels take seconds to load, and minutes to compile.
    shard : Shard, optional
        The part of the study whose problems are computed; default the whole.
    deadline : float, optional
        `time.monotonic()` after which no new block is started; default none.
    after_job : callable, optional
        Called after each job with the Tally of its stage so far; the job's blocks are in the store
        by then.
    """
    prepared = False
    with reporter.waiting(f"planning {plan.study.n_points:,} points"):
        every = plan.problems()
        problems = _part_of(every, shard)
        first = [_pilot_work(p, s) for p, s in pilots_of(plan, problems)]
    found.problems, found.owned = len(every), len(problems)

    def stage(name: str, works: Iterable[Work], forecast: Forecast, size: int) -> None:
        nonlocal prepared
        coming, conductor = iter(works), Conductor(store, pool, simulate_job, deadline, forecast)
        with reporter.steps(f"looking for blocks of {name}", size) as tell:
            work_to_do = conductor.look_up(coming, lambda tally: tell(tally.problems))
        if work_to_do and not prepared:
            prepare()
            prepared = True
        with reporter.stage(name, size) as show:

            def told(tally: Tally) -> None:
                show(tally)
                after_job(tally)

            tally = conductor.run(coming, told)
        found.add(tally)

    if first:
        pilots = Forecast([work.problem for work in first], lambda pilot: PILOT_BLOCKS)
        stage("pilots", first, pilots, len(first))
        store.reload()
    if found.stopped:  # the penalties that rest on pilots are not known before their end
        return
    forecast = Forecast(problems, plan.most)
    stage(plan.stage, all_works(plan, problems), forecast, len(problems))
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
    """Compile, or load from the cache, the kernels that a plan and its pilots run.

    Parameters
    ----------
    plan : Plan
        The plan of a study, whose problems say which kernels they run.
    reporter : Reporter
        Told before kernels are compiled, how far that is, how long it took, and whether they are
        kept.
    deadline : float, optional
        `time.monotonic()` after which no further kernel is compiled; default none.

    Returns
    -------
    float
        Seconds that it took.

    Raises
    ------
    OutOfTimeError
        The deadline came; every kernel that was finished is kept.
    """
    return _compile(_pieces(plan), reporter, deadline)


def warm_study(study: Study, reporter: Reporter) -> tuple[str, float]:
    """Choose the engine of a study, and compile or load what it runs.

    Parameters
    ----------
    study : Study
        What is asked.
    reporter : Reporter
        Told how far the compilation is; see `warm`.

    Returns
    -------
    engine : str
        Name of the engine.
    seconds : float
        Seconds that it took; 0 for an engine that simulates nothing.

    Raises
    ------
    InputError
        The study names an engine that would be wrong for it.
    """
    engine, _ = engine_for(study)
    if not engine_of(engine).draws:
        return engine, 0.0
    return engine, warm(open_plan(study, engine, MemoryStore()), reporter)


def _pieces(plan: Plan[User]) -> Sequence[Piece]:
    """The pieces of engines that a plan and its pilots run."""
    problems = plan.problems()
    return pieces_of(plan.study, [*problems, *(p for p, _ in pilots_of(plan, problems))])


def _compile(pieces: Sequence[Piece], reporter: Reporter, deadline: float | None = None) -> float:
    from mcbrain.engines.compiling import compile_pieces

    with reporter.compiling(len(pieces)) as show:
        return compile_pieces(
            pieces, reporter.note, show, deadline=deadline, cores=available_cores()
        )
