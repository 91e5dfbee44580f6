"""The stored blocks of one problem: series in index order, what is missing, histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.blocks.histogram import Histogram
from mcbrain.blocks.series import Series
from mcbrain.store.bins import summed_atoms, summed_bins
from mcbrain.store.checksums import statistics_names
from mcbrain.store.columns import flat, numbers, present
from mcbrain.store.pairs import Pairs

__all__ = ["Group", "StoredBlocks", "by_statistics"]

_PIECE = 1_000_000  # bins counted at a time


class Group:
    """Blocks that hold the same statistics, each column decoded once.

    Parameters
    ----------
    statistics : tuple of int
    content : pyarrow.Table or list of BlockSums
        From disk, or not yet on disk.
    """

    def __init__(self, statistics: tuple[int, ...], content: Any) -> None:
        self.statistics = statistics
        self.content = content
        self._columns: dict[str, np.ndarray] = {}

    @cached_property
    def place(self) -> dict[int, int]:
        """Column of each statistic."""
        return {s: j for j, s in enumerate(self.statistics)}

    @property
    def index(self) -> np.ndarray:
        """Number of each block."""
        return self.scalars("index")

    def scalars(self, name: str) -> np.ndarray:
        """A column of one number a block."""
        return self._once(name, lambda: numbers(self.content, name))

    def values(self, name: str) -> np.ndarray:
        """Values of a list column, block after block."""
        return self._once(name, lambda: flat(self.content, name)[0])

    def matrix(self, name: str) -> np.ndarray:
        """A column of one number a statistic, shape (blocks, statistics); NaN where it is null."""
        values = self.values(name)
        if isinstance(self.content, list) or (there := present(self.content, name)).all():
            return values.reshape(-1, len(self.statistics))
        matrix = np.full((there.size, len(self.statistics)), np.nan)
        matrix[there] = values.reshape(-1, len(self.statistics))
        return matrix

    def entries(self, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
        """A list column of entries of some width: the row of each, and the entries, (n, width)."""
        if f"{name} of" not in self._columns:
            if isinstance(self.content, list):
                sizes = np.array([getattr(s, name).size for s in self.content], np.int64)
            else:
                sizes = np.diff(flat(self.content, name)[1])
            self._columns[f"{name} of"] = np.repeat(np.arange(sizes.size), sizes // width)
        return self._columns[f"{name} of"], self.values(name).reshape(-1, width)

    def _once(self, name: str, decode: Callable[[], np.ndarray]) -> np.ndarray:
        if name not in self._columns:
            if isinstance(self.content, list):
                parts = [np.ravel(getattr(s, name)) for s in self.content]
                self._columns[name] = np.concatenate(parts)
            else:
                self._columns[name] = decode()
        return self._columns[name]


@dataclass(frozen=True)
class StoredBlocks:
    """Blocks of one problem, grouped by their statistics and code.

    A block may stand in several groups; where it has a statistic in two of them, the first counts.
    """

    groups: list[Group]

    def series(self, statistics: Sequence[int]) -> Series:
        """Blocks 0, 1, ..., as far as all of the statistics are there.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids; rows of the arrays follow their order.
        """
        size = max(
            (int(group.index.max()) + 1 for group in self.groups if group.index.size), default=0
        )
        n = len(statistics)
        there = np.zeros((n, size), bool)
        arrays = {name: np.zeros((n, size)) for name in ("count", "mean", "m2", "better")}
        replicates, seconds = np.zeros(size, np.int64), np.zeros(size)
        for group in self.groups:
            rows = [i for i, s in enumerate(statistics) if s in group.place]
            if not rows:
                continue
            columns = [group.place[statistics[i]] for i in rows]
            at = (np.array(rows)[:, None], group.index)
            known = there[at]
            for name, array in arrays.items():
                values = group.matrix(name)[:, columns].T
                array[at] = np.where(known, array[at], values) if known.any() else values
            new = ~np.all(known, axis=0)
            replicates[group.index[new]] = group.scalars("replicates")[new]
            seconds[group.index[new]] = group.scalars("seconds")[new]
            there[at] = True
        complete = np.all(there, axis=0) if n else np.zeros(size, bool)
        n_blocks = size if complete.all() else int(np.argmin(complete))
        return Series(replicates=replicates, seconds=seconds, **arrays).head(n_blocks)

    def pairs(self, statistic: int, baseline: int, n_blocks: int) -> Pairs:
        """The first blocks of a statistic and its baseline, over the replicates that have both.

        Parameters
        ----------
        statistic, baseline : int
            Statistic ids.
        n_blocks : int
        """
        series = self.series([statistic, baseline]).head(n_blocks)
        n = series.n_blocks
        whole = np.all(series.count == series.replicates, axis=0)
        count = np.where(whole, series.count[0], np.nan)
        sums = np.stack([series.mean[0], series.m2[0], series.mean[1], series.m2[1]])
        sums[:, ~whole], cross = np.nan, np.full(n, np.nan)
        for group in self.groups:
            if statistic not in group.place:
                continue
            place = group.place[statistic]
            row, entries = group.entries("joint", 2)
            mine = (entries[:, 0] == place) & (group.index[row] < n)
            at = group.index[row[mine]]
            count[at] = entries[mine, 1]
            sums[:, at] = group.entries("joint_sums", 4)[1][mine].T
            row, found = group.entries("cross", len(group.statistics))
            mine = group.index[row] < n
            cross[group.index[row[mine]]] = found[mine, place]
        own_mean, own_m2, other_mean, other_m2 = sums
        return Pairs(count, own_mean, own_m2, other_mean, other_m2, cross, series.better[0])

    def missing(self, statistics: Sequence[int], n_blocks: int) -> dict[int, tuple[int, ...]]:
        """Blocks below n_blocks that lack some of the statistics, and which they lack."""
        lacking = {s: np.ones(n_blocks, bool) for s in statistics}
        for group in self.groups:
            index = group.index[group.index < n_blocks]
            for s in group.statistics:
                if s in lacking:
                    lacking[s][index] = False
        absent: dict[int, tuple[int, ...]] = {}
        for i in np.flatnonzero(np.any(list(lacking.values()), axis=0)).tolist():
            absent[i] = tuple(s for s in statistics if lacking[s][i])
        return absent

    def histograms(self, statistics: Sequence[int], n_blocks: Sequence[int]) -> list[Histogram]:
        """The histogram of each statistic over its first n_blocks blocks."""
        found = [Histogram() for _ in statistics]
        place = {s: i for i, s in enumerate(statistics)}
        # wanted[i, block]: not yet counted; a block may be stored more than once.
        wanted = np.arange(max(n_blocks, default=0)) < np.asarray(n_blocks)[:, None]
        for group in self.groups:
            index, first = np.unique(group.index, return_index=True)
            first, index = first[index < wanted.shape[1]], index[index < wanted.shape[1]]
            fresh = np.zeros((group.index.size, len(group.statistics)), bool)
            for j, s in enumerate(group.statistics):
                if s in place:
                    fresh[first, j] = wanted[place[s], index]
                    wanted[place[s], index] = False
            _count_bins(group, fresh, place, found)
            _count_atoms(group, fresh, place, found)
        return found


def _count_bins(
    group: Group,
    fresh: np.ndarray,
    place: dict[int, int],
    found: list[Histogram],
) -> None:
    """Add the histograms of the blocks and statistics marked fresh, shape (blocks, statistics)."""
    sizes, bins, counts = map(group.values, ("bin_sizes", "bins", "bin_counts"))
    if not sizes.size:
        return
    ends = np.cumsum(sizes, dtype=np.int64)
    width, wanted = len(group.statistics), fresh.ravel()
    for part in np.array_split(np.arange(sizes.size), int(ends[-1]) // _PIECE + 1):
        span = slice(int(ends[part[0]]) - int(sizes[part[0]]), int(ends[part[-1]]))
        column, keep = (np.repeat(v, sizes[part]) for v in (part % width, wanted[part]))
        entries = summed_bins(column[keep], bins[span][keep], counts[span][keep])
        for j, at, count in zip(*(values.tolist() for values in entries), strict=True):
            found[place[group.statistics[j]]].add(at, count)


def _count_atoms(
    group: Group,
    fresh: np.ndarray,
    place: dict[int, int],
    found: list[Histogram],
) -> None:
    """Add the values that replicates share, of the blocks and statistics marked fresh."""
    row, entries = group.entries("atoms", 3)
    keep = fresh[row, entries[:, 0]]
    # Equal bits first, so that what is left to compare one by one is little.
    merged, values = summed_atoms(entries[keep], group.values("atom_values")[keep])
    for (column, at, shares), value in zip(merged.tolist(), values.tolist(), strict=True):
        found[place[group.statistics[column]]].add_atom(at, value, shares)


def by_statistics(table: pa.Table) -> list[tuple[tuple[int, ...], pa.Table]]:
    """Split the rows of one problem by the list of their statistics."""
    values, offsets = flat(table, "statistics")
    name = statistics_names(table)
    groups = []
    for label in np.unique(name):
        rows = np.flatnonzero(name == label)
        first = rows[0]
        statistics = tuple(int(s) for s in values[offsets[first] : offsets[first + 1]])
        groups.append((statistics, table.take(pa.array(rows)) if rows.size < len(name) else table))
    return groups
