"""The main job: a study in, results out; run again, it resumes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from mcbrain.ask import adhoc_study
from mcbrain.conduct import Conductor, Tally
from mcbrain.engines import choose
from mcbrain.engines import simulate as simulate_job
from mcbrain.errors import InputError
from mcbrain.model import Model
from mcbrain.plan.factored import FactoredPlan
from mcbrain.plan.penalties import Penalties, pilots
from mcbrain.plan.sampled import SampledPlan, Work
from mcbrain.plan.subspaces import PILOT_BLOCKS, PilotSubspaces
from mcbrain.rows.brain import brain_batches
from mcbrain.rows.columns import BRAIN_SCHEMA, RESULT_SCHEMA
from mcbrain.rows.factored import factored_rows
from mcbrain.rows.law import law_rows
from mcbrain.rows.predictor import Predictor
from mcbrain.rows.sampled import sampled_rows
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder, metadata, provenance, write_text
from mcbrain.store.segments import write_table
from mcbrain.study import Study, load_study
from mcbrain.workers import open_workers

__all__ = ["Outcome", "Reporter", "run", "simulate"]


class Reporter:
    """What a run tells its caller as it goes; silent here."""

    def note(self, text: str) -> None:
        """A sentence worth a line."""

    def stage(self, name: str, problems: int) -> AbstractContextManager[Callable[[Tally], None]]:
        """A stage begins; the context's value is called as its blocks finish."""
        return nullcontext(lambda tally: None)


@dataclass
class Outcome:
    """What a run did.

    Attributes
    ----------
    folder : Path
    rows : int
    reused, computed : int
        Blocks found on disk, and blocks computed.
    replicates : int
        Replicates drawn in this run.
    seconds : float
    unmet : int
        Outputs whose standard error is above its target.
    stopped : bool
        Whether `max_time` ended the run early.
    """

    folder: Path
    rows: int = 0
    reused: int = 0
    computed: int = 0
    replicates: int = 0
    seconds: float = 0.0
    unmet: int = 0
    stopped: bool = False
    table: pa.Table = field(default=None, repr=False)


def run(
    study: Study | str | Path,
    out: str | Path | None = None,
    *,
    threads: int | None = None,
    cluster: Any = None,
    max_time: float | None = None,
    fresh: bool = False,
    reporter: Reporter | None = None,
) -> Outcome:
    """Run a study, or resume it.

    Parameters
    ----------
    study : Study, str or Path
        A study, a TOML file, or the name of a shipped study.
    out : str or Path, optional
        Results folder; default results/NAME.
    threads : int, optional
        Threads on this machine; default all cores. No number depends on it.
    cluster : str or dask.distributed.Client, optional
        Run the blocks there instead.
    max_time : float, optional
        Seconds after which no new block is started.
    fresh : bool
        Start over, after moving what is in the folder aside.
    reporter : Reporter, optional

    Raises
    ------
    InputError
        One sentence; nothing was written.
    """
    if not isinstance(study, Study):
        study = load_study(study)
    reporter = reporter or Reporter()
    started = time.time()
    folder = ResultsFolder(out if out is not None else Path("results") / _slug(study.name))
    folder.check(study)
    engine, why = choose(study)
    if fresh and (aside := folder.set_aside()):
        reporter.note(f"what was in {folder.path} is now in {aside}")
    with folder.writing():
        reporter.note(f"engine {engine}: {why}")
        store = BlockStore(folder.blocks)
        for sentence in store.notes:
            reporter.note(sentence)
        outcome = Outcome(folder.path, reused=store.n_stored)
        deadline = None if max_time is None else time.monotonic() + max_time
        source = _rows(study, engine, store, outcome, reporter, (threads, cluster, deadline))
        record = provenance(study, engine, threads or 0, started)
        _write(folder, study, source, store, record, outcome)
    outcome.seconds = time.time() - started
    return outcome


def _rows(
    study: Study,
    engine: str,
    store: BlockStore,
    outcome: Outcome,
    reporter: Reporter,
    place: tuple[int | None, Any, float | None],
) -> Iterator[pa.RecordBatch]:
    """Simulate what is missing, then the rows of the study."""
    if engine == "law":
        return law_rows(study)
    subspaces = PilotSubspaces(study, store)
    threads, cluster, deadline = place
    with open_workers(threads, cluster) as (executor, slots):
        warm(study, engine, reporter)

        def stage(
            name: str, works: Iterable[Work], number: int, until: float | None = None
        ) -> None:
            with reporter.stage(name, number) as show:
                conductor = Conductor(store, executor, slots, simulate_job, show, until)
                tally = conductor.run(iter(works))
            outcome.computed += tally.blocks
            outcome.replicates += tally.replicates
            outcome.stopped |= tally.stopped

        first = [_pilot_work(p, s) for p, s in pilots(study, subspaces)]
        if first:
            stage("pilots", first, len(first))  # short, and no penalty is known before their end
            store.reload()
        penalties = Penalties(study, subspaces, store)
        if engine == "spectral":
            factored = FactoredPlan(study, penalties, subspaces)
            name = "brain problems" if study.law else "brain and task problems"
            stage(name, factored.works(), factored.n_works(), deadline)
        else:
            sampled = SampledPlan(study, engine, penalties)
            stage("points", sampled.works(), study.n_points, deadline)
    store.compact()
    if engine == "spectral":
        return factored_rows(factored, store)
    return sampled_rows(sampled, store, Predictor(study, subspaces))


