"""Columns of stored blocks: what each means, and how it is read without copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import DTypeLike, NDArray

from mcbrain.blocks.sums import SUMS, Sum
from mcbrain.typing import Words

__all__ = [
    "COLUMNS",
    "FORMAT",
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


@dataclass(frozen=True)
class StoredColumn:
    """A column of the stored blocks: of what names a block, or of a sum (`blocks/sums.py`).

    Attributes
    ----------
    name : str
        Its name in the Arrow files.
    kind : pyarrow.DataType
        Type of its values; a list where a block has several.
    meaning : str
        What it says, for a person who opens the file; kept in the file's schema.
    since : int
        The first block format that has it. A block of an older format has null there, and a null
        adds nothing to a row's checksum, so that old rows keep theirs when they are rewritten.
    """

    name: str
    kind: pa.DataType
    meaning: str
    since: int = 1


# What names a block: its problem, what was asked of it, and the code that answered.
_NAMES = (
    StoredColumn("key", pa.binary(16), "problem, by content"),
    StoredColumn("seed", pa.int64(), "seed of the study"),
    StoredColumn("statistics", pa.list_(pa.uint64()), "statistics, by content"),
    StoredColumn("identity", pa.string(), "the code that computed the block", since=2),
)


def _of_sum(name: str, record: Sum) -> StoredColumn:
    """The column that holds one field of `BlockSums`."""
    number = pa.type_for_alias(record.kind)
    kind = number if record.per == "block" else pa.list_(number)
    return StoredColumn(name, kind, record.meaning, record.since)


def _place(column: StoredColumn) -> tuple[int, bool]:
    """What columns are sorted by: older formats first, and in each the lists last."""
    return column.since, pa.types.is_list(column.kind)


# A column's place in this order salts the checksums (store/checksums.py), so the columns of one
# format keep their places whatever a later format adds.
COLUMNS = tuple(
    sorted([*_NAMES, *(_of_sum(name, record) for name, record in SUMS.items())], key=_place)
)
# The format of today. Format 1 had no identity, no joint sums and no atoms; its segments are read
# and their blocks kept.
FORMAT = max(column.since for column in COLUMNS)
SCHEMA = pa.schema(
    [pa.field(c.name, c.kind, metadata={"meaning": c.meaning}) for c in COLUMNS]
    + [pa.field("checksum", pa.uint64())],
    metadata={"mcbrain.blocks": str(FORMAT)},
)


def readable(schema: pa.Schema) -> bool:
    """Whether a segment holds block sums: every column of format 1, and none that is unknown.

    Parameters
    ----------
    schema : pyarrow.Schema
        Schema of a segment of this format or an older one.

    Returns
    -------
    bool
        Also False where a column is of another type than today's.
    """
    needed = {c.name for c in COLUMNS if c.since == 1} | {"checksum"}
    known = set(SCHEMA.names)
    return needed <= set(schema.names) <= known and all(
        item.type.equals(SCHEMA.field(item.name).type) for item in schema
    )


def completed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with every column of today; those that its format did not have are null.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        Rows of a segment that is `readable`.

    Returns
    -------
    pyarrow.RecordBatch
        The same rows under `SCHEMA`; the values are shared, not copied.
    """
    if batch.schema.equals(SCHEMA):
        return batch
    there = set(batch.schema.names)
    arrays = [
        batch.column(item.name) if item.name in there else pa.nulls(batch.num_rows, item.type)
        for item in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def dtype_of(kind: pa.DataType) -> np.dtype[np.generic]:
    """NumPy's name of a number's type; `DataType.to_pandas_dtype` may import pandas for it.

    Parameters
    ----------
    kind : pyarrow.DataType
        Type of a whole or floating-point number, such as int32.

    Returns
    -------
    numpy.dtype
        The type that has the same name in NumPy.

    Raises
    ------
    TypeError
        NumPy knows no type of this name, as of a text or a list.
    """
    return np.dtype(str(kind))


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column of one number a row.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.
    name : str
        A column of `SCHEMA` that is no list, without nulls.

    Returns
    -------
    ndarray, shape (rows,)
        Numbers of the column's own type. It is a view of the table's memory, not a copy, where the
        column is of one piece.
    """
    kind = dtype_of(SCHEMA.field(name).type)
    parts = [_values(chunk, kind) for chunk in table.column(name).chunks]
    return np.concatenate([np.zeros(0, kind), *parts]) if len(parts) != 1 else parts[0]


def flat(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and row offsets of a list column.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.
    name : str
        A list column of `SCHEMA`.

    Returns
    -------
    values : ndarray, shape (n,)
        The values of all rows, row after row; a null adds none.
    offsets : ndarray of int64, shape (rows + 1,)
        Row i has the values from offsets[i] up to offsets[i + 1].
    """
    kind = dtype_of(SCHEMA.field(name).type.value_type)
    chunks = table.column(name).chunks
    values = [_values(chunk.flatten(), kind) for chunk in chunks]
    sizes = [np.diff(_values(chunk.offsets, np.int32)).astype(np.int64) for chunk in chunks]
    if len(values) != 1:
        values = [np.concatenate([np.zeros(0, kind), *values])]
    return values[0], np.cumsum(np.concatenate([np.zeros(1, np.int64), *sizes]))


def text(table: pa.Table, name: str) -> tuple[list[str | None], np.ndarray]:
    """A column of few different words: the words, and for each row which one.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.
    name : str
        A text column of `SCHEMA`.

    Returns
    -------
    words : list of str or None
        The different words in the order in which they first occur. A null is a word of its own.
    codes : ndarray of int32, shape (rows,)
        Place among the words of each row's word.
    """
    column = table.column(name).combine_chunks()
    words = pc.unique(column)
    codes = pc.index_in(column, words)
    return words.to_pylist(), _values(codes, np.int32)


def present(table: pa.Table, name: str) -> NDArray[np.bool_]:
    """Whether each row has a value in a column; a block of an older format may have none.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.
    name : str
        A column of `SCHEMA`.

    Returns
    -------
    ndarray of bool, shape (rows,)
        False where the column is null.
    """
    column = table.column(name)
    if not column.null_count:
        return np.ones(table.num_rows, bool)
    return np.array(pc.is_valid(column).to_pylist(), bool)


def _values(array: pa.Array, kind: DTypeLike) -> np.ndarray:
    """The numbers of an array without nulls; `Array.to_numpy` would import pandas for it."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(0, kind)
    return np.frombuffer(buffer, kind, array.offset + len(array))[array.offset :]


def key_words(table: pa.Table) -> Words:
    """Keys of problems, which have 16 bytes, as two words each.

    Parameters
    ----------
    table : pyarrow.Table
        Stored blocks.

    Returns
    -------
    ndarray of uint64, shape (rows, 2)
        Little-endian, so that `tobytes` of a row gives the key again.
    """
    parts = [
        np.frombuffer(chunk.buffers()[1], "<u8", 2 * (chunk.offset + len(chunk))).reshape(-1, 2)[
            chunk.offset :
        ]
        for chunk in table.column("key").chunks
        if len(chunk)
    ]
    return np.concatenate([np.zeros((0, 2), "<u8"), *parts]) if len(parts) != 1 else parts[0]
