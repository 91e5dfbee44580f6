"""The stored blocks of one problem: series in index order, what is missing, histograms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.blocks.histogram import Histogram
from mcbrain.blocks.series import Series
from mcbrain.blocks.sums import SUMS
from mcbrain.errors import unhandled
from mcbrain.store.bins import summed_atoms, summed_bins
from mcbrain.store.group import Group
from mcbrain.store.pairs import Pairs
from mcbrain.typing import Floats

__all__ = ["StoredBlocks"]

_PIECE = 1_000_000  # about how many bins are added up at a time, which bounds the memory


@dataclass(frozen=True)
class StoredBlocks:
    """Blocks of one problem, grouped by their statistics and code.

    A block may stand in several groups; where it has a statistic in two of them, the first counts.

    Attributes
    ----------
    groups : list of Group
        The groups that count first come first.
    """

    groups: list[Group]

    def alike(self, statistics: Sequence[int]) -> bool:
        """Whether every group has all of the statistics or none: so all come from the same blocks.

        Then the series of some of them are rows of the series of all.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids.

        Returns
        -------
        bool
            True also where no group has any of them.
        """
        wanted = set(statistics)
        return all(len(wanted & group.place.keys()) in (0, len(wanted)) for group in self.groups)

    def series(self, statistics: Sequence[int]) -> Series:
        """Blocks 0, 1, ..., as far as all of the statistics are there.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids; rows of the arrays follow their order.

        Returns
        -------
        Series
            It ends before the first block that lacks one of the statistics.
        """
        if len(self.groups) == 1 and self.groups[0].ordered and statistics:
            return self.groups[0].series(statistics)
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
            mixed = bool(known.any())
            for name, array in arrays.items():
                values = group.matrix(name)[:, columns].T
                array[at] = np.where(known, array[at], values) if mixed else values
            new = ~np.all(known, axis=0)
            replicates[group.index[new]] = group.scalars("replicates")[new]
            seconds[group.index[new]] = group.scalars("seconds")[new]
            there[at] = True
        complete = np.all(there, axis=0) if n else np.zeros(size, bool)
        whole = Series(replicates=replicates, seconds=seconds, **arrays)
        return whole if complete.all() else whole.head(int(np.argmin(complete)))

    def pairs(self, statistics: Sequence[int], baselines: Sequence[int], n_blocks: int) -> Pairs:
        """The first blocks of statistics and their baselines, over the replicates that have both.

        Parameters
        ----------
        statistics, baselines : sequence of int
            Statistic ids, a baseline for each, all of the same blocks (`alike`) or one alone.
        n_blocks : int
            Blocks 0, 1, ... that are wanted; fewer are given where fewer are complete.

        Returns
        -------
        Pairs
            Arrays of shape (statistics, blocks).
        """
        size = len(statistics)
        series = self.series([*statistics, *baselines]).head(n_blocks)
        own, other = series.rows(range(size)), series.rows(range(size, 2 * size))
        pairs = Pairs.of(own, other, series.replicates)
        self.lay_pairs(statistics, pairs)
        return pairs

    def lay_pairs(self, statistics: Sequence[int], pairs: Pairs) -> None:
        """Fill in what blocks keep of a statistic and its baseline together.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids, all of the same blocks (`alike`) or one alone.
        pairs : Pairs
            Of these statistics, as `Pairs.of` makes it; its arrays are changed.
        """
        for group in self.groups:
            rows = [i for i, s in enumerate(statistics) if s in group.place]
            if rows:
                places = [group.place[statistics[i]] for i in rows]
                _lay_joint(group, rows, places, pairs)
                _lay_cross(group, rows, places, pairs.cross)

    def missing(
        self, statistics: Sequence[int], n_blocks: int, kept: bool = False
    ) -> dict[int, tuple[int, ...]]:
        """Blocks that lack some of the statistics, and which they lack.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids that are wanted.
        n_blocks : int
            Blocks 0 to n_blocks - 1 are looked at.
        kept : bool
            Whether a block counts only where it has kept what its replicates say.

        Returns
        -------
        dict of int to tuple of int
            For each block that lacks any, in order: the ids that it lacks, in the order asked.
        """
        lacking = np.ones((len(statistics), n_blocks), bool)
        for group in self.groups:
            rows = [i for i, s in enumerate(statistics) if s in group.place]
            if rows:
                there = group.index < n_blocks
                index = (
                    group.index[there & (group.sizes("kept") > 0)] if kept else group.index[there]
                )
                lacking[np.array(rows)[:, None], index] = False
        if not lacking.any():
            return {}
        return {
            i: tuple(s for s, lacks in zip(statistics, lacking[:, i], strict=True) if lacks)
            for i in np.flatnonzero(lacking.any(axis=0)).tolist()
        }

    @property
    def keeps(self) -> bool:
        """Whether any block has kept what its replicates say."""
        return any(group.sizes("kept").any() for group in self.groups)

    def kept(self, statistics: Sequence[int], blocks: range, size: int) -> Floats:
        """What each replicate of some blocks says of some statistics.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids.
        blocks : range
            Numbers of the blocks, one after the other.
        size : int
            Replicates of a block.

        Returns
        -------
        ndarray, shape (replicates, statistics)
            NaN for a replicate that failed, and where a block has not kept its replicates.
        """
        return self._of_replicates("kept", statistics, blocks, size)

    def chosen(self, statistics: Sequence[int], blocks: range, size: int) -> Floats:
        """The per-sample penalties that each replicate of some blocks has chosen.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids.
        blocks : range
            Numbers of the blocks, one after the other.
        size : int
            Replicates of a block.

        Returns
        -------
        ndarray, shape (replicates, statistics)
            NaN where a statistic's penalty is fixed, and where a block has not kept its replicates.
        """
        return self._of_replicates("chosen", statistics, blocks, size)

    def _of_replicates(
        self, name: str, statistics: Sequence[int], blocks: range, size: int
    ) -> Floats:
        found = np.full((len(blocks), size, len(statistics)), np.nan)
        for group in self.groups:
            sizes, values = group.sizes(name), group.values(name)
            ends = np.cumsum(sizes)
            inside = (group.index >= blocks.start) & (group.index < blocks.stop) & (sizes > 0)
            if name == "kept" and inside.all():  # all at once, which is much faster
                mine = [j for j, s in enumerate(statistics) if s in group.place]
                columns = [group.place[statistics[j]] for j in mine]
                whole = values.reshape(group.index.size, size, -1)[:, :, columns]
                at = group.index - blocks.start
                found[at[:, None, None], np.arange(size)[:, None], mine] = whole
                continue
            for i in np.flatnonzero(inside).tolist():
                places = _places_of(group, i, name)
                mine = [j for j, s in enumerate(statistics) if s in places]
                columns = [places[statistics[j]] for j in mine]
                of_block = values[ends[i] - sizes[i] : ends[i]].reshape(size, -1)
                found[int(group.index[i]) - blocks.start][:, mine] = of_block[:, columns]
        return found.reshape(len(blocks) * size, len(statistics))

    def histograms(self, statistics: Sequence[int], n_blocks: Sequence[int]) -> list[Histogram]:
        """The histogram of each statistic over its first blocks.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids.
        n_blocks : sequence of int
            For each statistic, how many blocks are counted from block 0 on.

        Returns
        -------
        list of Histogram
            One for each statistic. A block that is not there, or keeps no histogram, adds nothing.
        """
        counted: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in statistics]
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
            _count_bins(group, fresh, place, counted)
            _count_atoms(group, fresh, place, found)
        for histogram, parts in zip(found, counted, strict=True):
            histogram.count(parts)
        return found

    def total(self, name: str, statistic: int, n_blocks: int) -> float:
        """The sum over the first blocks of what blocks add up for each statistic.

        Parameters
        ----------
        name : str
            A field of `blocks.sums.BlockSums`.
        statistic : int
            Statistic id.
        n_blocks : int
            Blocks 0 to n_blocks - 1 are added up.

        Returns
        -------
        float
            NaN where one of the blocks does not have it.

        Raises
        ------
        NotImplementedError
            No such sum, or one that blocks do not add up (`blocks.sums.Sum.merge`).
        """
        record = SUMS.get(name)
        if record is None or record.per != "statistic" or record.merge != "add":
            raise NotImplementedError(
                f"blocks keep no sum '{name}' that is added up for each statistic; its record "
                "belongs to mcbrain/blocks/sums.py"
            )
        values = np.full(n_blocks, np.nan)
        for group in reversed(self.groups):  # where a block stands twice, the first counts
            if statistic in group.place:
                row, found = group.entries(name, len(group.statistics))
                kept = group.index[row] < n_blocks
                values[group.index[row[kept]]] = found[kept, group.place[statistic]]
        return float(values.sum())


def _places_of(group: Group, block: int, name: str) -> dict[int, int]:
    """The column of each statistic in an array of a block's replicates."""
    match name:
        case "kept":
            return group.place
        case "chosen":
            sizes = group.sizes("choosing")
            end = int(sizes[: block + 1].sum())
            own = group.values("choosing")[end - int(sizes[block]) : end].tolist()
            return {group.statistics[place]: column for column, place in enumerate(own)}
    raise unhandled("array of replicates", name, "mcbrain/store/stored.py")


