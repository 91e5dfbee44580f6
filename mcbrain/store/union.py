"""The union of block stores: equal duplicates once, differing ones an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from mcbrain.errors import StoreError
from mcbrain.store.blockstore import BlockStore, Name
from mcbrain.store.checksums import statistics_names, sums_by_cell
from mcbrain.store.columns import flat, numbers, text
from mcbrain.store.segments import joined

__all__ = ["check_agreement", "new_rows"]


def check_agreement(stores: Sequence[BlockStore], describe: Callable[[Name], str]) -> None:
    """Compare every block that the same code computed more than once, bit by bit, its time aside.

    Parameters
    ----------
    stores : sequence of BlockStore
        Those that are to be merged, each with the blocks of all code in use.
    describe : callable
        Takes key and seed of a problem and returns words for a person, for the message.

    Raises
    ------
    StoreError
        Naming the first block that differs, and the two folders.
    """
    for name, parts in _places(stores):
        if len(parts) < 2:
            continue
        origin = np.concatenate([np.full(t.num_rows, place) for place, t in parts])
        clash = _clash(pa.concat_tables([t for _, t in parts]), origin)
        if clash is not None:
            block, one, other = clash
            raise StoreError(
                f"block {block} of {describe(name)} differs between {stores[one].folder.parent} "
                f"and {stores[other].folder.parent}: one of them was made by other library "
                "versions, on another kind of processor, or altered; nothing was merged"
            )


def new_rows(target: BlockStore, sources: Sequence[BlockStore]) -> Iterator[pa.RecordBatch]:
    """Rows of the sources that the target lacks, each once, those of a problem side by side.

    Parameters
    ----------
    target : BlockStore
        The store that the rows are to be written to.
    sources : sequence of BlockStore
        Where several hold the same block of the same code and statistics, the first one gives it.

    Yields
    ------
    pyarrow.RecordBatch
        Rows as the sources have them, in large batches, by the key of their problem.
    """

    def missing() -> Iterator[pa.RecordBatch]:
        for _, parts in _places([target, *sources]):
            table = pa.concat_tables([t for _, t in parts])
            index, code = numbers(table, "index"), text(table, "identity")[1]
            kept = np.diff(flat(table, "kept")[1]) > 0
            names = np.stack(
                [
                    index.astype(np.uint64),
                    statistics_names(table),
                    code.astype(np.uint64),
                    kept.astype(np.uint64),
                ]
            )
            first = np.sort(np.unique(names, axis=1, return_index=True)[1])
            held = sum(t.num_rows for place, t in parts if place == 0)
            fresh = first[first >= held]
            if fresh.size == table.num_rows:
                yield from table.to_batches()
            elif fresh.size:
                yield from table.take(pa.array(fresh)).to_batches()

    yield from joined(missing())


def _places(stores: Sequence[BlockStore]) -> Iterator[tuple[Name, list[tuple[int, pa.Table]]]]:
    """Each problem in order, with the stores that hold some of its blocks."""
    holders: dict[Name, list[int]] = {}
    for place, store in enumerate(stores):
        for name in store.names():
            holders.setdefault(name, []).append(place)
    for name in sorted(holders):
        yield name, [(place, stores[place].rows(name)) for place in holders[name]]


def _clash(table: pa.Table, origin: np.ndarray) -> tuple[int, int, int] | None:
    """A block whose sums differ, and the places of the two stores that hold them, if any."""
    statistics, offsets = flat(table, "statistics")
    row = np.repeat(np.arange(table.num_rows), np.diff(offsets))
    block, sums = numbers(table, "index")[row], sums_by_cell(table)
    code = text(table, "identity")[1][row]
    order = np.lexsort((statistics, block, code))
    a, b = order[:-1], order[1:]
    same = (code[a] == code[b]) & (block[a] == block[b]) & (statistics[a] == statistics[b])
    bad = np.flatnonzero(same & (sums[a] != sums[b]))
    if not bad.size:
        return None
    one, other = a[bad[0]], b[bad[0]]
    return int(block[one]), int(origin[row[one]]), int(origin[row[other]])
