"""Block sums are NumPy's, failures counted and never averaged."""

import numpy as np
import pytest

from mcbrain.kernels.accumulate import block_sums, histogram

pytestmark = pytest.mark.kernels


def make_excess(seed=0):
    rng = np.random.default_rng(seed)
    excess = np.exp(rng.standard_normal((50, 4)))
    excess[3, 1] = excess[7, 0] = np.nan
    excess[:, 3] = np.nan
    return excess


def test_moments_and_failures():
    excess = make_excess()
    sums = block_sums(excess, np.full(4, -1))
    np.testing.assert_array_equal(sums.valid, [49, 49, 50, 0])
    np.testing.assert_array_equal(sums.failed, [1, 1, 0, 50])
    np.testing.assert_allclose(sums.mean[:3], np.nanmean(excess[:, :3], axis=0), rtol=1e-14)
    np.testing.assert_allclose(
        sums.m2[:3], np.nanvar(excess[:, :3], axis=0) * sums.valid[:3], rtol=1e-12
    )
    assert np.isnan(sums.mean[3])


def test_a_spread_far_below_the_mean_is_not_lost():
    excess = 1e6 + np.random.default_rng(1).standard_normal((1000, 1)) * 1e-3
    sums = block_sums(excess, np.array([-1]))
    np.testing.assert_allclose(sums.m2, np.sum((excess - excess.mean()) ** 2), rtol=1e-6)


def test_better_than_the_baseline_counts_only_replicates_where_both_have_values():
    excess = make_excess()
    sums = block_sums(excess, np.array([-1, 0, 0, 0]))
    both = ~np.isnan(excess[:, 0]) & ~np.isnan(excess[:, 1])
    assert sums.paired.tolist() == [0, both.sum(), 49, 0]
    assert sums.better[1] == np.sum(excess[both, 1] < excess[both, 0])
    assert sums.better[0] == 0


def test_histograms_hold_every_value_in_its_bin():
    excess = make_excess()
    starts, bins, counts = histogram(excess)
    assert starts.tolist()[0] == 0
    assert bins.dtype == np.int16
    for j in range(4):
        mine = slice(starts[j], starts[j + 1])
        values = excess[~np.isnan(excess[:, j]), j]
        expected = np.floor(np.log(values) / np.log(1.01))
        np.testing.assert_array_equal(np.repeat(bins[mine], counts[mine]), np.sort(expected))


def test_extremes_are_clipped_not_lost():
    starts, bins, counts = histogram(np.array([[0.0], [1e-300], [1e300], [1.0]]))
    assert bins.tolist() == [-32768, 0, 32767]
    assert counts.tolist() == [2, 1, 1]
    assert starts.tolist() == [0, 3]
