"""Sums of one block that were made in parts, each of some of its statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcbrain.blocks.sums import SUMS, BlockSums

__all__ = ["joined"]

# Where a field of entries counts statistics, by its name: a column, and what else sorts entries.
_NAMED = {"failures": 1, "joint": 0, "atoms": 0}
_BESIDE = {"joint_sums": "joint", "atom_values": "atoms"}


def joined(parts: Sequence[BlockSums], places: Sequence[Sequence[int]]) -> BlockSums:
    """One block from parts that were computed on the same replicates.

    Parameters
    ----------
    parts : sequence of BlockSums
        Each with every sum that it can know of its statistics.
    places : sequence of sequence of int
        For each part, where each of its statistics stands in the block; together 0, 1, 2, ...

    Returns
    -------
    BlockSums
        As if all statistics had been computed at once, but for the seconds, which are all parts'.
    """
    order = np.argsort(np.concatenate([np.asarray(p, np.int64) for p in places]))
    found: dict[str, Any] = {
        "index": parts[0].index,
        "replicates": parts[0].replicates,
        "seconds": sum(part.seconds for part in parts),
        "bin_sizes": np.concatenate([part.bin_sizes for part in parts])[order],
    }
    for name, record in SUMS.items():
        if record.per == "statistic":
            found[name] = np.concatenate([getattr(part, name) for part in parts])[order]
    for name in ("bins", "bin_counts"):
        pieces = [piece for part in parts for piece in _split(part, getattr(part, name))]
        found[name] = np.concatenate([pieces[i] for i in order])
    for name, column in _NAMED.items():
        entries = [
            _renamed(getattr(p, name), column, at) for p, at in zip(parts, places, strict=True)
        ]
        entry = np.concatenate(entries)
        # As an engine leaves them: by their columns, from the first.
        sort = np.lexsort(entry.T[::-1])
        found[name] = entry[sort]
        for beside in (b for b, owner in _BESIDE.items() if owner == name):
            found[beside] = np.concatenate([getattr(part, beside) for part in parts])[sort]
    found |= _replicates(parts, places, order)
    return BlockSums(**found)


def _replicates(
    parts: Sequence[BlockSums], places: Sequence[Sequence[int]], order: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """What the replicates say, where the parts have kept it."""
    rows = parts[0].replicates
    kept = np.hstack([part.kept.reshape(rows, -1) for part in parts])
    choosing = np.concatenate(
        [np.asarray(at, np.int64)[p.choosing] for p, at in zip(parts, places, strict=True)]
    )
    chosen = np.hstack([part.chosen.reshape(rows, -1) for part in parts])
    sort = np.argsort(choosing)
    return {
        "kept": kept[:, order].ravel() if kept.size else np.zeros(0),
        "choosing": choosing[sort],
        "chosen": chosen[:, sort].ravel(),
    }


def _split(part: BlockSums, values: NDArray[Any]) -> list[NDArray[Any]]:
    """The bins of each statistic of a part."""
    return np.split(values, np.cumsum(part.bin_sizes)[:-1])


def _renamed(entries: NDArray[np.int64], column: int, place: Sequence[int]) -> NDArray[np.int64]:
    """Entries with the places that their statistics have in the whole block."""
    entries = entries.copy()
    entries[:, column] = np.asarray(place, np.int64)[entries[:, column]]
    return entries