def _pilot_work(problem: Any, statistics: tuple[Any, ...]) -> Work:
    """A pilot has a fixed size: it is done when its blocks are there."""
    import numpy as np

    return Work(problem, statistics, PILOT_BLOCKS, lambda series, asked: np.ones(len(asked), bool))


def warm(study: Study, engine: str, reporter: Reporter) -> float:
    """Compile, or load from the cache, the kernels that a study needs; seconds it took.

    Parameters
    ----------
    study : Study
    engine : str
    reporter : Reporter
        Told how long compiling took when it took more than a second.
    """
    from mcbrain.engines import warm_up

    begun = time.perf_counter()
    warm_up(engine)
    seconds = time.perf_counter() - begun
    if seconds > 1.0:
        reporter.note(f"compiled the kernels in {seconds:.1f} s (kept for the next run)")
    return seconds


def _write(
    folder: ResultsFolder,
    study: Study,
    source: Iterator[pa.RecordBatch],
    store: BlockStore,
    record: dict[str, Any],
    outcome: Outcome,
) -> None:
    """Write results, brain moments, study and provenance, each whole or not at all."""
    import pyarrow.compute as pc

    def counted() -> Iterator[pa.RecordBatch]:
        for batch in source:
            status = batch.column("status").cast(pa.string())
            outcome.unmet += pc.sum(pc.equal(status, "mcse_not_met")).as_py() or 0
            yield batch

    schema = RESULT_SCHEMA.with_metadata(metadata(record))
    outcome.rows = write_table(folder.results, counted(), schema)
    write_table(
        folder.brain, brain_batches(study, store), BRAIN_SCHEMA.with_metadata(metadata(record))
    )
    folder.keep_study(study)
    write_text(folder.provenance_file, json.dumps(record, indent=1, sort_keys=True))


def simulate(
    model: Model,
    n_task: int | Iterable[int],
    n_brain: int | Iterable[int] = 0,
    estimators: Mapping[str, Any] | None = None,
    shifts: Iterable[str] = ("id",),
    *,
    precision: float = 0.01,
    absolute: float | None = None,
    max_replicates: int = 1_000_000,
    seed: int = 0,
    engine: str = "auto",
    law: bool = True,
    threads: int | None = None,
    rank: int | None = None,
    encoding_penalty: float = 0.0,
    penalty_scale: str = "per-sample",
) -> pa.Table:
    """Simulate one model; the same numbers as `mcbrain run` gives for the same seed.

    Parameters
    ----------
    model : Model
    n_task, n_brain : int or iterable of int
        Task and brain samples; a grid of both is simulated.
    estimators : mapping, optional
        Name to penalty rule, as in a study; default ols, ridge, befs and befs-oracle, tuned.
    shifts : iterable of str
        Test laws in text, such as "brain-insensitive:4".
    precision, absolute : float
        Targets of each output: standard error / mean, and standard error. A precision of 0 runs
        exactly `max_replicates`, rounded up to whole blocks.
    max_replicates : int
    seed : int
    engine : str
        "auto", "raw", "sufficient", "spectral" or "law".
    law : bool
        Engine spectral: whether the exact law of the task stage stands for its simulation.
    threads : int, optional
    rank, encoding_penalty, penalty_scale
        Stage 1 and the penalty convention, as in a study.

    Returns
    -------
    pyarrow.Table
        A row per output, columns as in a results file.

    Raises
    ------
    InputError
        What was asked has no meaning for the model.
    """
    study = adhoc_study(
        model,
        n_task,
        n_brain,
        estimators,
        shifts,
        seed=seed,
        rank=rank,
        encoding_penalty=encoding_penalty,
        penalty_scale=penalty_scale,
        engine=engine,
        law=law,
        precision={"relative": float(precision), "max_replicates": max_replicates}
        | ({} if absolute is None else {"absolute": float(absolute)}),
    )
    with TemporaryDirectory(prefix="mcbrain-") as folder:
        run(study, folder, threads=threads)
        with pa.memory_map(str(Path(folder) / "results.arrow")) as source:
            table = pa.ipc.open_file(source).read_all()
        # The folder goes away with this block, so the rows move into memory.
        return pa.Table.from_batches([_copied(b) for b in table.to_batches()], table.schema)


def _copied(batch: pa.RecordBatch) -> pa.RecordBatch:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return pa.ipc.open_stream(sink.getvalue()).read_next_batch()


def _slug(name: str) -> str:
    """A folder name from a study's name: nothing that could lead elsewhere."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-")
    if not kept:
        raise InputError(f"name = {name!r}: has no letter or digit to name a folder by; use --out")
    return kept


def with_overrides(
    study: Study,
    *,
    precision: float | None = None,
    engine: str | None = None,
    seed: int | None = None,
) -> Study:
    """A study with the command line's options in place of its own."""
    if precision is not None:
        study = study.with_options(precision=replace_relative(study, precision))
    if engine is not None:
        study = study.with_options(engine=engine)
    if seed is not None:
        study = study.with_options(seed=seed)
    return study


def replace_relative(study: Study, relative: float) -> Any:
    """The study's precision with another relative target."""
    import msgspec

    return msgspec.structs.replace(study.precision, relative=relative)
