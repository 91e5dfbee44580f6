"""Block sums are NumPy's, failures left out and never averaged."""

import numpy as np
import pytest

from mcbrain.kernels.accumulate import accumulate, histogram, make_histograms, make_sums

pytestmark = pytest.mark.kernels


def make_excess(seed=0):
    rng = np.random.default_rng(seed)
    excess = np.exp(rng.standard_normal((50, 4)))
    excess[3, 1] = excess[7, 0] = np.nan
    excess[9, 0] = np.inf
    excess[:, 3] = np.nan
    return excess


def sums_of(excess, place, baseline):
    sums = make_sums(len(place))
    accumulate(excess, np.array(place), np.array(baseline), sums)
    return sums


def histograms_of(excess, place, out=None):
    out = make_histograms(len(excess), len(place)) if out is None else out
    total = histogram(excess, np.array(place), out)
    cut = np.cumsum(out.sizes)[:-1]
    assert total == out.sizes.sum()
    return list(
        zip(np.split(out.bins[:total], cut), np.split(out.counts[:total], cut), strict=True)
    )


def test_moments_leave_out_what_is_not_finite():
    excess, place = make_excess(), [2, 0, 1, 3]
    sums = sums_of(excess, place, [-1] * 4)
    np.testing.assert_array_equal(sums.valid, [50, 48, 49, 0])
    excess[~np.isfinite(excess)] = np.nan
    wanted = excess[:, place[:3]]
    np.testing.assert_allclose(sums.mean[:3], np.nanmean(wanted, axis=0), rtol=1e-14)
    np.testing.assert_allclose(sums.m2[:3], np.nanvar(wanted, axis=0) * sums.valid[:3], rtol=1e-12)
    assert sums.mean[3] == sums.m2[3] == 0.0


def test_a_spread_far_below_the_mean_is_not_lost():
    excess = 1e6 + np.random.default_rng(1).standard_normal((1000, 1)) * 1e-3
    sums = sums_of(excess, [0], [-1])
    np.testing.assert_allclose(sums.m2, np.sum((excess - excess.mean()) ** 2), rtol=1e-6)


def test_better_than_the_baseline_counts_only_replicates_where_both_have_values():
    excess = make_excess()
    sums = sums_of(excess, [0, 1, 3], [-1, 2, 2])
    both = np.isfinite(excess[:, 1])
    assert sums.better.tolist() == [0, np.sum(excess[both, 1] < excess[both, 2]), 0]


def test_histograms_hold_every_value_in_its_bin_and_the_room_can_be_used_again():
    excess, place = make_excess(), [1, 0, 3, 2]
    room = make_histograms(50, 4)
    for _ in range(2):
        for column, (bins, counts) in zip(place, histograms_of(excess, place, room), strict=True):
            values = excess[np.isfinite(excess[:, column]), column]
            expected = np.sort(np.floor(np.log(values) / np.log(1.01)))
            np.testing.assert_array_equal(np.repeat(bins, counts), expected)


def test_extremes_are_clipped_not_lost():
    ((bins, counts),) = histograms_of(np.array([[0.0], [1e-300], [1e300], [1.0]]), [0])
    assert bins.tolist() == [-32768, 0, 32767]
    assert counts.tolist() == [2, 1, 1]
