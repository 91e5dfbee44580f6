"""The store in memory: what it keeps is what a folder keeps, packed or not."""

import numpy as np
import pytest

from mcbrain.blocks.sums import SUMS
from mcbrain.store import memory
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.memory import MemoryStore
from tests.support.stored_blocks import IDS, OTHER, PROBLEM, block

BLOCKS = 200  # past the looks at 64 and 128


def _block(index, n=3):
    """A block whose histogram, atoms and failures depend on its number."""
    sums = block(index, n)
    rng = np.random.default_rng([5, index])
    sums.bin_sizes = rng.integers(0, 4, n)
    sums.bins = np.concatenate([np.sort(rng.choice(9, k, replace=False)) for k in sums.bin_sizes])
    sums.bins = sums.bins.astype(np.int64) - 4
    sums.bin_counts = rng.integers(1, 6, sums.bins.size)
    sums.atoms = np.column_stack([rng.integers(0, n, 2), rng.integers(-4, 5, 2), [2, 3]])
    sums.atom_values = rng.choice([0.5, 1.0], 2)
    sums.cross = rng.random(n)
    return sums


def _fill(store, indices=range(BLOCKS)):
    for i in indices:
        store.add(PROBLEM, IDS, _block(i))
        if i < 100:
            store.add(OTHER, IDS[:1], _block(i, 1))
    store.compact()
    return store


@pytest.fixture(params=[8_000_000, 60_000, 0], ids=["loose", "some packed", "all packed"])
def store(request, monkeypatch):
    monkeypatch.setattr(memory, "_MUCH", request.param)
    return _fill(MemoryStore())


def test_the_sums_of_every_block_are_those_of_a_folder(store, tmp_path):
    kept = _fill(BlockStore(tmp_path))
    for problem, ids in ((PROBLEM, IDS[::-1]), (OTHER, IDS[:1])):
        ours, theirs = store.series(problem, ids), kept.series(problem, ids)
        for name in ("replicates", "count", "mean", "m2", "better", "seconds"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    added = [n for n, s in SUMS.items() if s.per == "statistic" and s.merge == "add"]
    for name in added:
        totals = [s.of(PROBLEM).total(name, IDS[1], 90) for s in (store, kept)]
        assert totals[0] == totals[1] == sum(getattr(_block(i), name)[1] for i in range(90))
    assert added == ["count", "better"]
    ours, theirs = (s.of(PROBLEM).pairs(IDS[:1], IDS[1:2], 90) for s in (store, kept))
    for name in ("count", "own_mean", "other_m2", "cross", "better"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert store.added == kept.added


@pytest.mark.parametrize("ends", [(64, 128, BLOCKS), (128, BLOCKS, 64), (0, 64, 64)])
def test_histograms_up_to_each_look_are_those_of_a_folder(store, tmp_path, ends):
    theirs = _fill(BlockStore(tmp_path)).of(PROBLEM).histograms(IDS, ends)
    for ours, other in zip(store.of(PROBLEM).histograms(IDS, ends), theirs, strict=True):
        np.testing.assert_array_equal(ours.places, other.places)
        np.testing.assert_array_equal(ours.counts, other.counts)
        assert {b: sorted(a) for b, a in ours.atoms.items()} == {
            b: sorted(a) for b, a in other.atoms.items()
        }


def test_what_is_missing_is_known_whether_packed_or_not(monkeypatch):
    for much in (8_000_000, 0):
        monkeypatch.setattr(memory, "_MUCH", much)
        store = _fill(MemoryStore(), [0, 1, 3])
        assert store.of(PROBLEM).missing(IDS, 5) == {2: IDS, 4: IDS}
        assert store.series(PROBLEM, IDS).n_blocks == 2


def test_packed_blocks_keep_a_histogram_for_each_look_and_not_for_each_block(monkeypatch):
    monkeypatch.setattr(memory, "_MUCH", 10**9)
    store = _fill(MemoryStore())
    store._pack()
    (part,) = store._packed[PROBLEM.key, PROBLEM.seed]
    lengths = np.array([len(bins) for bins in part.rows()["bins"].to_pylist()])
    # Blocks 0 to 63, 64 to 127, 128 to 199: nine bins at most of each of three statistics.
    assert np.flatnonzero(lengths).tolist() == [0, 64, 128] and lengths.max() <= 27


@pytest.mark.parametrize("name", ["mean", "m2", "cross", "atoms", "log_sum"])
def test_what_blocks_do_not_add_up_has_no_total(name):
    with pytest.raises(NotImplementedError, match=f"no sum '{name}' .*blocks/sums"):
        _fill(MemoryStore(), [0]).of(PROBLEM).total(name, IDS[0], 1)


def test_a_block_without_a_sum_leaves_no_total():
    store = _fill(MemoryStore(), [0, 2])
    assert np.isnan(store.of(PROBLEM).total("count", IDS[0], 3))