def _lay_joint(group: Group, rows: list[int], places: list[int], pairs: Pairs) -> None:
    """Lay sums over the replicates that a statistic and its baseline share where some lack."""
    row, entries = group.entries("joint", 2)
    if not row.size:
        return
    _, values = group.entries("joint_sums", 4)
    means = (pairs.own_mean, pairs.own_m2, pairs.other_mean, pairs.other_m2)
    for i, place in zip(rows, places, strict=True):
        mine = (entries[:, 0] == place) & (group.index[row] < pairs.count.shape[1])
        at = group.index[row[mine]]
        pairs.count[i, at] = entries[mine, 1]
        for sums, column in zip(means, values[mine].T, strict=True):
            sums[i, at] = column


def _lay_cross(group: Group, rows: list[int], places: list[int], cross: np.ndarray) -> None:
    """Lay the sums of products with the baseline, of the blocks that have them."""
    row, found = group.entries("cross", len(group.statistics))
    mine = group.index[row] < cross.shape[1]
    at = group.index[row[mine]]
    cross[np.array(rows)[:, None], at] = found[mine][:, places].T


def _count_bins(
    group: Group,
    fresh: NDArray[np.bool_],
    place: dict[int, int],
    counted: list[list[tuple[np.ndarray, np.ndarray]]],
) -> None:
    """Gather bins and counts of the blocks and statistics marked fresh, shape (blocks, statistics).

    They are appended to `counted`, at the place that each statistic has there by its id.
    """
    sizes, bins, counts = map(group.values, ("bin_sizes", "bins", "bin_counts"))
    if not sizes.size:
        return
    ends = np.cumsum(sizes, dtype=np.int64)
    width, wanted = len(group.statistics), fresh.ravel()
    if sizes.size == width:  # one block, which has each of its bins once
        for j in np.flatnonzero(wanted & (sizes > 0)).tolist():
            span = slice(int(ends[j]) - int(sizes[j]), int(ends[j]))
            whole = bins[span].astype(np.int64), counts[span].astype(np.int64)
            counted[place[group.statistics[j]]].append(whole)
        return
    for part in np.array_split(np.arange(sizes.size), int(ends[-1]) // _PIECE + 1):
        span = slice(int(ends[part[0]]) - int(sizes[part[0]]), int(ends[part[-1]]))
        column, keep = (np.repeat(v, sizes[part]) for v in (part % width, wanted[part]))
        of, at, count = summed_bins(column[keep], bins[span][keep], counts[span][keep])
        edges = np.searchsorted(of, np.arange(width + 1)).tolist()
        for j, (start, stop) in enumerate(itertools.pairwise(edges)):
            if stop > start:
                counted[place[group.statistics[j]]].append((at[start:stop], count[start:stop]))


def _count_atoms(
    group: Group,
    fresh: NDArray[np.bool_],
    place: dict[int, int],
    found: list[Histogram],
) -> None:
    """Add the values that replicates share, of the blocks and statistics marked fresh."""
    row, entries = group.entries("atoms", 3)
    if not row.size:
        return
    keep = fresh[row, entries[:, 0]]
    if not keep.any():
        return
    # Equal bits first, so that what is left to compare one by one is little.
    merged, values = summed_atoms(entries[keep], group.values("atom_values")[keep])
    for (column, at, shares), value in zip(merged.tolist(), values.tolist(), strict=True):
        found[place[group.statistics[column]]].add_atom(at, value, shares)
