"""Studies of many points: planned, their blocks looked up, their rows made; and merged shards."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import Rate, Work
from bench.sizes import MANY, SHARDS
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.studies import Study
from mcbrain.blocks.sums import BlockSums
from mcbrain.plan.plans import all_works, pilots_of
from mcbrain.plan.subspaces import PILOT_BLOCKS
from mcbrain.results.opening import open_plan
from mcbrain.running.merging import merge
from mcbrain.running.work_in_progress import progress
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.memory import MemoryStore
from mcbrain.store.segments import write_segment


def study(models: int = MANY[0]) -> Study:
    """A grid of raw points of one block each."""
    table: dict[str, Any] = {
        "name": "many",
        "model": {
            "input_dim": 6,
            "latent_dim": 2,
            "n_channels": 4,
            "misalignment": (np.arange(models) / models).tolist(),
        },
        "design": {
            "n_task": list(range(12, 12 + 3 * MANY[1], 3)),
            "n_brain": [8 * 2**i for i in range(MANY[2])],
        },
        "estimators": {"ols": 0.0, "ridge": 0.1, "befs": 0.1},
        "precision": {"max_replicates": 1},
        "engine": {"kind": "raw"},
    }
    return study_from_table(table)


def fill(asked: Study, store: BlockStore) -> None:
    """Put made-up blocks into a store, so that nothing of a study is left to compute."""
    plan, rng = open_plan(asked, "raw", store), np.random.default_rng(1)
    problems = plan.problems()

    def block(index: int, replicates: int, width: int) -> BlockSums:
        mean, ones = rng.uniform(0.1, 0.2, width), np.ones(width, np.int64)
        bins = np.sort(rng.choice(np.arange(-300, -100), (width, 80)), axis=1)
        columns = [np.unique(row, return_counts=True) for row in bins]
        return BlockSums(
            index,
            replicates,
            replicates * ones,
            mean,
            mean,
            ones,
            np.array([places.size for places, _ in columns]),
            np.concatenate([places for places, _ in columns]),
            np.concatenate([counts for _, counts in columns]),
            cross=mean,
            seconds=0.01,
        )

    for pilot, statistics in pilots_of(plan, problems):
        for i in range(PILOT_BLOCKS):
            sums = block(i, pilot.block_size, len(statistics))
            store.add(pilot, tuple(s.id for s in statistics), sums)
    store.reload()
    for work in all_works(plan, problems):
        ids = tuple(q.id for q in work.queries)
        store.add(work.problem, ids, block(0, work.problem.block_size, len(ids)))
        store.release(work.problem)
    store.compact()


class Planned(Rate):
    """The problems of a study."""

    unit = "points/s"

    def prepare(self) -> Work:
        asked = study()

        def work() -> float:
            return float(len(open_plan(asked, "raw", MemoryStore()).problems()))

        return work


class _Stored(Rate):
    """A suite with the blocks of a study on disk."""

    unit = "points/s"

    def teardown(self, *params: str) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def filled(self) -> tuple[Study, Path]:
        """A study, and a folder that holds its blocks and its text."""
        self.folder = tempfile.TemporaryDirectory(prefix="mcbrain-bench-")
        asked, home = study(), ResultsFolder(self.folder.name)
        fill(asked, BlockStore(home.blocks))
        home.keep_study(asked)
        return asked, home.path


class LookedUp(_Stored):
    """Every point looked up whose blocks are all there: what a run does that has nothing to do."""

    def prepare(self) -> Work:
        asked, folder = self.filled()

        def work() -> float:
            store = BlockStore(folder / "blocks", read_only=True)
            plan = open_plan(asked, "raw", store)
            found = [progress(w, store) for w in all_works(plan, plan.problems())]
            assert all(done == needed for done, needed in found)
            return float(len(found))

        return work


class Rows(_Stored):
    """The rows of every point, from blocks on disk."""

    def prepare(self) -> Work:
        asked, folder = self.filled()
        store = BlockStore(folder / "blocks", read_only=True)

        def work() -> float:
            batches = open_plan(asked, "raw", store).rows(store)
            assert sum(batch.num_rows for batch in batches) == asked.n_rows
            return float(asked.n_points)

        return work


class Merged(_Stored):
    """Shards merged, their rows included."""

    unit = "shards/s"
    timer = staticmethod(time.perf_counter)  # it waits for the disk

    def prepare(self) -> Work:
        asked, folder = self.filled()
        store = BlockStore(folder / "blocks", read_only=True)
        shards = list(_shards(asked, store, folder / "shards"))

        def work() -> float:
            with tempfile.TemporaryDirectory(dir=folder) as out:
                assert not merge(shards, Path(out) / "whole").missing
            return float(len(shards))

        return work


def _shards(asked: Study, store: BlockStore, out: Path) -> Iterator[Path]:
    """Folders that share the blocks of a study out."""
    names = list(store.names())
    for i in range(SHARDS):
        home = ResultsFolder(out / str(i))
        for name in names[i::SHARDS]:
            write_segment(home.blocks, store.rows(name).to_batches())
        home.keep_study(asked)
        yield home.path


class Memory:
    """Peak memory of a plan against that of imports alone: half a kilobyte for each point."""

    params = ("empty", "planned")
    param_names = ("what",)
    version = "1"
    timeout = 600

    def peakmem_planned(self, what: str) -> None:
        """The problems of a study of ten times as many models, or nothing."""
        if what == "planned":
            open_plan(study(10 * MANY[0]), "raw", MemoryStore()).problems()
