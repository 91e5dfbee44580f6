"""Many stored values in one 64-bit word, by sums of scrambled words, for all rows at once."""

from __future__ import annotations

import itertools
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from mcbrain.blocks.sums import SUMS
from mcbrain.store.columns import (
    COLUMNS,
    StoredColumn,
    flat,
    key_words,
    numbers,
    present,
    text,
)
from mcbrain.typing import Words

__all__ = ["checksums", "statistics_lists", "statistics_names", "sums_by_cell"]

# Sums of which every block has one for each statistic.
_OF_STATISTICS = [
    n for n, record in SUMS.items() if record.per == "statistic" and record.since == 1
]


def checksums(table: pa.Table) -> Words:
    """One checksum a row over every stored value, by sums of scrambled words; a null adds 0.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks with every column of `columns.COLUMNS`.

    Returns
    -------
    ndarray of uint64, shape (rows,)
        What the column "checksum" has to hold where no value was damaged.
    """
    total = np.zeros(table.num_rows, np.uint64)
    scalars = itertools.count(1)
    lists = itertools.count(101)
    with np.errstate(over="ignore"):
        for column in COLUMNS:
            if pa.types.is_list(column.kind):
                part = _list_words(table, column.name, next(lists))
            else:
                part = np.zeros(table.num_rows, np.uint64)
                for words in _scalar_words(table, column):
                    part += _mix(words + np.uint64(0x632BE59BD9B4E019 * next(scalars) % 2**64))
            if column.since > 1:
                part[~present(table, column.name)] = 0
            total += part
    return total


def _scalar_words(table: pa.Table, column: StoredColumn) -> list[Words]:
    """A column of one value a row, as words."""
    if column.name == "key":
        return list(key_words(table).T)
    if pa.types.is_string(column.kind):
        words, codes = text(table, column.name)
        names = [blake2b((w or "").encode(), digest_size=8).digest() for w in words]
        return [np.frombuffer(b"".join(names), "<u8")[codes]]
    return [_as_words(numbers(table, column.name))]


def _list_words(table: pa.Table, name: str, place: int) -> Words:
    """A list column, a word for each row."""
    values, offsets = flat(table, name)
    sizes = np.diff(offsets)
    within = np.arange(values.size) - np.repeat(offsets[:-1], sizes)
    salt = (within + 1).astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
    mixed = _mix(_as_words(values) + salt + np.uint64(place))
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    return _mix(running[offsets[1:]] - running[offsets[:-1]] + sizes.astype(np.uint64))


def sums_by_cell(table: pa.Table) -> Words:
    """One word for all sums of a block at a statistic; equal sums have equal words.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks. They either all have a histogram or all have none.

    Returns
    -------
    ndarray of uint64, shape (cells,)
        A word for each statistic of each block, block after block. The time that a block took has
        no part in it.
    """
    columns = [flat(table, name)[0] for name in _OF_STATISTICS]
    sizes, _ = flat(table, "bin_sizes")
    replicates = np.repeat(numbers(table, "replicates"), np.diff(flat(table, "statistics")[1]))
    total = _mix(_as_words(replicates))
    with np.errstate(over="ignore"):
        for place, values in enumerate(columns):
            total += _mix(_as_words(values) + np.uint64(place + 1))
        if sizes.size:  # engines that integrate the quantiles out keep no histogram
            bins = _mix(_as_words(flat(table, "bins")[0]))
            counts = _as_words(flat(table, "bin_counts")[0])
            running = np.cumsum(_mix(bins + counts), dtype=np.uint64)
            running = np.concatenate([np.zeros(1, np.uint64), running])
            ends = np.cumsum(sizes)
            total += _mix(running[ends] - running[ends - sizes])
    return total


def statistics_lists(table: pa.Table) -> Words:
    """A word for the list of statistics of each row, in their order.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.

    Returns
    -------
    ndarray of uint64, shape (rows,)
        Equal for rows whose sums stand in the same columns.
    """
    with np.errstate(over="ignore"):
        return _list_words(table, "statistics", 0)


def statistics_names(table: pa.Table) -> Words:
    """A word for the set of statistics of each row.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.

    Returns
    -------
    ndarray of uint64, shape (rows,)
        Equal for rows of the same statistics, in whatever order they stand.
    """
    values, offsets = flat(table, "statistics")
    with np.errstate(over="ignore"):
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mix(values), dtype=np.uint64)])
        inside = running[offsets[1:]] - running[offsets[:-1]]
        return np.asarray(_mix(inside) + np.diff(offsets).astype(np.uint64))


def _mix(words: Words) -> Words:
    """Scramble 64-bit words so that every bit of a word reaches every bit of its image."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        return words ^ (words >> np.uint64(32))


def _as_words(values: np.ndarray) -> Words:
    """Numbers as 64-bit words: the bits of floats, and whole numbers as themselves."""
    if values.dtype == np.float64:
        return np.ascontiguousarray(values).view(np.uint64)
    return values.astype(np.int64 if values.dtype != np.uint64 else np.uint64).view(np.uint64)
