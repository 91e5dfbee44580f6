"""Neighbouring rows of stored blocks, whose columns are decoded once for the batch they lie in.

A study of many points has few blocks of each, side by side in large batches. To ask Arrow for the
columns of each point anew takes a thousand times as long as to cut a piece out of a decoded one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mcbrain.store.checksums import statistics_lists
from mcbrain.store.columns import flat, key_words, numbers, present, text
from mcbrain.typing import Words

__all__ = ["Batch", "Part"]

T = TypeVar("T")


class Batch:
    """A batch of stored blocks, each column decoded when it is first asked for.

    Parameters
    ----------
    content : pyarrow.RecordBatch
        Rows under `columns.SCHEMA`.
    """

    def __init__(self, content: pa.RecordBatch) -> None:
        self.content = content
        self._table = pa.Table.from_batches([content])
        self._decoded: dict[tuple[str, str], object] = {}

    @property
    def num_rows(self) -> int:
        """Number of blocks."""
        return int(self.content.num_rows)

    def numbers(self, name: str) -> np.ndarray:
        """A column of one number a block.

        Parameters
        ----------
        name : str
            A column of `columns.SCHEMA` that is no list.

        Returns
        -------
        ndarray, shape (blocks,)
            Of the column's own type.
        """
        return self._once("numbers", name, lambda: numbers(self._table, name))

    def flat(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Values of a list column, block after block, and where those of each block begin.

        Parameters
        ----------
        name : str
            A list column of `columns.SCHEMA`.

        Returns
        -------
        values : ndarray, shape (n,)
            The values of all blocks; a null adds none.
        offsets : ndarray of int64, shape (blocks + 1,)
            Block i has the values from offsets[i] up to offsets[i + 1].
        """
        return self._once("flat", name, lambda: flat(self._table, name))

    def present(self, name: str) -> NDArray[np.bool_]:
        """Whether each block has a value in a column.

        Parameters
        ----------
        name : str
            A column of `columns.SCHEMA`.

        Returns
        -------
        ndarray of bool, shape (blocks,)
            False where the format of the block did not have the column.
        """
        return self._once("present", name, lambda: present(self._table, name))

    def complete(self, name: str) -> bool:
        """Whether every block has a value in a column.

        Parameters
        ----------
        name : str
            A column of `columns.SCHEMA`.

        Returns
        -------
        bool
            Whether no value is null.
        """
        return self._once("complete", name, lambda: not self._table.column(name).null_count)

    def names(self) -> Words:
        """A word for the list of statistics of each block.

        Returns
        -------
        ndarray of uint64, shape (blocks,)
            See `checksums.statistics_lists`.
        """
        return self._once("names", "statistics", lambda: statistics_lists(self._table))

    def chosen(self, rows: np.ndarray) -> Part:
        """Some blocks, wherever in the batch they lie.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Their rows in the batch.

        Returns
        -------
        Part
            The whole of a new batch, which holds a copy of them in the order of the rows.
        """
        return Part(Batch(self.content.take(pa.array(rows))), 0, int(rows.size))

    def runs(self) -> Iterator[tuple[str | None, tuple[bytes, int], Part]]:
        """Neighbouring rows of one code and problem.

        Yields
        ------
        code : str or None
            Identity of the code that computed them, as text; None where they do not say.
        name : (bytes, int)
            The problem's key and seed.
        part : Part
            The rows. One code and problem may have several runs.
        """
        if not self.num_rows:
            return
        keys, seeds = key_words(self._table), self.numbers("seed")
        words, codes = text(self._table, "identity")
        new = np.any(keys[1:] != keys[:-1], axis=1) | (seeds[1:] != seeds[:-1])
        new |= codes[1:] != codes[:-1]
        first = np.concatenate([[0], np.flatnonzero(new) + 1])
        named = zip(keys[first], seeds[first].tolist(), codes[first].tolist(), strict=True)
        edges = itertools.pairwise([*first.tolist(), self.num_rows])
        for (key, seed, code), (start, stop) in zip(named, edges, strict=True):
            yield words[code], (key.tobytes(), seed), Part(self, start, stop)

    def _once(self, what: str, name: str, decode: Callable[[], T]) -> T:
        """What `decode` returns, which is called the first time that this is asked for."""
        key = (what, name)
        if key not in self._decoded:
            self._decoded[key] = decode()
        found: T = self._decoded[key]  # type: ignore[assignment]  # as `decode` has returned it
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring rows of a batch.

    Attributes
    ----------
    batch : Batch
        The batch that the rows lie in, which decodes their columns.
    start, stop : int
        The first row, and the one after the last.
    """

    batch: Batch
    start: int
    stop: int

    @property
    def num_rows(self) -> int:
        """Number of blocks."""
        return self.stop - self.start

    def numbers(self, name: str) -> np.ndarray:
        """A column of one number a block.

        Parameters
        ----------
        name : str
            A column of `columns.SCHEMA` that is no list.

        Returns
        -------
        ndarray, shape (blocks,)
            Of the column's own type.
        """
        return self.batch.numbers(name)[self.start : self.stop]

    def values(self, name: str) -> np.ndarray:
        """Values of a list column, block after block.

        Parameters
        ----------
        name : str
            A list column of `columns.SCHEMA`.

        Returns
        -------
        ndarray, shape (n,)
            A block whose value is null adds none.
        """
        values, offsets = self.batch.flat(name)
        return values[offsets[self.start] : offsets[self.stop]]

    def sizes(self, name: str) -> np.ndarray:
        """Number of values of a list column in each block.

        Parameters
        ----------
        name : str
            A list column of `columns.SCHEMA`.

        Returns
        -------
        ndarray of int64, shape (blocks,)
            0 where the value is null or the list is empty.
        """
        return np.diff(self.batch.flat(name)[1][self.start : self.stop + 1])

    def present(self, name: str) -> NDArray[np.bool_]:
        """Whether each block has a value in a column.

        Parameters
        ----------
        name : str
            A column of `columns.SCHEMA`.

        Returns
        -------
        ndarray of bool, shape (blocks,)
            False where the format of the block did not have the column.
        """
        return self.batch.present(name)[self.start : self.stop]

    def rows(self) -> pa.RecordBatch:
        """The blocks as they are stored.

        Returns
        -------
        pyarrow.RecordBatch
            A slice of the batch, which shares its memory.
        """
        return self.batch.content.slice(self.start, self.num_rows)

    def by_statistics(self) -> Iterator[tuple[tuple[int, ...], Part]]:
        """The blocks apart by the list of their statistics.

        Yields
        ------
        statistics : tuple of int
            Statistic ids, in the order of the columns of the first block.
        part : Part
            The blocks that have them: this part itself where all have the same, or a copy.
        """
        names = self.batch.names()[self.start : self.stop]
        if not names.size:
            return
        if names[0] == names[-1] and (names == names[0]).all():
            yield self._statistics(), self
            return
        for name in np.unique(names):
            chosen = self.batch.chosen(self.start + np.flatnonzero(names == name))
            yield chosen._statistics(), chosen

    def _statistics(self) -> tuple[int, ...]:
        """Statistic ids of the first block, in the order of the columns of its sums."""
        values, offsets = self.batch.flat("statistics")
        return tuple(values[offsets[self.start] : offsets[self.start + 1]].tolist())
