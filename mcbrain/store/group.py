"""Stored blocks that hold the same statistics: their numbers, from disk or from memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mcbrain.blocks.series import Series
from mcbrain.blocks.sums import BlockSums
from mcbrain.store.parts import Part

__all__ = ["Group"]


class Group:
    """Blocks that hold the same statistics.

    Parameters
    ----------
    statistics : tuple of int
        Statistic ids, in the order of the columns of the sums.
    content : Part or list of BlockSums
        From disk, or not yet on disk.
    """

    def __init__(self, statistics: tuple[int, ...], content: Part | list[BlockSums]) -> None:
        self.statistics = statistics
        self.content = content
        self._stacked: dict[str, np.ndarray] = {}

    @cached_property
    def place(self) -> dict[int, int]:
        """Column of each statistic."""
        return {s: j for j, s in enumerate(self.statistics)}

    @cached_property
    def index(self) -> np.ndarray:
        """Number of each block."""
        return self.scalars("index")

    @cached_property
    def ordered(self) -> bool:
        """Whether these are the blocks 0, 1, ..., each once."""
        return bool((self.index == np.arange(self.index.size)).all())

    def series(self, statistics: Sequence[int]) -> Series:
        """The blocks of a group that is ordered; none where it lacks a statistic.

        Parameters
        ----------
        statistics : sequence of int
            Statistic ids; rows of the arrays follow their order.

        Returns
        -------
        Series
            All blocks of the group, or no block.
        """
        if not self.place.keys() >= set(statistics):
            empty, none = np.zeros((len(statistics), 0)), np.zeros(0)
            return Series(none.astype(np.int64), empty, empty, empty, empty, none)
        columns = [self.place[s] for s in statistics]
        count, mean, m2, better = (
            np.ascontiguousarray(self.matrix(name).T[columns], dtype=float)
            for name in ("count", "mean", "m2", "better")
        )
        replicates = self.scalars("replicates").astype(np.int64)
        return Series(replicates, count, mean, m2, better, self.scalars("seconds"))

    def scalars(self, name: str) -> np.ndarray:
        """A column of one number a block.

        Parameters
        ----------
        name : str
            A field of `BlockSums` that is one number, such as "replicates".

        Returns
        -------
        ndarray, shape (blocks,)
            In the order of the blocks in this group.
        """
        if isinstance(self.content, Part):
            return self.content.numbers(name)
        return self._stack(name, self.content)

    def values(self, name: str) -> np.ndarray:
        """Values of a list column, block after block.

        Parameters
        ----------
        name : str
            A field of `BlockSums` that is an array, such as "bins".

        Returns
        -------
        ndarray, shape (n,)
            The values of all blocks, flattened; a block of a format without the field adds none.
        """
        if isinstance(self.content, Part):
            return self.content.values(name)
        return self._stack(name, self.content)

    def matrix(self, name: str) -> np.ndarray:
        """A column of one number a statistic.

        Parameters
        ----------
        name : str
            A field of `BlockSums` of shape (n,), such as "mean".

        Returns
        -------
        ndarray, shape (blocks, statistics)
            NaN for blocks whose format did not have the field.
        """
        values = self.values(name)
        if isinstance(self.content, list) or self.content.batch.complete(name):
            return values.reshape(-1, len(self.statistics))
        there = self.content.present(name)
        matrix = np.full((there.size, len(self.statistics)), np.nan)
        matrix[there] = values.reshape(-1, len(self.statistics))
        return matrix

    def entries(self, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
        """A list column whose entries are some numbers each.

        Parameters
        ----------
        name : str
            A field of `BlockSums`, such as "joint".
        width : int
            Numbers of an entry, such as 2 for "joint".

        Returns
        -------
        row : ndarray of int, shape (n,)
            Place of the block of each entry in this group; not the block's number.
        entries : ndarray, shape (n, width)
            The entries of all blocks, block after block.
        """
        if isinstance(self.content, Part) and not self.content.batch.flat(name)[0].size:
            return np.zeros(0, np.intp), self.values(name).reshape(0, width)  # nothing failed
        sizes = self.sizes(name)
        row = np.repeat(np.arange(sizes.size), sizes // width)
        return row, self.values(name).reshape(-1, width)

    def sizes(self, name: str) -> np.ndarray:
        """Number of values of a list column in each block.

        Parameters
        ----------
        name : str
            A field of `BlockSums` that is an array, such as "kept".

        Returns
        -------
        ndarray of int64, shape (blocks,)
            0 where there are none, or the format of the block did not have the field.
        """
        if isinstance(self.content, Part):
            return self.content.sizes(name)
        return np.array([getattr(s, name).size for s in self.content], np.int64)

    def _stack(self, name: str, content: list[BlockSums]) -> np.ndarray:
        """A field of blocks that are not on disk, one after the other, gathered once."""
        if name not in self._stacked:
            parts = [np.ravel(getattr(sums, name)) for sums in content]
            self._stacked[name] = np.concatenate(parts)
        return self._stacked[name]
