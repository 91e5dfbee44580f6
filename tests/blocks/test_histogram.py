"""Quantiles: geometric within a bin of one per cent, exact where replicates share a value."""

import math

import numpy as np
import pytest

from mcbrain.blocks.histogram import BINS, LOWEST, Histogram
from mcbrain.kernels.replicate import accumulate
from mcbrain.population.model import Model
from mcbrain.running.simulation import simulate

RAW = {"engine": "raw", "precision": 0, "threads": 1, "seed": 1}


def holding(counts, atoms=()):
    """A histogram of bins and the replicates in them."""
    places = np.array(sorted(counts))
    return Histogram(places, np.array([counts[p] for p in places.tolist()]), dict(atoms))


def filled(values):
    """A histogram, its shared values found by equality."""
    histogram = Histogram()
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        place = math.floor(math.log(value) / math.log(1.01)) if value > 0 else LOWEST
        histogram.count([(np.array([place]), np.array([count]))])
        histogram.add_atom(place, float(value), int(count))
    return histogram


def test_kernel_and_store_count_in_the_same_bins():
    """Values in the lowest bin, at 1, and beyond the highest, of replicates of one output."""
    values = np.array([[0.0], [1e-300], [1.005], [1e300]])
    out = accumulate.make_histograms(4, 1)
    filled = accumulate.histogram(values, np.zeros(1, np.int64), out)
    assert accumulate.BINS == BINS
    assert out.bins[:filled].tolist() == [LOWEST, 0, LOWEST + BINS - 1]
    assert out.counts[:filled].tolist() == [2, 1, 1]


def test_without_shared_values_a_quantile_lies_evenly_on_the_log_scale():
    histogram = holding({0: 10, 3: 30})
    assert histogram.quantile(0.125) == pytest.approx(1.01**0.5)
    assert histogram.quantile(0.625) == pytest.approx(1.01**3.5)
    assert math.isnan(Histogram().quantile(0.5))


def test_few_values_have_the_quantiles_of_the_values():
    rng = np.random.default_rng(0)
    values = rng.choice([0.0, 0.3, 0.301, 5.0], 2000, p=[0.2, 0.4, 0.3, 0.1])
    for q in (0.05, 0.1, 0.3, 0.5, 0.8, 0.95):
        assert filled(values).quantile(q) == np.quantile(values, q, method="inverted_cdf")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_an_atom_among_other_values_is_exact_and_moves_no_other_quantile(share):
    rng = np.random.default_rng(1)
    values = np.exp(rng.normal(0.0, 0.3, 20_000))
    values[rng.random(values.size) < share] = 1.004
    histogram = filled(values)
    for q in np.linspace(0.01, 0.99, 99):
        exact, found = np.quantile(values, q, method="inverted_cdf"), histogram.quantile(q)
        assert found == pytest.approx(exact, rel=0.005)
        inside = np.mean(values < 1.004) + 0.001 < q < np.mean(values <= 1.004) - 0.001
        assert found == 1.004 or not inside


def test_values_that_differ_by_rounding_are_one_atom():
    histogram = holding({0: 5})
    for ulps in range(5):
        histogram.add_atom(0, 1.0 + ulps * 2.0**-52, 1)
    assert histogram.atoms == {0: [(1.0, 5)]}
    assert histogram.quantile(0.05) == histogram.quantile(0.95) == 1.0


def test_ranks_by_hand():
    """Bins 2, 5 and 9 hold 1, 2 and 1 values: rank 2 of 4 is half way through bin 5."""
    histogram = holding({9: 1, 2: 1, 5: 2})
    assert histogram.quantile(0.5) == pytest.approx(1.01**5.5, rel=1e-14)
    assert histogram.quantile(0.25) == pytest.approx(1.01**3, rel=1e-14)
    assert histogram.quantile(0.75) == pytest.approx(1.01**6, rel=1e-14)
    assert histogram.quantile(1.0) == pytest.approx(1.01**10, rel=1e-14)
    assert histogram.quantile(0.0) == pytest.approx(1.01**2, rel=1e-14)


def test_zeros_have_the_lowest_bin_and_are_zero():
    histogram = holding({-32768: 3, 0: 1})
    assert histogram.quantile(0.75) == 0.0 and histogram.quantile(0.05) == 0.0
    assert histogram.quantile(0.875) == pytest.approx(1.01**0.5)


def test_an_atom_within_a_bin_by_hand():
    """Four loose values and an atom of six in the middle of a bin: ranks 2 to 8 are the atom's."""
    middle = 1.01**0.5
    histogram = holding({0: 10}, {0: [(middle, 6)]})
    for rank, value in ((1, 1.01**0.25), (2.5, middle), (5, middle), (8, middle)):
        assert histogram.quantile(rank / 10) == pytest.approx(value, rel=1e-14)
    assert histogram.quantile(0.9) == pytest.approx(1.01**0.75, rel=1e-14)
    assert histogram.quantile(1.0) == pytest.approx(1.01, rel=1e-14)


def test_two_atoms_share_a_bin_and_a_value_that_one_replicate_has_is_none():
    low, high = 1.01**0.25, 1.01**0.75
    histogram = holding({0: 8}, {0: [(high, 4), (low, 4), (1.001, 1)]})
    assert histogram.quantile(0.5) == low and histogram.quantile(0.51) == high
    assert histogram.quantile(1.0) == high and histogram.quantile(0.01) == low


def test_atoms_of_different_bins_or_values_are_kept_apart():
    histogram = holding({0: 9, 1: 3})
    for place, value, shares in ((0, 1.0, 3), (1, 1.01, 3), (0, 1.0 + 1e-9, 2), (0, 1.0, 4)):
        histogram.add_atom(place, value, shares)
    assert histogram.atoms == {0: [(1.0, 7), (1.0 + 1e-9, 2)], 1: [(1.01, 3)]}


@pytest.mark.parametrize(("input_dim", "norm"), [(4, 1.0), (4, 0.37), (150, 1.0)])
def test_a_risk_that_is_a_constant_is_that_number_without_an_error(input_dim, norm):
    """Blocks of 512 replicates, and of a few."""
    model = Model(input_dim=input_dim, latent_dim=1, n_channels=2, signal_norm=norm)
    estimators = {"projection": 0.0, "ridge": 1e150}
    table = simulate(model, 9, 0, estimators, ["id", "scale:3"], max_replicates=64, **RAW)
    for row in table.to_pylist():
        risk = norm**2 * (3.0 if row["shift"] == "scale:3" else 1.0)
        for name in ("mean", "q05", "median", "q95"):
            assert row[name] == pytest.approx(risk, rel=1e-13)
        assert row["mcse"] == row["sd"] == 0.0
        assert row["status"] == "ok"


def test_a_choice_of_infinity_in_some_replicates_is_an_atom_of_the_risk():
    """With little signal leave-one-out often keeps nothing: the risk is then |beta|^2 exactly."""
    model = Model(input_dim=4, latent_dim=1, n_channels=2, task_noise=4.0)
    table = simulate(model, 12, 0, {"ridge": "gcv"}, max_replicates=8192, **RAW)
    (row,) = table.to_pylist()
    assert row["median"] == pytest.approx(1.0, rel=1e-13) and row["q95"] > 1.1
