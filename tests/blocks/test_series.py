"""Series of blocks: totals, errors, leave-one-out means and looks, against plain NumPy."""

import math

import numpy as np
import pytest

from mcbrain.blocks.series import FIRST_LOOK, Series, jackknife, looks, unless_rounding
from mcbrain.errors import InputError


def of(values, size, better=None):
    """The series of replicates in blocks; values of shape (statistics, replicates), NaN: failed."""
    blocks = np.asarray(values, float).reshape(len(values), -1, size)
    count = np.isfinite(blocks).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.nansum(blocks, axis=2) / count
        m2 = np.nansum((blocks - mean[:, :, None]) ** 2, axis=2)
    n = blocks.shape[1]
    return Series(
        replicates=np.full(n, size),
        count=count.astype(float),
        mean=mean,
        m2=m2,
        better=np.zeros(count.shape) if better is None else better,
        seconds=np.arange(1.0, n + 1.0),
    )


VALUES = np.random.default_rng(1).gamma(2.0, size=(3, 60))


def test_totals_of_blocks_are_those_of_their_replicates():
    count, mean, m2 = of(VALUES, 5).totals()
    np.testing.assert_array_equal(count, 60)
    np.testing.assert_allclose(mean, VALUES.mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(m2, 60 * VALUES.var(axis=1), rtol=1e-13)
    error = VALUES.std(axis=1, ddof=1) / math.sqrt(60)
    np.testing.assert_allclose(of(VALUES, 5).mcse(), error, rtol=1e-13)


def test_three_blocks_by_hand():
    """1 3 | 5 7 | 9 11: mean 6, squares 2 + 2 + 2 within and 2 (16 + 0 + 16) between."""
    count, mean, m2 = of([[1, 3, 5, 7, 9, 11]], 2).totals()
    assert (count[0], mean[0], m2[0]) == (6.0, 6.0, 70.0)
    series = of([[1, 3, 5, 7, 9, 11]], 2)
    assert series.mcse()[0] == pytest.approx(math.sqrt(70 / 5 / 6))
    np.testing.assert_array_equal(series.without_each_block(), [[8.0, 6.0, 4.0]])


def test_failed_replicates_count_nowhere_and_blocks_without_any_value_do_not_poison_the_rest():
    values = VALUES[:2].copy()
    values[0, [0, 7, 8]] = np.nan
    values[1, 10:15] = np.nan  # a whole block
    series = of(values, 5)
    count, mean, m2 = series.totals()
    np.testing.assert_array_equal(count, [57, 55])
    np.testing.assert_allclose(mean, np.nanmean(values, axis=1), rtol=1e-14)
    np.testing.assert_allclose(m2, count * np.nanvar(values, axis=1), rtol=1e-13)
    leave = series.without_each_block()
    for block in (0, 2, 11):
        rest = np.delete(values, np.s_[5 * block : 5 * block + 5], axis=1)
        np.testing.assert_allclose(leave[:, block], np.nanmean(rest, axis=1), rtol=1e-13)


def test_no_value_at_all_is_nan_without_a_warning():
    count, mean, _ = of(np.full((1, 10), np.nan), 5).totals()
    assert count[0] == 0 and np.isnan(mean[0])
    assert np.isnan(of(np.full((1, 10), np.nan), 5).mcse()[0])
    assert np.isnan(of(np.ones((1, 5)), 5).without_each_block()).all()


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 7e40])
def test_equal_values_have_that_value_as_mean_and_no_spread(value):
    rng = np.random.default_rng(2)
    series = of(np.full((1, 700), value) * (1 + 2.0**-52 * rng.integers(0, 2, 700)), 7)
    count, mean, m2 = series.totals()
    assert count[0] == 700 and m2[0] == 0.0 and series.mcse()[0] == 0.0
    assert series.mean.min() <= mean[0] <= series.mean.max()
    assert mean[0] == pytest.approx(value, rel=2.0**-50, abs=0.0)


def test_a_total_never_depends_on_its_neighbours_or_on_what_comes_later():
    series = of(VALUES, 5)
    for s in range(3):
        for part, whole in zip(of(VALUES[[s]], 5).totals(), series.totals(), strict=True):
            assert part[0] == whole[s]
    for part, whole in zip(series.head(4).totals(), of(VALUES[:, :20], 5).totals(), strict=True):
        np.testing.assert_array_equal(part, whole)


def test_the_head_of_a_series_is_its_first_blocks():
    head = of(VALUES, 5, better=np.arange(36.0).reshape(3, 12)).head(3)
    assert head.n_blocks == 3 and head.replicates.tolist() == [5, 5, 5]
    np.testing.assert_array_equal(head.better, [[0, 1, 2], [12, 13, 14], [24, 25, 26]])
    np.testing.assert_array_equal(head.seconds, [1.0, 2.0, 3.0])
    assert head.head(0).n_blocks == 0 and of(VALUES, 5).head(99).n_blocks == 12


@pytest.mark.parametrize("n", [2, 5, 64])
def test_the_jackknife_of_a_mean_is_its_standard_error_over_blocks(n):
    blocks = np.random.default_rng(n).standard_normal(n)
    leave = (blocks.sum() - blocks) / (n - 1)
    assert jackknife(leave) == pytest.approx(blocks.std(ddof=1) / math.sqrt(n), rel=1e-12)


def test_the_jackknife_of_a_ratio_by_hand():
    """Blocks 1/2, 3/2, 2/5: leave-one-out ratios 5/7, 3/7, 4/4."""
    top, bottom = np.array([1.0, 3.0, 2.0]), np.array([2.0, 2.0, 5.0])
    leave = (6 - top) / (9 - bottom)
    np.testing.assert_allclose(leave, [5 / 7, 3 / 7, 1.0])
    mean = (5 / 7 + 3 / 7 + 1) / 3
    squares = (5 / 7 - mean) ** 2 + (3 / 7 - mean) ** 2 + (1 - mean) ** 2
    assert jackknife(leave) == pytest.approx(math.sqrt(2 / 3 * squares), rel=1e-12)


def test_one_block_has_no_jackknife_and_rounding_is_no_error():
    assert math.isnan(jackknife([1.0])) and math.isnan(jackknife([]))
    assert jackknife([0.1, 0.1 * (1 + 2.0**-52), 0.1]) == 0.0
    assert unless_rounding(2.0**-47, 1.0) == 0.0 and unless_rounding(2.0**-47, -1.0) == 0.0
    assert unless_rounding(2.0**-45, 1.0) == 2.0**-45
    assert unless_rounding(1e-30, 0.0) == 1e-30


def test_looks_double_from_the_first_to_the_most_allowed():
    assert looks(1) == [1] and looks(63) == [63] and looks(FIRST_LOOK) == [64]
    assert looks(65) == [64, 65]
    assert looks(1000) == [64, 128, 256, 512, 1000]
    with pytest.raises(InputError, match="at least one block"):
        looks(0)
