"""Rows per second of the store: blocks written, resumed from, and a results file read."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import mcbrain as mb
from bench.measure import Rate, Work
from bench.sizes import RESULT_ROWS, STORED
from mcbrain.blocks.problem import Problem
from mcbrain.blocks.sums import BlockSums
from mcbrain.plan.task_stage import task_problem
from mcbrain.store.blockstore import BlockStore


class _Folder(Rate):
    """A suite with a folder that goes away after it."""

    unit = "rows/s"
    timer = staticmethod(time.perf_counter)  # it waits for the disk

    def teardown(self, *params: str) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def new_folder(self) -> Path:
        """An empty folder."""
        self.folder = tempfile.TemporaryDirectory(prefix="mcbrain-bench-")
        return Path(self.folder.name)


def problems() -> list[Problem]:
    """Ten problems that share the blocks of the store."""
    found = (task_problem(n, 0, 5, 1) for n in range(10, 20))
    return [problem for problem in found if problem is not None]


def fill(store: BlockStore) -> int:
    """Add the blocks and put them on disk; returns their number."""
    count, width = STORED
    statistics = tuple(range(1, width + 1))
    mean, m2 = np.random.default_rng(1).standard_normal((2, width))
    ones = np.ones(width, np.int64)
    for problem in problems():
        for index in range(count // 10):
            store.add(problem, statistics, BlockSums(index, 64, 64 * ones, mean, m2, 0 * ones))
    store.compact()
    return count // 10 * 10


class Written(_Folder):
    """Blocks added to an empty store, until all of them are safe on disk."""

    def prepare(self) -> Work:
        folder = self.new_folder()

        def work() -> float:
            with tempfile.TemporaryDirectory(dir=folder) as blocks:
                return float(fill(BlockStore(Path(blocks))))

        return work


class Resumed(_Folder):
    """A store opened, checked and indexed, and the series of every problem."""

    def prepare(self) -> Work:
        folder = self.new_folder()
        rows = fill(BlockStore(folder))
        statistics = tuple(range(1, STORED[1] + 1))

        def work() -> float:
            store = BlockStore(folder)
            found = sum(store.series(problem, statistics).n_blocks for problem in problems())
            assert found == rows, f"{found} of {rows} blocks came back"
            return float(rows)

        return work


class Read(_Folder):
    """A results file read into memory, every column."""

    def prepare(self) -> Work:
        path = self.new_folder() / "results.arrow"
        model = mb.Model(input_dim=60, latent_dim=5, n_channels=40)
        table = mb.predict(model, list(range(50, 50 + max(RESULT_ROWS // 4, 1))), 100)
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)

        def work() -> float:
            with pa.OSFile(str(path)) as source:
                return float(pa.ipc.open_file(source).read_all().num_rows)

        return work
