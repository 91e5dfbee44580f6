"""Which replicates of a problem failed, as its blocks tell."""

from __future__ import annotations

import numpy as np

from mcbrain.blocks.problem import Problem
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.columns import flat, numbers

__all__ = ["failed"]


def failed(store: BlockStore, problem: Problem) -> dict[tuple[int, int, int], int]:
    """(block, replicate within it, statistic) -> code, for every failure of a problem.

    Parameters
    ----------
    store : BlockStore
    problem : Problem

    Returns
    -------
    dict
        In the order of blocks and replicates.
    """
    table = store.rows((problem.key, problem.seed))
    values, ends = flat(table, "failures")
    if not values.size:
        return {}
    statistics, starts = flat(table, "statistics")
    entries = values.reshape(-1, 3).astype(np.int64)
    row = np.repeat(np.arange(table.num_rows), np.diff(ends) // 3)
    block, statistic = numbers(table, "index")[row], statistics[starts[row] + entries[:, 1]]
    names = zip(block.tolist(), entries[:, 0].tolist(), statistic.tolist(), strict=True)
    return dict(sorted(zip(names, entries[:, 2].tolist(), strict=True)))
