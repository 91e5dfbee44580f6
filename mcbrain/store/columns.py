"""Columns of stored blocks: what each means, and how it is read without copies."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["FORMAT", "LISTS", "SCHEMA", "dtype_of", "flat", "key_words", "numbers", "runs"]

FORMAT = 1

UInts = NDArray[np.uint64]

# Every stored column: name, type, meaning.
_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("key", pa.binary(16), "problem, by content"),
    ("seed", pa.int64(), "seed of the study"),
    ("index", pa.int32(), "number of the block within its problem"),
    ("replicates", pa.int32(), "replicates drawn"),
    ("seconds", pa.float64(), "time of one core"),
    ("statistics", pa.list_(pa.uint64()), "statistics, by content"),
    ("count", pa.list_(pa.int32()), "replicates that succeeded"),
    ("mean", pa.list_(pa.float64()), "their mean"),
    ("m2", pa.list_(pa.float64()), "their centred sum of squares"),
    ("better", pa.list_(pa.int32()), "replicates that beat the baseline"),
    ("bin_sizes", pa.list_(pa.int32()), "histogram bins of each statistic"),
    ("bins", pa.list_(pa.int16()), "floor(log(value) / log(1.01))"),
    ("bin_counts", pa.list_(pa.int32()), "replicates in each bin"),
    ("failures", pa.list_(pa.int32()), "replicate, statistic, reason of each failure"),
)
SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"meaning": text}) for name, kind, text in _COLUMNS]
    + [pa.field("checksum", pa.uint64())],
    metadata={"mcbrain.blocks": str(FORMAT)},
)
LISTS = tuple(name for name, kind, _ in _COLUMNS if pa.types.is_list(kind))


def dtype_of(kind: pa.DataType) -> np.dtype[Any]:
    """NumPy's name of a number's type; `DataType.to_pandas_dtype` may import pandas for it."""
    return np.dtype(str(kind))


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers."""
    kind = dtype_of(SCHEMA.field(name).type)
    parts = [_values(chunk, kind) for chunk in table.column(name).chunks]
    return np.concatenate([np.zeros(0, kind), *parts]) if len(parts) != 1 else parts[0]


def flat(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and row offsets of a list column."""
    kind = dtype_of(SCHEMA.field(name).type.value_type)
    values, sizes = [np.zeros(0, kind)], [np.zeros(1, np.int64)]
    for chunk in table.column(name).chunks:
        values.append(_values(chunk.flatten(), kind))
        sizes.append(np.diff(_values(chunk.offsets, np.int32)).astype(np.int64))
    return np.concatenate(values), np.cumsum(np.concatenate(sizes))


def _values(array: pa.Array, kind: Any) -> np.ndarray:
    """The numbers of an array without nulls; `Array.to_numpy` would import pandas for it."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(0, kind)
    return np.frombuffer(buffer, kind, array.offset + len(array))[array.offset :]


def key_words(table: pa.Table) -> UInts:
    """Keys as two words each, shape (rows, 2)."""
    parts = [
        np.frombuffer(chunk.buffers()[1], "<u8", 2 * (chunk.offset + len(chunk))).reshape(-1, 2)[
            chunk.offset :
        ]
        for chunk in table.column("key").chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros((0, 2), "<u8"), *parts]) if len(parts) != 1 else parts[0]


def runs(batch: pa.RecordBatch) -> Iterator[tuple[tuple[bytes, int], int, int]]:
    """Neighbouring rows of one problem: its key and seed, the first row, the row after the last."""
    if not batch.num_rows:
        return
    table = pa.Table.from_batches([batch])
    keys, seeds = key_words(table), numbers(table, "seed")
    new = np.any(keys[1:] != keys[:-1], axis=1) | (seeds[1:] != seeds[:-1])
    edges = [0, *(np.flatnonzero(new) + 1).tolist(), batch.num_rows]
    for start, stop in itertools.pairwise(edges):
        yield (keys[start].tobytes(), int(seeds[start])), start, stop
