"""The main job: a study in, results out; run again, it resumes."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import msgspec

from mcbrain.asking.engines import engine_of
from mcbrain.asking.from_toml import load_study
from mcbrain.asking.studies import KEPT, Study
from mcbrain.checks import one_of
from mcbrain.engines import OutOfTimeError
from mcbrain.errors import UnfinishedError
from mcbrain.plain import numpy_defaults
from mcbrain.plan.shards import Shard
from mcbrain.results.opening import open_plan
from mcbrain.running.computing import compute_blocks, warm, warm_study
from mcbrain.running.finished import note_finished, recall
from mcbrain.running.keeping import FirstRows
from mcbrain.running.keeping import keep as keep_rows
from mcbrain.running.outcome import Outcome, Reporter
from mcbrain.running.setup import prepare_folder, set_aside, set_up
from mcbrain.running.workers import open_workers
from mcbrain.store.kept_files import bring_files
from mcbrain.store.lock import writing

__all__ = ["Outcome", "Reporter", "run", "warm", "warm_study"]


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
    plugins: bool = False,
    keep: str | None = None,
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
        Threads on this machine, 1 to 4096; default all cores that this process may use. No number
        depends on it.
    cluster : str, SecuredAddress, cluster of dask or dask.distributed.Client, optional
        Run the blocks there instead: the address of a scheduler, such as "tcp://HOST:PORT", alone
        or with its certificates, a client, or an object that starts workers itself, such as
        `dask_jobqueue.SLURMCluster`. Workers may join and leave as the run goes; see
        `mcbrain.running.cluster`.
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
    plugins : bool
        Whether the code of plug-ins that the study file names may run; of no effect on a Study.
    keep : {"replicates"}, optional
        Also keep what each replicate says, in `replicates/point-NNNNNN.arrow`; as `replicates =
        true` in the section [output] of the study.
    reporter : Reporter, optional
        Told what the user should know, and how far the run is; default one that is silent.

    Returns
    -------
    Outcome
        What was computed, what was there before, whether a time limit came first, and what the
        results hold.

    Raises
    ------
    InputError
        The study, a keyword, the folder or the cluster cannot be used, as one sentence says;
        nothing was written.
    UnfinishedError
        A full disk, a folder that may not be written, a lost cluster. What is finished is kept; so
        it is after a KeyboardInterrupt, and `results.arrow` has the rows that follow from it.
    """
    if not isinstance(study, Study):
        study = load_study(study, plugins=plugins)
    if keep is not None:
        one_of("keep", keep, KEPT)
        study = study.with_options(output=msgspec.structs.replace(study.output, **{keep: True}))
    reporter = reporter or Reporter()
    setup = set_up(study, out, max_time, shard, fresh, reuse_other_code)
    with open_workers(threads, cluster, reporter.note) as pool:
        aside = set_aside(setup.folder, reporter) if fresh else None
        with writing(setup.folder.path):
            bring_files(study, aside)
            store = prepare_folder(setup, reporter)
            former = setup.folder.record()
            first_rows = FirstRows(setup, former, store, pool)
            outcome = Outcome(setup.folder.path, shard=setup.part, other=store.unused())
            if recall(setup, store, outcome):
                outcome.seconds = time.time() - setup.started
                return outcome
            plan = open_plan(study, setup.engine, store)
            try:
                if engine_of(setup.engine).draws:
                    compute_blocks(
                        plan,
                        store,
                        outcome,
                        reporter,
                        pool,
                        lambda: warm(plan, reporter, setup.deadline),
                        shard=setup.part,
                        deadline=setup.deadline,
                        after_job=first_rows,
                    )
            except OutOfTimeError:
                outcome.stopped = True
                reporter.note("the time limit came before every kernel was compiled")
            except BaseException as reason:
                outcome.stopped = True
                if store.added or isinstance(reason, (KeyboardInterrupt, UnfinishedError)):
                    # Rows of the blocks that there are. An error in writing them must not hide the
                    # reason why there are no more.
                    with suppress(Exception):
                        store.reload()
                        keep_rows(setup, former, plan, store, outcome, pool)
                raise
            with reporter.steps("rows", study.n_points) as tell:
                keep_rows(setup, former, plan, store, outcome, pool, tell)
            note_finished(setup, store, outcome)
    outcome.seconds = time.time() - setup.started
    return outcome
