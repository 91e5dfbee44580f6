"""Blocks of two problems, made up, in a store."""

import numpy as np

from mcbrain.blocks.problem import TaskProblem
from mcbrain.blocks.query import statistic_id
from mcbrain.blocks.sums import BlockSums
from mcbrain.store.blockstore import BlockStore

PROBLEM = TaskProblem(n_prime=5, q=3, seed=1)
OTHER = TaskProblem(n_prime=6, q=3, seed=1)
IDS = tuple(statistic_id(name) for name in "abc")


def block(index, n=3, seed=0):
    rng = np.random.default_rng([seed, index])
    return BlockSums(
        index=index,
        replicates=8,
        count=np.full(n, 8),
        mean=rng.random(n),
        m2=rng.random(n),
        better=rng.integers(0, 8, n),
        bin_sizes=np.full(n, 2),
        bins=np.tile([-5, 7], n),
        bin_counts=np.tile([3, 5], n),
        failures=np.array([[2, 0, 1]]),
        seconds=0.5,
    )


def filled(folder, indices=range(10)):
    store = BlockStore(folder)
    for i in indices:
        store.add(PROBLEM, IDS, block(i))
        store.add(OTHER, IDS[:1], block(i, 1, seed=9))
    store.flush()
    return store
