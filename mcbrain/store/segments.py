"""Segments: block sums as Arrow files, each row with a checksum, each file whole or absent."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mcbrain.blocks.problem import Problem
from mcbrain.blocks.sums import SUMS, BlockSums
from mcbrain.errors import StoreError
from mcbrain.store.atomic import mapped, replacing, sync_folder
from mcbrain.store.checksums import checksums
from mcbrain.store.columns import (
    COLUMNS,
    FORMAT,
    SCHEMA,
    StoredColumn,
    completed,
    dtype_of,
    numbers,
    readable,
)

__all__ = ["joined", "read_segment", "to_table", "write_segment", "write_table"]

# Rows of a batch that is written: large enough that its columns are decoded at once when read.
BATCH_ROWS = 65_536


def write_table(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write an Arrow IPC file so that it is either whole or not there.

    Parameters
    ----------
    path : Path
        Where the file is to be. Its folder is made when it is not there.
    batches : iterable of pyarrow.RecordBatch
        Its rows. They are taken one by one, so they need not fit into memory together.
    schema : pyarrow.Schema
        Schema of every batch, with the metadata that the file carries.

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    UnfinishedError
        Disk full, folder not writable: the file at `path`, if any, is then untouched.
    """
    rows = 0
    with replacing(path) as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_segment(folder: Path, batches: Iterable[pa.RecordBatch]) -> Path:
    """Write a segment; its name ends in the CRC-32 of the file, so that it is checked at a glance.

    Parameters
    ----------
    folder : Path
        DIR/blocks; made when it is not there.
    batches : iterable of pyarrow.RecordBatch
        Rows under `columns.SCHEMA`, each with its checksum.

    Returns
    -------
    Path
        The new segment, whose number is one above the highest that is there.

    Raises
    ------
    UnfinishedError
        Disk full, folder not writable.
    """
    taken = [int(p.stem.split("-")[1]) for p in folder.glob("blocks-*.arrow")]
    number = max(taken, default=0) + 1
    draft = folder / f"blocks-{number:06d}.draft"
    write_table(draft, batches, SCHEMA)
    with mapped(draft) as source:
        path = folder / f"blocks-{number:06d}-{zlib.crc32(source.read_buffer()):08x}.arrow"
    draft.replace(path)
    sync_folder(folder)
    return path


def read_segment(path: Path) -> tuple[list[pa.RecordBatch], str]:
    """Batches of a segment without its damaged rows, and what is damaged about it, if anything.

    Parameters
    ----------
    path : Path
        The segment. Its rows are checked one by one only if the CRC-32 in its name is not that of
        the file.

    Returns
    -------
    batches : list of pyarrow.RecordBatch
        The sound rows, with every column of today; none where the file is no segment of blocks.
    damage : str
        What is wrong, as a clause of a sentence; empty where every row is sound.

    Raises
    ------
    FileNotFoundError
        The segment is gone: its writer has put it together with others since it was listed.
    StoreError
        Written in a newer format.
    """
    try:
        with mapped(path) as source:
            content = source.read_buffer()
        reader = pa.ipc.open_file(content)
        version = (reader.schema.metadata or {}).get(b"mcbrain.blocks", b"0").decode()
        if version.isdigit() and int(version) > FORMAT:
            raise StoreError(
                f"{path}: written in block format {version}, newer than this mcbrain's "
                f"{FORMAT}; use the newer mcbrain, nothing was changed"
            )
        if not readable(reader.schema):
            return [], "not a block segment"
        batches = [completed(reader.get_batch(i)) for i in range(reader.num_record_batches)]
        if path.stem.endswith(f"-{zlib.crc32(content):08x}"):
            return batches, ""
        good = _sound(batches)
    except (FileNotFoundError, StoreError):
        raise  # compacted by its writer since the folder was listed; or newer
    except Exception as error:  # damaged bytes can make their parser raise anything
        return [], str(error).splitlines()[0] if str(error) else type(error).__name__
    table = pa.Table.from_batches(batches, SCHEMA)
    if good.all():
        return batches, ""
    why = f"{int((~good).sum())} of {good.size} blocks fail their checksum"
    return table.filter(pa.array(good)).to_batches(), why


def _sound(batches: list[pa.RecordBatch]) -> NDArray[np.bool_]:
    """Which rows pass their checksum; an error where the batches are not even batches."""
    for batch in batches:
        batch.validate(full=True)
        if any(batch.column(c.name).null_count for c in COLUMNS if c.since == 1):
            raise pa.ArrowInvalid("values are missing")
    table = pa.Table.from_batches(batches, SCHEMA)
    return np.asarray(checksums(table) == numbers(table, "checksum"))


def to_table(
    records: Iterable[tuple[Problem, tuple[int, ...], BlockSums]], identity: str
) -> pa.Table:
    """Blocks as rows, those of a problem side by side.

    Parameters
    ----------
    records : iterable of (Problem, tuple of int, BlockSums)
        Each block with its problem and the statistic ids of the columns of its sums.
    identity : str
        Of the code that computed them, as `Identity.text` spells it.

    Returns
    -------
    pyarrow.Table
        Under `columns.SCHEMA`, by key, seed and number of the block, each row with its checksum.
    """
    records = sorted(records, key=lambda r: (r[0].key, r[0].seed, r[2].index))
    sums = [s for _, _, s in records]
    names = {q: np.array(q, np.uint64) for q in {q for _, q, _ in records}}
    columns: dict[str, list[Any]] = {
        "key": [p.key for p, _, _ in records],
        "seed": [p.seed for p, _, _ in records],
        "statistics": [names[q] for _, q, _ in records],
        "identity": [identity] * len(sums),
    }
    columns |= {name: [getattr(s, name) for s in sums] for name in SUMS}
    table = pa.table({column.name: _array(column, columns[column.name]) for column in COLUMNS})
    return table.append_column("checksum", pa.array(checksums(table))).cast(SCHEMA)


# Any: a number, a key or a word for each row, or an array.
def _array(column: StoredColumn, parts: list[Any]) -> pa.Array:
    """A column from its values for each row; those of a list column are arrays of any shape."""
    if not pa.types.is_list(column.kind):
        return pa.array(parts, column.kind)
    kind = column.kind.value_type
    offsets = np.zeros(len(parts) + 1, np.int32)
    np.cumsum([p.size for p in parts], out=offsets[1:])
    values = np.concatenate(parts).ravel().astype(dtype_of(kind))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, kind))


def joined(parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in the same order, in batches that are not small.

    Parameters
    ----------
    parts : iterable of pyarrow.RecordBatch
        All of one schema. They are taken one by one, so they need not fit into memory together.

    Yields
    ------
    pyarrow.RecordBatch
        At least `BATCH_ROWS` rows each, except the last.
    """
    ready: list[pa.RecordBatch] = []
    rows = 0
    for part in parts:
        ready.append(part)
        rows += part.num_rows
        if rows >= BATCH_ROWS:
            yield from pa.Table.from_batches(ready).combine_chunks().to_batches()
            ready, rows = [], 0
    if ready:
        yield from pa.Table.from_batches(ready).combine_chunks().to_batches()
