"""Blocks on disk: segments in DIR/blocks, checked when read, indexed by problem."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from mcbrain.blocks import BlockSums, Problem, Series
from mcbrain.errors import StoreError
from mcbrain.store.segments import (
    BATCH_ROWS,
    FORMAT,
    SCHEMA,
    by_statistics,
    checksums,
    key_words,
    numbers,
    sync_folder,
    to_table,
    write_table,
)
from mcbrain.store.stored import Group, StoredBlocks

__all__ = ["BlockStore"]

_FLUSH_SECONDS = 1.0


class BlockStore:
    """The blocks of a results folder.

    Parameters
    ----------
    folder : Path
        DIR/blocks; made when the first segment is written.

    Attributes
    ----------
    notes : list of str
        What was found damaged and set aside, a sentence each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: list[str] = []
        self._pending: list[tuple[Problem, tuple[int, ...], BlockSums]] = []
        self._finished: list[tuple[bytes, int]] = []
        self._flushed = time.monotonic()
        self._read()

    # Reading --------------------------------------------------------------------------------

    def _read(self) -> None:
        tables = []
        for path in sorted(self.folder.glob("*.arrow")):
            table = self._segment(path)
            if table is not None and table.num_rows:
                tables.append(table)
        self._table = pa.concat_tables(tables) if tables else SCHEMA.empty_table()
        keys = key_words(self._table)
        seeds = numbers(self._table, "seed")
        index = numbers(self._table, "index")
        order = np.lexsort((index, seeds, keys[:, 1], keys[:, 0]))
        self._order = order
        self._places: dict[tuple[bytes, int], slice] = {}
        if order.size:
            sorted_keys, sorted_seeds = keys[order], seeds[order]
            new = np.flatnonzero(
                np.any(sorted_keys[1:] != sorted_keys[:-1], axis=1)
                | (sorted_seeds[1:] != sorted_seeds[:-1])
            )
            edges = np.concatenate([[0], new + 1, [order.size]])
            raw = np.ascontiguousarray(sorted_keys[edges[:-1]]).view("V16").ravel()
            for i, key in enumerate(raw):
                name = (key.tobytes(), int(sorted_seeds[edges[i]]))
                self._places[name] = slice(int(edges[i]), int(edges[i + 1]))
        self._fresh: dict[tuple[bytes, int], list[tuple[tuple[int, ...], BlockSums]]] = {}

    def _segment(self, path: Path) -> pa.Table | None:
        """One segment with its damaged rows left out, or None when it is damaged as a whole."""
        try:
            with pa.memory_map(str(path)) as source:
                reader = pa.ipc.open_file(source)
                version = (reader.schema.metadata or {}).get(b"mcbrain.blocks", b"0").decode()
                if version.isdigit() and int(version) > FORMAT:
                    raise StoreError(
                        f"{path}: written in block format {version}, newer than this mcbrain's "
                        f"{FORMAT}; use the newer mcbrain, nothing was changed"
                    )
                if not reader.schema.equals(SCHEMA):
                    raise pa.ArrowInvalid("not a block segment")
                table = reader.read_all()
                table.validate(full=True)
        except (pa.ArrowInvalid, pa.ArrowIOError, OSError, pa.ArrowNotImplementedError) as error:
            self._set_aside(path, str(error).splitlines()[0])
            return None
        good = checksums(table) == numbers(table, "checksum")
        if good.all():
            return table
        self._set_aside(path, f"{int((~good).sum())} of {good.size} blocks fail their checksum")
        rescued = table.filter(pa.array(good))
        if rescued.num_rows:
            self._write(rescued)
        return rescued

    def _set_aside(self, path: Path, why: str) -> None:
        aside = path.with_name(path.name + f".damaged-{time.time_ns()}")
        path.rename(aside)
        self.notes.append(
            f"{path.name} is damaged ({why}); kept as {aside.name}, its blocks are computed again"
        )

    def of(self, problem: Problem) -> StoredBlocks:
        """The stored blocks of a problem, those not yet on disk included."""
        name = (problem.key, problem.seed)
        groups: list[Group] = []
        if name in self._places:
            table = self._table.take(pa.array(self._order[self._places[name]]))
            groups += by_statistics(table)
        fresh: dict[tuple[int, ...], list[BlockSums]] = {}
        for statistics, sums in self._fresh.get(name, []):
            fresh.setdefault(statistics, []).append(sums)
        return StoredBlocks([*groups, *fresh.items()])

    def series(self, problem: Problem, statistics: Sequence[int]) -> Series:
        """Blocks 0, 1, ... of a problem, as far as all of the statistics are there."""
        return self.of(problem).series(statistics)

    def release(self, problem: Problem) -> None:
        """Forget the in-memory copy of a finished problem's new blocks once they are on disk."""
        self._finished.append((problem.key, problem.seed))
        if not self._pending:
            self.flush()

    @property
    def n_stored(self) -> int:
        """Blocks that were on disk when the store was opened."""
        return int(self._table.num_rows)

    # Writing --------------------------------------------------------------------------------

    def add(self, problem: Problem, statistics: tuple[int, ...], sums: BlockSums) -> None:
        """Keep a finished block; on disk within about a second."""
        self._pending.append((problem, statistics, sums))
        self._fresh.setdefault((problem.key, problem.seed), []).append((statistics, sums))
        if time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the blocks not yet on disk as one segment."""
        if self._pending:
            self._write(to_table(self._pending))
            self._pending.clear()
        for name in self._finished:
            self._fresh.pop(name, None)
        self._finished.clear()
        self._flushed = time.monotonic()

    def reload(self) -> None:
        """Put every block on disk and index what is there; released problems are seen again."""
        self.flush()
        self._read()

    def compact(self) -> None:
        """One segment in place of many; readers see either all of the old or the new one too."""
        self.flush()
        paths = sorted(self.folder.glob("*.arrow"))
        if len(paths) > 1:
            tables = [t for t in map(self._segment, paths) if t is not None]
            self._write(pa.concat_tables(tables) if tables else SCHEMA.empty_table())
            for path in paths:
                path.unlink(missing_ok=True)
            sync_folder(self.folder)
        self._read()

    def _write(self, table: pa.Table) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = [int(p.stem.split("-")[1]) for p in self.folder.glob("blocks-*.arrow")]
        path = self.folder / f"blocks-{max(taken, default=0) + 1:06d}.arrow"
        write_table(path, table.to_batches(max_chunksize=BATCH_ROWS), SCHEMA)
