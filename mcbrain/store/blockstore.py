"""Blocks on disk: segments in DIR/blocks, checked when read, indexed by problem."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.series import Series
from mcbrain.blocks.sums import BlockSums
from mcbrain.store.atomic import sync_folder
from mcbrain.store.columns import SCHEMA
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.group import Group
from mcbrain.store.identity import Identity, code_identity
from mcbrain.store.parts import Batch, Part
from mcbrain.store.segments import joined, read_segment, to_table, write_segment
from mcbrain.store.stored import StoredBlocks

__all__ = ["BlockStore", "Name", "blocks_behind"]

_FLUSH_SECONDS = 1.0
# With more new blocks than this in memory, all are read from disk again instead of kept as objects.
_MANY = 10_000
# The same where blocks that keep their replicates take more bytes than this.
_MUCH = 64_000_000
# A segment this many times as large as all smaller ones together is left as it is.
_LARGE = 4

# Key and seed of a problem.
Name: TypeAlias = tuple[bytes, int]
# Where stored blocks lie: by the code that computed them, then by problem.
Places: TypeAlias = dict[Identity, dict[Name, list[Part]]]


class BlockStore:
    """The blocks of a results folder, as far as the wanted code computed them.

    Blocks of other code stay where they are, and nothing here sees them: averages over blocks of
    different code mean nothing.

    Parameters
    ----------
    folder : Path
        DIR/blocks; made when the first segment is written.
    read_only : bool
        Change nothing on disk, not even where a segment is damaged.
    codes : sequence of str, optional
        Digests of the code whose blocks are used; default that of the code that runs here. Where
        several have computed a sum, the first of them counts.
    any_code : bool
        Use the blocks of all other code too.

    Attributes
    ----------
    added : list of int
        Replicates of each block that was added.
    notes : list of str
        What was found damaged, a sentence each.

    Raises
    ------
    StoreError
        A segment was written in a newer format than this mcbrain reads.
    """

    def __init__(
        self,
        folder: Path,
        *,
        read_only: bool = False,
        codes: Sequence[str] | None = None,
        any_code: bool = False,
    ) -> None:
        self.folder = folder
        self.read_only = read_only
        self.codes = [code_identity().digest] if codes is None else list(codes)
        self.any_code = any_code
        self.added: list[int] = []
        self.notes: list[str] = []
        self._pending: list[tuple[Problem, tuple[int, ...], BlockSums]] = []
        self._finished: list[Name] = []
        self._fresh: dict[Name, list[tuple[tuple[int, ...], BlockSums]]] = {}
        self._flushed = time.monotonic()
        self._kept = 0  # bytes of replicates in memory
        self._segments: dict[Path, list[Batch]] = {}
        self._places: Places = {}
        self._read()

    # Reading --------------------------------------------------------------------------------

    def _read(self) -> None:
        """Index the segments that are there, reading those that are not known yet."""
        there = sorted(self.folder.glob("*.arrow"))
        if not self._segments.keys() <= set(there):  # compacted: what is left is indexed anew
            self._segments, self._places = {}, {}
        for path in (path for path in there if path not in self._segments):
            try:
                batches, damage = read_segment(path)
            except FileNotFoundError:
                return self._read()  # its writer has just compacted it
            if damage and self.read_only:
                self.notes.append(f"{path} is damaged ({damage}); its damaged blocks are left out")
            elif damage:
                whole = self._set_aside(path, batches, damage)
                if whole is None:
                    continue
                path = whole
            self._segments[path] = [Batch(content) for content in batches]
            _index(self._places, self._segments[path])
        return None

    def _set_aside(self, path: Path, batches: list[pa.RecordBatch], why: str) -> Path | None:
        """Keep a damaged segment under another name, and what is good of it in a new one."""
        aside = path.with_name(path.name + f".damaged-{time.time_ns()}")
        path.rename(aside)
        self.notes.append(
            f"{path.name} is damaged ({why}); kept as {aside.name}, its blocks are computed again"
        )
        return write_segment(self.folder, batches) if batches else None

    def of(self, problem: Problem) -> StoredBlocks:
        """The stored blocks of a problem, those not yet on disk included.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.

        Returns
        -------
        StoredBlocks
            Those not yet on disk first, then those of each code in the order in which they count.
        """
        name = (problem.key, problem.seed)
        fresh: dict[tuple[int, ...], list[BlockSums]] = {}
        for statistics, sums in self._fresh.get(name, []):
            fresh.setdefault(statistics, []).append(sums)
        groups = [Group(ids, sums) for ids, sums in fresh.items()]
        for code in self.used:
            for part in self._places[code].get(name, ()):
                groups += [Group(statistics, rows) for statistics, rows in part.by_statistics()]
        return StoredBlocks(groups)

    def use(self, codes: Sequence[str], any_code: bool) -> None:
        """Use the blocks of other code than before; those of all code are indexed already.

        Parameters
        ----------
        codes : sequence of str
            Digests of the code whose blocks are used. Where several have computed a sum, the first
            of them counts.
        any_code : bool
            Use the blocks of all other code too.
        """
        self.codes, self.any_code = list(codes), any_code

    @property
    def used(self) -> list[Identity]:
        """The code whose blocks are used, as far as there are any on disk, the first one first."""
        place = {digest: i for i, digest in enumerate(self.codes)}
        found = [code for code in self._places if self.any_code or code.digest in place]
        return sorted(found, key=lambda code: (place.get(code.digest, len(place)), code.text))

    def counts(self) -> dict[Identity, int]:
        """Blocks on disk of each code, used or not.

        Returns
        -------
        dict of Identity to int
            Number of blocks, for each code that computed any, in the order of its text.
        """
        return {
            code: sum(part.num_rows for parts in places.values() for part in parts)
            for code, places in sorted(self._places.items(), key=lambda item: item[0].text)
        }

    def unused(self) -> dict[Identity, int]:
        """Blocks on disk of the code whose blocks are not used.

        Returns
        -------
        dict of Identity to int
            Number of blocks for each such code; empty where every block is used.
        """
        used = set(self.used)
        return {code: number for code, number in self.counts().items() if code not in used}

    def unused_of(self, problem: Problem) -> int:
        """How many blocks of a problem on disk were computed by code whose blocks are not used.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.

        Returns
        -------
        int
            Rows; a block that was stored in two parts, by its statistics, counts twice.
        """
        name, used = (problem.key, problem.seed), set(self.used)
        others = (places.get(name, []) for code, places in self._places.items() if code not in used)
        return sum(part.num_rows for parts in others for part in parts)

    def contents(self) -> list[str]:
        """Names of the segments on disk, each of which ends in the CRC-32 of its file.

        Returns
        -------
        list of str
            Sorted; two stores of equal names hold equal files.
        """
        return sorted(path.name for path in self._segments)

    def names(self) -> Iterable[Name]:
        """Key and seed of each problem that has blocks on disk.

        Returns
        -------
        iterable of (bytes, int)
            Each problem of the code whose blocks are used, once.
        """
        return dict.fromkeys(name for code in self.used for name in self._places[code])

    def rows(self, name: Name) -> pa.Table:
        """The blocks of a problem on disk, as they are stored.

        Parameters
        ----------
        name : (bytes, int)
            Key and seed of the problem.

        Returns
        -------
        pyarrow.Table
            Blocks of the code that is used, under `columns.SCHEMA`; no rows where there are none.
        """
        parts = [part for code in self.used for part in self._places[code].get(name, ())]
        return pa.Table.from_batches([part.rows() for part in parts], SCHEMA)

    def series(self, problem: Problem, statistics: Sequence[int]) -> Series:
        """Blocks 0, 1, ... of a problem, as far as all of the statistics are there.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.
        statistics : sequence of int
            Statistic ids; rows of the arrays follow their order.

        Returns
        -------
        Series
            It ends before the first block that lacks one of the statistics.
        """
        return self.of(problem).series(statistics)

    def release(self, problem: Problem) -> None:
        """Forget the in-memory copy of a finished problem's new blocks once they are on disk.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.

        Notes
        -----
        Until `reload` the blocks that the store has written of this problem are then out of sight.
        """
        self._finished.append((problem.key, problem.seed))
        if not self._pending:
            self.flush()

    # Writing --------------------------------------------------------------------------------

    def add(self, problem: Problem, statistics: tuple[int, ...], sums: BlockSums) -> None:
        """Keep a finished block.

        Blocks are written about once a second, when the next one is added, and by `flush`.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.
        statistics : tuple of int
            Statistic ids, in the order of the columns of the sums.
        sums : BlockSums
            What the block's replicates leave behind. It is kept as it is and is not to be changed.

        Raises
        ------
        UnfinishedError
            Disk full, folder not writable. Blocks that are on disk stay there.
        """
        self.added.append(sums.replicates)
        self._pending.append((problem, statistics, sums))
        self._fresh.setdefault((problem.key, problem.seed), []).append((statistics, sums))
        self._kept += sums.kept.nbytes
        if time.monotonic() - self._flushed > _FLUSH_SECONDS or self._kept > 2 * _MUCH:
            self.flush()
            if self._kept > _MUCH or sum(map(len, self._fresh.values())) > _MANY:
                self.reload()

    def flush(self) -> None:
        """Write the blocks not yet on disk as one segment.

        Raises
        ------
        UnfinishedError
            Disk full, folder not writable. The blocks stay in memory, and the next try writes them.
        """
        if self._pending:
            table = to_table(self._pending, code_identity().text)
            write_segment(self.folder, table.to_batches())
            self._pending.clear()
        for name in self._finished:
            self._fresh.pop(name, None)
        self._finished.clear()
        self._flushed = time.monotonic()

    def reload(self) -> None:
        """Put every block on disk and index what is there; released problems are seen again.

        Raises
        ------
        UnfinishedError
            Disk full, folder not writable.
        StoreError
            Another process has written a segment in a newer format.
        """
        self.flush()
        self._fresh.clear()
        self._kept = 0
        self._read()

    def compact(self) -> None:
        """Write few segments in place of many.

        The new segment is there before the old ones go. So a reader finds either all of the old
        ones or the new one as well, and a block that it then finds twice counts once.

        Raises
        ------
        UnfinishedError
            Disk full, folder not writable: the many segments are then still there.
        """
        self.reload()
        small = sorted(self._segments, key=_size)
        while small and _size(small[-1]) > _LARGE * sum(map(_size, small[:-1])):
            small.pop()
        if len(small) > 1:
            places: Places = {}
            _index(places, itertools.chain(*(self._segments[path] for path in small)))
            in_order = (
                part.rows()
                for code in sorted(places, key=lambda code: code.text)
                for name in sorted(places[code])
                for part in places[code][name]
            )
            write_segment(self.folder, joined(in_order))
            for path in small:
                path.unlink(missing_ok=True)
            sync_folder(self.folder)
            self._read()


def blocks_behind(home: ResultsFolder) -> BlockStore:
    """The blocks behind the results of a folder, to read: those of the code that its record names.

    Parameters
    ----------
    home : ResultsFolder
        A folder that may be in use: nothing in it is changed.

    Returns
    -------
    BlockStore
        Read-only. Where the record names no code, its blocks are those of the code that runs here.

    Raises
    ------
    StoreError
        A segment was written in a newer format than this mcbrain reads.
    """
    codes = [code.digest for code in home.codes()]
    return BlockStore(home.blocks, read_only=True, codes=codes or None)


def _size(path: Path) -> int:
    return path.stat().st_size


def _index(places: Places, batches: Iterable[Batch]) -> None:
    """Add the rows of some batches to those of each code and problem, in the order found."""
    known: dict[str | None, dict[Name, list[Part]]] = {}
    for batch in batches:
        for code, name, part in batch.runs():
            if code not in known:
                known[code] = places.setdefault(Identity.parse(code), {})
            known[code].setdefault(name, []).append(part)
