"""Blocks in the memory of this process, for results that no folder keeps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.series import FIRST_LOOK, Series
from mcbrain.blocks.sums import BlockSums
from mcbrain.store.bins import summed_atoms, summed_bins
from mcbrain.store.group import Group
from mcbrain.store.identity import Identity
from mcbrain.store.parts import Batch, Part
from mcbrain.store.segments import to_table
from mcbrain.store.stored import StoredBlocks

__all__ = ["MemoryStore"]

_MUCH = 8_000_000  # bytes of blocks that are kept as objects before they are packed
_OBJECT = 4_000  # bytes of a block as an object, its histogram aside: about what Python needs

# A block with its problem and the statistics that its columns belong to.
_Record = tuple[Problem, tuple[int, ...], BlockSums]


class MemoryStore:
    """The blocks of one computation; nothing is written, and they go away with the store.

    Packed blocks keep their means and squares one by one, since errors are computed over blocks.
    Their histograms are added up between looks: a row ends at a look, so it never asks for the
    histogram of a part of what lies between two. What is kept of a problem therefore grows by some
    fifty bytes for each block and statistic, and not by a histogram.

    Attributes
    ----------
    added : list of int
        Replicates of each block that was added.
    any_code : bool
        False: there are no blocks but those that the code that runs here has computed.
    """

    def __init__(self) -> None:
        self.added: list[int] = []
        self.any_code = False
        self._fresh: dict[tuple[bytes, int], list[_Record]] = {}
        self._loose = 0
        self._packed: dict[tuple[bytes, int], list[Part]] = {}

    @property
    def used(self) -> list[Identity]:
        """Nothing: no block came from elsewhere."""
        return []

    def of(self, problem: Problem) -> StoredBlocks:
        """The blocks of a problem.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.

        Returns
        -------
        StoredBlocks
            Those that are not packed yet first.
        """
        name = (problem.key, problem.seed)
        fresh: dict[tuple[int, ...], list[BlockSums]] = {}
        for _, statistics, sums in self._fresh.get(name, []):
            fresh.setdefault(statistics, []).append(sums)
        groups = [Group(statistics, sums) for statistics, sums in fresh.items()]
        for part in self._packed.get(name, ()):
            groups += [Group(statistics, rows) for statistics, rows in part.by_statistics()]
        return StoredBlocks(groups)

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
        """
        self.added.append(sums.replicates)
        record = (problem, statistics, sums)
        self._fresh.setdefault((problem.key, problem.seed), []).append(record)
        self._loose += _OBJECT + sums.bins.nbytes + sums.bin_counts.nbytes
        if self._loose > _MUCH:
            self._pack()

    def release(self, problem: Problem) -> None:
        """Nothing to do: a finished problem's blocks are what its rows are made of.

        Parameters
        ----------
        problem : Problem
            Told apart from others by its key, a hash of its content, and its seed.
        """

    def flush(self) -> None:
        """Nothing to do: memory does not outlive the process."""

    def reload(self) -> None:
        """Nothing to do: no block was ever out of sight."""

    def compact(self) -> None:
        """Nothing to do: blocks are packed as they come."""

    def _pack(self) -> None:
        """Put the blocks that are kept as objects into one table, which needs less memory."""
        folded = itertools.chain.from_iterable(map(_folded, self._fresh.values()))
        batch = Batch(to_table(folded, "").combine_chunks().to_batches()[0])
        for _, name, part in batch.runs():
            self._packed.setdefault(name, []).append(part)
        self._fresh.clear()
        self._loose = 0


def _folded(records: list[_Record]) -> Iterator[_Record]:
    """The same blocks, the first of those between two looks with the histogram of all of them."""
    spans: dict[tuple[tuple[int, ...], int], list[_Record]] = {}
    for record in records:
        _, statistics, sums = record
        spans.setdefault((statistics, _looks_before(sums.index)), []).append(record)
    for (statistics, _), span in spans.items():
        blocks = [sums for _, _, sums in span]
        first = _histogram(blocks, len(statistics))
        rest = _histogram([], len(statistics)) if first else {}
        for place, (problem, _, sums) in enumerate(span):
            yield problem, statistics, replace(sums, **(rest if place else first))


def _looks_before(index: int) -> int:
    """How many looks a problem has had when it needs this block: 0 below block 64, then 1, ..."""
    return (index // FIRST_LOOK).bit_length()


def _histogram(blocks: list[BlockSums], width: int) -> dict[str, Any]:
    """The histogram of some blocks together, as the fields of one; nothing where none has any."""
    if blocks and not any(sums.bin_sizes.size for sums in blocks):
        return {}
    places = [np.repeat(np.arange(width), sums.bin_sizes) for sums in blocks]
    column, bins, counts = summed_bins(
        np.concatenate([np.zeros(0, np.int64), *places]),
        np.concatenate([np.zeros(0, np.int64), *(sums.bins for sums in blocks)]),
        np.concatenate([np.zeros(0, np.int64), *(sums.bin_counts for sums in blocks)]),
    )
    atoms, values = summed_atoms(
        np.concatenate([np.zeros((0, 3), np.int64), *(sums.atoms for sums in blocks)]),
        np.concatenate([np.zeros(0), *(sums.atom_values for sums in blocks)]),
    )
    return {
        "bin_sizes": np.bincount(column, minlength=width),
        "bins": bins,
        "bin_counts": counts,
        "atoms": atoms,
        "atom_values": values,
    }
