"""What a run, its plan and its rows need of the place where blocks are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.series import Series
from mcbrain.blocks.sums import BlockSums
from mcbrain.store.identity import Identity
from mcbrain.store.stored import StoredBlocks

__all__ = ["Store"]


class Store(Protocol):
    """A keeper of blocks: a folder (`BlockStore`), or the memory of this process (`MemoryStore`).

    Attributes
    ----------
    added : list of int
        Replicates of each block that was added.
    any_code : bool
        Whether blocks of other code than what runs here are used too.
    """

    added: list[int]
    any_code: bool

    @property
    def used(self) -> list[Identity]:
        """The code whose blocks are used, as far as any of it came from elsewhere."""
        ...

    def of(self, problem: Problem) -> StoredBlocks:
        """The blocks of a problem.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.

        Returns
        -------
        StoredBlocks
            All that are in sight, those added a moment ago included.
        """
        ...

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
        ...

    def add(self, problem: Problem, statistics: tuple[int, ...], sums: BlockSums) -> None:
        """Keep a finished block.

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
            The store is on disk, which is full or may not be written.
        """
        ...

    def release(self, problem: Problem) -> None:
        """Take note that no further block of a problem will come.

        The store may put its blocks out of sight until `reload`.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.
        """
        ...

    def flush(self) -> None:
        """See to it that what was added survives this process, where that can be."""
        ...

    def reload(self) -> None:
        """Make every block visible again, those of released problems too."""
        ...

    def compact(self) -> None:
        """Tidy up after the last block."""
        ...
