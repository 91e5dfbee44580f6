"""The spectral task stage: against dense eigenvalues, and against data drawn row by row."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.random.seeds import open_stream
from mcbrain.kernels.task import spectrum
from tests.twins import spectrum as twin
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels
compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="needs many replicates")

PLACE = (20260510, (1, 2, 3, 4), 0, 0)


def simulate(n_prime, q, ridges, n_replicates):
    out = np.full((n_replicates, 4, len(ridges)), np.nan)
    controls = np.full((n_replicates, 2), np.nan)
    spectrum.task_block(open_stream(*PLACE), n_prime, q, np.asarray(ridges), out, controls)
    return out, controls


@pytest.mark.parametrize(
    ("n_prime", "q"), [(9, 4), (4, 9), (5, 5), (1, 3), (3, 1), (1, 1), (2, 2), (0, 3), (40, 12)]
)
def test_every_replicate_is_its_twin(n_prime, q):
    ridges = np.array([1e-3, 0.5, 3.0, 40.0, 1e4])
    out, controls = simulate(n_prime, q, ridges, 6)
    expected, spectra = twin.task_block(twin_streams.open_stream(*PLACE), n_prime, q, ridges, 6)
    np.testing.assert_allclose(out[:, [0, 1, 3]], expected[:, [0, 1, 3]], rtol=1e-10, atol=1e-300)
    size = expected[:, spectrum.SUM_F2] * q
    assert np.all(np.abs(out[:, spectrum.SPREAD] - expected[:, spectrum.SPREAD]) <= 1e-10 * size)
    mean1 = max(n_prime * q, 1)
    mean2 = mean1 * (n_prime + q + 1)
    np.testing.assert_allclose(controls[:, 0], spectra.sum(1) / mean1 - 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        controls[:, 1], np.sum(spectra**2, 1) / mean2 - 1, rtol=0, atol=1e-12
    )


def test_the_stream_ends_where_its_twin_ends():
    stream, rng = open_stream(*PLACE), twin_streams.open_stream(*PLACE)
    spectrum.task_block(stream, 9, 4, np.ones(1), np.empty((3, 4, 1)), np.empty((3, 2)))
    twin.task_block(rng, 9, 4, np.ones(1), 3)
    np.testing.assert_array_equal(stream.state, rng.bit_generator.state["state"]["state"])


@pytest.mark.parametrize("exponent", [-12, -6, 6, 12])
def test_no_digit_is_lost_at_extreme_ridges(exponent):
    """Leading terms in z/t or t/z are exact to 1e-9 where the next ones are below that."""
    n_prime, q, z = 60, 20, 10.0**exponent * 60
    out, _ = simulate(n_prime, q, [z], 3)
    _, spectra = twin.task_block(twin_streams.open_stream(*PLACE), n_prime, q, [z], 3)
    small = (spectra / z if z > 1 else z / spectra).astype(np.longdouble)
    small = small / (1 + small)
    spread = q * np.sum((small - small.mean(1, keepdims=True)) ** 2, axis=1)
    np.testing.assert_allclose(out[:, spectrum.SPREAD, 0], spread.astype(float), rtol=1e-9)
    noise = np.sum(spectra / (spectra + z) ** 2, axis=1)
    np.testing.assert_allclose(out[:, spectrum.NOISE, 0], noise, rtol=1e-10)


def test_no_penalty_is_least_squares_above_and_minimum_norm_below():
    above, _ = simulate(9, 4, [0.0], 3)
    below, _ = simulate(4, 9, [0.0], 3)
    np.testing.assert_array_equal(above[:, : spectrum.NOISE], 0.0)
    np.testing.assert_array_equal(below[:, spectrum.SUM_F], 5.0)
    for out, shape in ((above, (9, 4)), (below, (4, 9))):
        _, spectra = twin.task_block(twin_streams.open_stream(*PLACE), *shape, [0.0], 3)
        np.testing.assert_allclose(out[:, spectrum.NOISE, 0], np.sum(1 / spectra, 1), rtol=1e-10)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
def test_a_penalty_does_not_depend_on_its_company(count):
    ridges = np.geomspace(0.1, 100.0, 20)
    together, _ = simulate(9, 4, ridges, 2)
    fewer, _ = simulate(9, 4, ridges[:count], 2)
    np.testing.assert_array_equal(fewer, together[:, :, :count])


@compiled_only
@pytest.mark.parametrize(("n_prime", "q"), [(30, 12), (12, 30), (13, 12)])
def test_the_law_is_that_of_gaussian_data(n_prime, q):
    """Two-sample z-tests of mean and variance of 12 statistics: |z| > 4.5, false alarm 2e-4."""
    ridges = np.array([0.5, 5.0, 50.0])
    out, controls = simulate(n_prime, q, ridges, 20_000)
    rng = np.random.default_rng(7)
    W = rng.standard_normal((4_000, n_prime, q))
    t = np.linalg.svd(W, compute_uv=False) ** 2
    raw = np.array([twin.statistics(row, q, ridges) for row in t])
    for power in (1, 2):
        x, y = (out - raw.mean(0)) ** power, (raw - raw.mean(0)) ** power
        error = np.sqrt(x.var(0) / len(x) + y.var(0) / len(y))
        assert np.max(np.abs(x.mean(0) - y.mean(0)) / error) < 4.5
    assert np.all(np.abs(controls.mean(0)) < 4.5 * controls.std(0) / np.sqrt(len(controls)))


@compiled_only
def test_controls_remove_variance():
    """Regression on the two controls at least halves every variance, at d = 200 and n = 500."""
    out, controls = simulate(495, 195, [50.0, 500.0, 5000.0], 300)
    basis = np.column_stack([np.ones(len(controls)), controls])
    for statistic in (spectrum.SUM_F2, spectrum.NOISE):
        y = out[:, statistic]
        left = y - basis @ np.linalg.lstsq(basis, y, rcond=None)[0]
        assert np.all(y.var(0) > 2.0 * left.var(0))
