"""Block sums are those of their twins, failures left out and never averaged, atoms exact."""

import numpy as np
import pytest

from mcbrain.kernels.replicate.accumulate import accumulate, histogram, make_histograms, make_sums
from tests.twins import accumulate as twin

pytestmark = pytest.mark.kernels


def make_excess(seed=0):
    """Columns: with failures, with others, none, nothing but failures, a constant, few values."""
    rng = np.random.default_rng(seed)
    excess = np.exp(rng.standard_normal((50, 6)))
    excess[3, 1] = excess[7, 0] = np.nan
    excess[9, 0] = np.inf
    excess[:, 3] = np.nan
    excess[:, 4] = 0.1
    excess[:, 5] = rng.choice([0.0, 0.7, 2.5], 50)
    return excess


def sums_of(excess, place, baseline):
    sums = make_sums(len(place))
    accumulate(excess, np.array(place), np.array(baseline), sums)
    return sums


def histograms_of(excess, place, out=None):
    out = make_histograms(len(excess), len(place)) if out is None else out
    total = histogram(excess, np.array(place), out)
    assert total == out.sizes.sum()
    columns = (out.bins, out.counts, out.atoms, out.shares)
    rows = [list(row) for row in zip(*(c[:total].tolist() for c in columns), strict=True)]
    ends = np.cumsum(out.sizes)
    return [rows[end - size : end] for size, end in zip(out.sizes, ends, strict=True)]


def test_sums_are_those_of_the_twin():
    excess, place, baseline = make_excess(), [2, 0, 1, 3, 4, 5, 0], [-1, 1, 0, 2, 2, 0, 3]
    sums = sums_of(excess, place, baseline)
    for j, expected in enumerate(twin.accumulate(excess, place, baseline)):
        for name, value in expected.items():
            found = getattr(sums, name)[j]
            np.testing.assert_allclose(found, value, rtol=1e-12, atol=1e-13, err_msg=name)
    np.testing.assert_array_equal(sums.valid, [50, 48, 49, 0, 50, 50, 48])
    np.testing.assert_array_equal(sums.both, [0, 47, 47, 0, 50, 48, 0])


def test_a_spread_far_below_the_mean_is_not_lost():
    excess = 1e6 + np.random.default_rng(1).standard_normal((1000, 1)) * 1e-3
    sums = sums_of(excess, [0], [-1])
    np.testing.assert_allclose(sums.m2, np.sum((excess - excess.mean()) ** 2), rtol=1e-6)


def test_an_infinite_baseline_is_one_that_failed_and_nothing_is_better_than_it():
    excess = np.array([[1.0, np.inf], [1.0, 2.0], [1.0, np.nan], [3.0, 2.0]])
    sums = sums_of(excess, [0], [1])
    assert (sums.valid[0], sums.both[0], sums.better[0]) == (4, 2, 1)
    assert sums.own[0].tolist() == [2.0, 2.0] and sums.other[0].tolist() == [2.0, 0.0]


def test_a_tie_but_for_rounding_is_no_win():
    """A third of the replicates are won, a third lost, a third tied by one unit or by none."""
    other = np.random.default_rng(3).lognormal(size=300)
    own = other * np.repeat([0.9, 1.1, 1.0], 100)
    own[200:] = np.nextafter(own[200:], np.repeat([0.0, np.inf], 50))
    own[220:280] = other[220:280]
    excess = np.column_stack([own, other])
    sums = sums_of(excess, [0, 1], [1, 0])
    assert sums.better.tolist() == [100, 100] and sums.both.tolist() == [300, 300]
    assert [s["better"] for s in twin.accumulate(excess, [0, 1], [1, 0])] == [100, 100]


@pytest.mark.parametrize("value", [0.1, 1.0 / 3.0, 1e-200, 1e200])
def test_equal_values_have_that_mean_and_no_spread_at_all(value):
    sums = sums_of(np.full((512, 1), value), [0], [-1])
    assert sums.mean[0] == value and sums.m2[0] == 0.0


def test_histograms_are_those_of_the_twin_and_the_room_can_be_used_again():
    excess, place = make_excess(), [1, 0, 3, 2, 4, 5]
    room = make_histograms(50, 6)
    for _ in range(2):
        found = histograms_of(excess, place, room)
        for one, expected in zip(found, twin.histogram(excess, place), strict=True):
            np.testing.assert_array_equal(one, expected)


def test_a_majority_of_a_bin_is_its_atom_among_other_values():
    rng = np.random.default_rng(2)
    excess = np.concatenate([np.exp(rng.normal(0.0, 0.5, 60)), np.full(20, 1.004)])[:, None]
    rng.shuffle(excess)
    atoms = [(v, s) for _, _, v, s in histograms_of(excess, [0])[0] if s]
    assert atoms == [(1.004, 20)]


def test_extremes_are_clipped_not_lost():
    found = histograms_of(np.array([[0.0], [1e-300], [1e300], [1.0]]), [0])[0]
    assert [row[:2] for row in found] == [[-32768, 2], [0, 1], [32767, 1]]
    assert [row[2] for row in found[1:]] == [1.0, 1e300]
