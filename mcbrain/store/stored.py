"""The stored blocks of one problem: series in index order, what is missing, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from mcbrain.blocks import Series
from mcbrain.store.segments import flat, numbers

__all__ = ["Group", "StoredBlocks"]

# Blocks that hold the same statistics, from disk (a table) or not yet on disk (a list).
Content: TypeAlias = Any
Group: TypeAlias = tuple[tuple[int, ...], Content]


@dataclass(frozen=True)
class StoredBlocks:
    """Blocks of one problem, grouped by their statistics; a block may stand in several groups."""

    groups: list[Group]

    def series(self, statistics: Sequence[int]) -> Series:
        """Blocks 0, 1, ..., as far as all of the statistics are there.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids; rows of the arrays follow their order.
        """
        size = max(
            (int(_indices(c).max()) + 1 for _, c in self.groups if len(_indices(c))), default=0
        )
        n = len(statistics)
        there = np.zeros((n, size), bool)
        arrays = {name: np.zeros((n, size)) for name in ("count", "mean", "m2", "better")}
        replicates, seconds = np.zeros(size, np.int64), np.zeros(size)
        for group, content in self.groups:
            index = _indices(content)
            place = {s: j for j, s in enumerate(group)}
            rows = [i for i, s in enumerate(statistics) if s in place]
            if not rows:
                continue
            columns = [place[statistics[i]] for i in rows]
            there[np.array(rows)[:, None], index] = True
            for name, array in arrays.items():
                array[np.array(rows)[:, None], index] = _matrix(content, name, len(group))[
                    :, columns
                ].T
            replicates[index] = _scalars(content, "replicates")
            seconds[index] = _scalars(content, "seconds")
        complete = np.all(there, axis=0) if n else np.zeros(size, bool)
        n_blocks = size if complete.all() else int(np.argmin(complete))
        return Series(replicates=replicates, seconds=seconds, **arrays).head(n_blocks)

    def missing(self, statistics: Sequence[int], n_blocks: int) -> dict[int, tuple[int, ...]]:
        """Blocks below n_blocks that lack some of the statistics, and which they lack."""
        lacking = {s: np.ones(n_blocks, bool) for s in statistics}
        for group, content in self.groups:
            index = _indices(content)
            index = index[index < n_blocks]
            for s in group:
                if s in lacking:
                    lacking[s][index] = False
        absent: dict[int, tuple[int, ...]] = {}
        for i in np.flatnonzero(np.any(list(lacking.values()), axis=0)).tolist():
            absent[i] = tuple(s for s in statistics if lacking[s][i])
        return absent

    def histograms(
        self, statistics: Sequence[int], n_blocks: Sequence[int]
    ) -> list[dict[int, int]]:
        """Bin -> replicates of each statistic over its first n_blocks blocks."""
        found: list[dict[int, int]] = [{} for _ in statistics]
        place = {s: i for i, s in enumerate(statistics)}
        # wanted[i, block]: not yet counted; a block may be stored more than once.
        wanted = np.arange(max(n_blocks, default=0)) < np.asarray(n_blocks)[:, None]
        for group, content in self.groups:
            index, first = np.unique(_indices(content), return_index=True)
            first, index = first[index < wanted.shape[1]], index[index < wanted.shape[1]]
            fresh = np.zeros((len(_indices(content)), len(group)), bool)
            for j, s in enumerate(group):
                if s in place:
                    fresh[first, j] = wanted[place[s], index]
                    wanted[place[s], index] = False
            _count_bins(content, group, fresh, place, found)
        return found


def _indices(content: Content) -> np.ndarray:
    if isinstance(content, list):
        return np.array([s.index for s in content], np.int64)
    return numbers(content, "index").astype(np.int64)


def _matrix(content: Content, name: str, width: int) -> np.ndarray:
    """A per-statistic column as an array of shape (blocks, statistics)."""
    if isinstance(content, list):
        return np.array([getattr(s, name) for s in content]).reshape(-1, width)
    return flat(content, name)[0].reshape(-1, width)


def _count_bins(
    content: Content,
    group: tuple[int, ...],
    fresh: np.ndarray,
    place: dict[int, int],
    found: list[dict[int, int]],
) -> None:
    """Add the histograms of the blocks and statistics marked fresh, shape (blocks, statistics)."""
    sizes, bins, counts = (_ragged(content, name) for name in ("bin_sizes", "bins", "bin_counts"))
    if not sizes.size:
        return
    column = np.repeat(np.tile(np.arange(len(group)), fresh.shape[0]), sizes)
    keep = np.repeat(fresh.ravel(), sizes)
    name = column[keep] * 65536 + (bins[keep].astype(np.int64) + 32768)
    unique, inverse = np.unique(name, return_inverse=True)
    total = np.bincount(inverse, weights=counts[keep], minlength=unique.size)
    for key, value in zip(unique.tolist(), total.tolist(), strict=True):
        histogram = found[place[group[key // 65536]]]
        at = key % 65536 - 32768
        histogram[at] = histogram.get(at, 0) + int(value)


def _ragged(content: Content, name: str) -> np.ndarray:
    """Values of a list column, block after block."""
    if isinstance(content, list):
        return np.concatenate([np.ravel(getattr(s, name)) for s in content]).astype(np.int64)
    return flat(content, name)[0].astype(np.int64)


def _scalars(content: Content, name: str) -> np.ndarray:
    if isinstance(content, list):
        return np.array([getattr(s, name) for s in content])
    return numbers(content, name)
