"""Segments: block sums as Arrow files, each row with a checksum, each file whole or absent."""

from __future__ import annotations

import itertools
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mcbrain.blocks import BlockSums, Problem
from mcbrain.errors import StoreError, unwritable

__all__ = ["FORMAT", "SCHEMA", "write_table"]

FORMAT = 1
BATCH_ROWS = 65_536

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
_LISTS = tuple(name for name, kind, _ in _COLUMNS if pa.types.is_list(kind))


def write_table(path: Path, batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> int:
    """Write an Arrow IPC file so that it is either whole or not there; returns its rows.

    Raises
    ------
    StoreError
        Disk full, folder not writable: the file at `path`, if any, is then untouched.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    rows = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as sink:
            with pa.ipc.new_file(sink, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
                    rows += batch.num_rows
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise unwritable(path, error) from None
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return rows


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_segment(folder: Path, batches: Iterable[pa.RecordBatch]) -> Path:
    """Write a segment; its name ends in the CRC-32 of the file, so that it is checked at a glance.

    Parameters
    ----------
    folder : Path
        DIR/blocks; made when it is not there.
    batches : iterable of pyarrow.RecordBatch
    """
    taken = [int(p.stem.split("-")[1]) for p in folder.glob("blocks-*.arrow")]
    number = max(taken, default=0) + 1
    draft = folder / f"blocks-{number:06d}.draft"
    write_table(draft, batches, SCHEMA)
    with pa.memory_map(str(draft)) as source:
        path = folder / f"blocks-{number:06d}-{zlib.crc32(source.read_buffer()):08x}.arrow"
    draft.replace(path)
    sync_folder(folder)
    return path


def read_segment(path: Path) -> tuple[list[pa.RecordBatch], str]:
    """Batches of a segment without its damaged rows, and what is damaged about it, if anything.

    Parameters
    ----------
    path : Path

    Raises
    ------
    StoreError
        Written in a newer format.
    """
    try:
        with pa.memory_map(str(path)) as source:
            content = source.read_buffer()
        reader = pa.ipc.open_file(content)
        version = (reader.schema.metadata or {}).get(b"mcbrain.blocks", b"0").decode()
        if version.isdigit() and int(version) > FORMAT:
            raise StoreError(
                f"{path}: written in block format {version}, newer than this mcbrain's "
                f"{FORMAT}; use the newer mcbrain, nothing was changed"
            )
        if not reader.schema.equals(SCHEMA):
            raise pa.ArrowInvalid("not a block segment")
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
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
        if any(column.null_count for column in batch.columns):
            raise pa.ArrowInvalid("values are missing")
    table = pa.Table.from_batches(batches, SCHEMA)
    return np.asarray(checksums(table) == numbers(table, "checksum"))


def to_table(records: Iterable[tuple[Problem, tuple[int, ...], BlockSums]]) -> pa.Table:
    """Blocks as rows, those of a problem side by side."""
    records = sorted(records, key=lambda r: (r[0].key, r[0].seed, r[2].index))
    sums = [s for _, _, s in records]
    names = {q: np.array(q, np.uint64) for q in {q for _, q, _ in records}}
    columns: dict[str, list[object]] = {
        "key": [p.key for p, _, _ in records],
        "seed": [p.seed for p, _, _ in records],
        "index": [s.index for s in sums],
        "replicates": [s.replicates for s in sums],
        "seconds": [s.seconds for s in sums],
    }
    arrays = {name: pa.array(values, SCHEMA.field(name).type) for name, values in columns.items()}
    arrays["statistics"] = _list_array("statistics", [names[q] for _, q, _ in records])
    for name in _LISTS[1:]:
        arrays[name] = _list_array(name, [getattr(s, name) for s in sums])
    table = pa.table({name: arrays[name] for name in SCHEMA.names[:-1]})
    return table.append_column("checksum", pa.array(checksums(table))).cast(SCHEMA)


def _list_array(name: str, parts: list[np.ndarray]) -> pa.ListArray:
    kind = SCHEMA.field(name).type.value_type
    offsets = np.zeros(len(parts) + 1, np.int32)
    np.cumsum([p.size for p in parts], out=offsets[1:])
    values = np.concatenate(parts).ravel().astype(_dtype(kind))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, kind))


def _dtype(kind: pa.DataType) -> np.dtype[Any]:
    """NumPy's name of a number's type; `DataType.to_pandas_dtype` may import pandas for it."""
    return np.dtype(str(kind))


def numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers."""
    kind = _dtype(SCHEMA.field(name).type)
    parts = [_values(chunk, kind) for chunk in table.column(name).chunks]
    return np.concatenate([np.zeros(0, kind), *parts]) if len(parts) != 1 else parts[0]


def flat(table: pa.Table, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Values and row offsets of a list column."""
    kind = _dtype(SCHEMA.field(name).type.value_type)
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


def _mix(words: UInts) -> UInts:
    """Scramble 64-bit words so that every bit of a word reaches every bit of its image."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        return words ^ (words >> np.uint64(32))


def checksums(table: pa.Table) -> UInts:
    """One checksum a row over every stored value, by sums of scrambled words."""
    n = table.num_rows
    total = np.zeros(n, np.uint64)
    keys = key_words(table)
    scalars = [keys[:, 0], keys[:, 1]]
    scalars += [_as_words(numbers(table, c)) for c in ("seed", "index", "replicates", "seconds")]
    with np.errstate(over="ignore"):
        for place, words in enumerate(scalars):
            total += _mix(words + np.uint64(0x632BE59BD9B4E019 * (place + 1) % 2**64))
        for place, name in enumerate(_LISTS):
            values, offsets = flat(table, name)
            sizes = np.diff(offsets)
            within = np.arange(values.size) - np.repeat(offsets[:-1], sizes)
            salt = (within + 1).astype(np.uint64) * np.uint64(0xD1342543DE82EF95)
            mixed = _mix(_as_words(values) + salt + np.uint64(place + 101))
            running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed, dtype=np.uint64)])
            total += _mix(running[offsets[1:]] - running[offsets[:-1]] + sizes.astype(np.uint64))
    return total


def sums_by_cell(table: pa.Table) -> UInts:
    """One word for all sums of a block at a statistic; equal sums have equal words."""
    columns = [flat(table, name)[0] for name in ("count", "mean", "m2", "better")]
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


def _as_words(values: np.ndarray) -> UInts:
    if values.dtype == np.float64:
        return np.ascontiguousarray(values).view(np.uint64)
    return values.astype(np.int64 if values.dtype != np.uint64 else np.uint64).view(np.uint64)


def statistics_names(table: pa.Table) -> UInts:
    """A word for the list of statistics of each row."""
    values, offsets = flat(table, "statistics")
    with np.errstate(over="ignore"):
        running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mix(values), dtype=np.uint64)])
        inside = running[offsets[1:]] - running[offsets[:-1]]
        return np.asarray(_mix(inside) + np.diff(offsets).astype(np.uint64))


def by_statistics(table: pa.Table) -> list[tuple[tuple[int, ...], pa.Table]]:
    """Split the rows of one problem by the list of their statistics."""
    values, offsets = flat(table, "statistics")
    name = statistics_names(table)
    groups = []
    for label in np.unique(name):
        rows = np.flatnonzero(name == label)
        first = rows[0]
        statistics = tuple(int(s) for s in values[offsets[first] : offsets[first + 1]])
        groups.append((statistics, table.take(pa.array(rows)) if rows.size < len(name) else table))
    return groups
