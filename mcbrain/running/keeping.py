"""The rows that follow from a run's blocks, written at its end and now and then before it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

from mcbrain.plan.plans import Plan, Tell, silent
from mcbrain.results.opening import open_plan
from mcbrain.results.writing import about, write_results
from mcbrain.running.conductor import Tally
from mcbrain.running.outcome import Outcome
from mcbrain.running.setup import Setup
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.provenance import history, run_entry

__all__ = ["FirstRows", "keep"]

_PACE_SECONDS = 2.0  # between two notes of a run's pace
_FIRST_ROWS = 2.0  # seconds of computing before the first rows of a folder are written
_ROW_SECONDS = 5e-3  # and at least so many for each row: some ten times what writing it takes


def keep(
    setup: Setup,
    former: Mapping[str, object],
    plan: Plan[Any],
    store: BlockStore,
    outcome: Outcome,
    slots: int,
    tell: Tell = silent,
) -> None:
    """Write the rows that follow from the blocks; of a shard, how far it is."""
    record = about(setup.study, setup.engine, store, former)
    run = run_entry(setup.started, slots, len(store.added), sum(store.added))
    if setup.part is None:
        outcome.results = write_results(
            setup.folder, setup.study, plan, store, record, history(former), run, tell
        )
        return
    runs = history(former) + ([run] if store.added else [])
    part = {"shard": str(setup.part), "complete": not outcome.stopped}
    setup.folder.keep_record({**record, **part, "runs": runs})


class FirstRows:
    """Rows for whoever looks while the first run of a folder is at work, or finds it killed.

    They are written as soon as that costs little of the time that has passed, and again whenever
    that time has doubled, from a store and a plan of their own: the run's would keep what they know
    of blocks that are not all there. The pace of the run is noted as well, for `mcbrain status`.
    """

    def __init__(
        self, setup: Setup, former: Mapping[str, object], store: BlockStore, slots: int
    ) -> None:
        self._setup, self._former, self._store, self._slots = setup, former, store, slots
        self._begun = time.monotonic()
        self._pace_due = self._begun + _PACE_SECONDS
        self._due = self._begun + max(_FIRST_ROWS, _ROW_SECONDS * setup.study.n_rows)
        if setup.part is not None or setup.folder.results.exists():
            self._due = math.inf

    def __call__(self, tally: Tally) -> None:
        """Write them if they are due, which is never where there were results before."""
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
        keep(setup, self._former, plan, store, outcome, self._slots)
