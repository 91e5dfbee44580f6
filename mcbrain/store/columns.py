"""Columns of stored blocks: what each means, and how it is read without copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mcbrain.typing import Words

__all__ = [
    "COLUMNS",
    "FORMAT",
    "LISTS",
    "SCHEMA",
    "StoredColumn",
    "completed",
    "dtype_of",
    "flat",
    "key_words",
    "numbers",
    "present",
    "readable",
    "text",
]

# The format of today. Format 1 had no identity, no joint sums and no atoms; its segments are read
# and their blocks kept.
FORMAT = 2


@dataclass(frozen=True)
class StoredColumn:
    """A column of the stored blocks.

    Attributes
    ----------
    name : str
    kind : pyarrow.DataType
    meaning : str
    since : int
        The first block format that has it. A block of an older format has null there, and a null
        adds nothing to a row's checksum, so that old rows keep theirs when they are rewritten.
    """

    name: str
    kind: pa.DataType
    meaning: str
    since: int = 1


# Columns are only ever appended: their places salt the checksums.
COLUMNS = (
    StoredColumn("key", pa.binary(16), "problem, by content"),
    StoredColumn("seed", pa.int64(), "seed of the study"),
    StoredColumn("index", pa.int32(), "number of the block within its problem"),
    StoredColumn("replicates", pa.int32(), "replicates drawn"),
    StoredColumn("seconds", pa.float64(), "time of one core"),
    StoredColumn("statistics", pa.list_(pa.uint64()), "statistics, by content"),
    StoredColumn("count", pa.list_(pa.int32()), "replicates that succeeded"),
    StoredColumn("mean", pa.list_(pa.float64()), "their mean"),
    StoredColumn("m2", pa.list_(pa.float64()), "their centred sum of squares"),
    StoredColumn("better", pa.list_(pa.int32()), "replicates that beat the baseline"),
    StoredColumn("bin_sizes", pa.list_(pa.int32()), "histogram bins of each statistic"),
    StoredColumn("bins", pa.list_(pa.int16()), "floor(log(value) / log(1.01))"),
    StoredColumn("bin_counts", pa.list_(pa.int32()), "replicates in each bin"),
    StoredColumn("failures", pa.list_(pa.int32()), "replicate, statistic, reason of each failure"),
    StoredColumn("identity", pa.string(), "the code that computed the block", since=2),
    StoredColumn(
        "cross", pa.list_(pa.float64()), "centred sum of products with the baseline", since=2
    ),
    StoredColumn(
        "joint",
        pa.list_(pa.int32()),
        "statistic, replicates in which it and its baseline have values: where some lack",
        since=2,
    ),
    StoredColumn(
        "joint_sums",
        pa.list_(pa.float64()),
        "over those: mean and centred sum of squares of the statistic, then of the baseline",
        since=2,
    ),
    StoredColumn(
        "atoms",
        pa.list_(pa.int32()),
        "statistic, bin, replicates of the bin that share one value",
        since=2,
    ),
    StoredColumn("atom_values", pa.list_(pa.float64()), "those values", since=2),
)
SCHEMA = pa.schema(
    [pa.field(c.name, c.kind, metadata={"meaning": c.meaning}) for c in COLUMNS]
    + [pa.field("checksum", pa.uint64())],
    metadata={"mcbrain.blocks": str(FORMAT)},
)
LISTS = tuple(c.name for c in COLUMNS if pa.types.is_list(c.kind))


def readable(schema: pa.Schema) -> bool:
    """Whether a segment holds block sums: every column of format 1, and none that is unknown."""
    needed = {c.name for c in COLUMNS if c.since == 1} | {"checksum"}
    known = set(SCHEMA.names)
    return needed <= set(schema.names) <= known and all(
        item.type.equals(SCHEMA.field(item.name).type) for item in schema
    )


def completed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with every column of today; those that its format did not have are null."""
    if batch.schema.equals(SCHEMA):
        return batch
    there = set(batch.schema.names)
    arrays = [
        batch.column(item.name) if item.name in there else pa.nulls(batch.num_rows, item.type)
        for item in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


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
    chunks = table.column(name).chunks
    values = [_values(chunk.flatten(), kind) for chunk in chunks]
    sizes = [np.diff(_values(chunk.offsets, np.int32)).astype(np.int64) for chunk in chunks]
    if len(values) != 1:
        values = [np.concatenate([np.zeros(0, kind), *values])]
    return values[0], np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes]))


def text(table: pa.Table, name: str) -> tuple[list[str | None], np.ndarray]:
    """A column of few different words: the words, and for each row which one."""
    column = table.column(name).combine_chunks()
    words = pc.unique(column)
    codes = pc.index_in(column, words)
    return words.to_pylist(), _values(codes, np.int32)


def present(table: pa.Table, name: str) -> NDArray[np.bool_]:
    """Whether each row has a value in a column; a block of an older format may have none."""
    column = table.column(name)
    if not column.null_count:
        return np.ones(table.num_rows, bool)
    return np.array(pc.is_valid(column).to_pylist(), bool)


def _values(array: pa.Array, kind: Any) -> np.ndarray:
    """The numbers of an array without nulls; `Array.to_numpy` would import pandas for it."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(0, kind)
    return np.frombuffer(buffer, kind, array.offset + len(array))[array.offset :]


def key_words(table: pa.Table) -> Words:
    """Keys as two words each, shape (rows, 2)."""
    parts = [
        np.frombuffer(chunk.buffers()[1], "<u8", 2 * (chunk.offset + len(chunk))).reshape(-1, 2)[
            chunk.offset :
        ]
        for chunk in table.column("key").chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros((0, 2), "<u8"), *parts]) if len(parts) != 1 else parts[0]
