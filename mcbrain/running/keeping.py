"""The rows that follow from a run's blocks, written at its end and now and then before it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from mcbrain.plan.plans import Plan, Tell, User, silent
from mcbrain.results.kept_replicates import write_replicates
from mcbrain.results.opening import open_plan
from mcbrain.results.writing import about, write_results
from mcbrain.running.conductor import Tally
from mcbrain.running.outcome import Outcome
from mcbrain.running.pool import Pool
from mcbrain.running.setup import Setup
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.provenance import history, run_entry

__all__ = ["FirstRows", "keep"]

_PACE_SECONDS = 2.0  # between two notes of a run's pace
# The first rows of a folder are written after so many seconds of computing, or so many for each
# row where that is more: about ten times what writing a row takes.
_FIRST_ROWS = 2.0
_ROW_SECONDS = 5e-3


def keep(
    setup: Setup,
    former: Mapping[str, object],
    plan: Plan[User],
    store: BlockStore,
    outcome: Outcome,
    pool: Pool,
    tell: Tell = silent,
) -> None:
    """Write the rows that follow from the blocks of a run.

    The folder of a shard gets no rows, only its record: which shard it is, whether it is complete,
    and its runs.

    Parameters
    ----------
    setup : Setup
        The study, its engine, its folder and the part that was run.
    former : mapping
        The record that was in the folder when the run began, whose history goes on.
    plan : Plan
        The plan of the study, which makes its rows from blocks.
    store : BlockStore
        The blocks of the folder, and those that this run has added.
    outcome : Outcome
        Says whether the run was stopped. Its `results` are replaced by what was written, unless the
        run is a shard's.
    pool : Pool
        What ran the blocks, for the record.
    tell : callable, optional
        Told, again and again, how many points have their rows.

    Raises
    ------
    StoreError
        A file cannot be written; each of them is whole, old or new.
    """
    record = about(setup.study, setup.engine, store, former)
    run = run_entry(setup.started, pool.most, len(store.added), sum(store.added))
    if setup.part is None:
        outcome.results = write_results(
            setup.folder, setup.study, plan, store, record, history(former), run, tell
        )
        write_replicates(setup.folder, plan, store)
        return
    runs = history(former) + ([run] if store.added else [])
    part = {"shard": str(setup.part), "complete": not outcome.stopped}
    setup.folder.keep_record({**record, **part, "runs": runs})


class FirstRows:
    """Rows for whoever looks while the first run of a folder is at work, or finds it killed.

    They are written as soon as that costs little of the time that has passed, and again whenever
    that time has doubled. A store and a plan are opened anew for them, since those of the run would
    remember what they have read of blocks that are not all there. The pace of the run is noted as
    well, for `mcbrain status`. Where the folder holds results already, and for a shard, no row is
    written before the end.

    Parameters
    ----------
    setup : Setup
        The study, its engine, its folder and the part that is run.
    former : mapping
        The record that was in the folder when the run began.
    store : BlockStore
        Where the run adds its blocks; they are written to disk before rows are made of them.
    pool : Pool
        What runs the blocks, for the record.
    """

    def __init__(
        self, setup: Setup, former: Mapping[str, object], store: BlockStore, pool: Pool
    ) -> None:
        self._setup, self._former, self._store, self._pool = setup, former, store, pool
        self._begun = time.monotonic()
        self._pace_due = self._begun + _PACE_SECONDS
        self._due = self._begun + max(_FIRST_ROWS, _ROW_SECONDS * setup.study.n_rows)
        if setup.part is not None or setup.folder.results.exists():
            self._due = math.inf

    def __call__(self, tally: Tally) -> None:
        """Write rows and pace if they are due, given what the run has done so far."""
        now = time.monotonic()
        if now > self._pace_due and tally.pace is not None:
            self._pace_due = now + _PACE_SECONDS
            self._setup.folder.keep_pace(tally.pace)
        if now < self._due:
            return
        self._due = now + (now - self._begun)
        self._store.flush()
        setup = self._setup
        store = BlockStore(setup.folder.blocks, read_only=True, any_code=setup.any_code)
        store.added = self._store.added
        plan = open_plan(setup.study, setup.engine, store)
        outcome = Outcome(setup.folder.path, stopped=True)
        keep(setup, self._former, plan, store, outcome, self._pool)
