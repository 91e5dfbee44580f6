"""Input laws have the mean, covariance and kurtosis that define them."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.random.draw import draw_inputs, draw_recordings, make_maps
from mcbrain.kernels.random.seeds import open_stream
from tests.support.kernel_inputs import KEY, make_population
from tests.twins import draw as twin
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)
KURTOSIS = {  # law: code, parameter, E z^4
    "gaussian": (0, 0.0, 3.0),
    "student:9": (1, 9.0, 3.0 * (9 - 2) / (9 - 4)),
    "rademacher": (2, 0.0, 1.0),
    "uniform": (3, 0.0, 1.8),
    "laplace": (4, 0.0, 6.0),
    "sparse:0.3": (5, 0.3, 3.0 / 0.3),
}


def draw(population, n, seed):
    X = np.zeros((n, population.scale.size))
    streams = [open_stream(seed, KEY, 0, role) for role in (0, 4)]
    draw_inputs(population, *streams, X)
    return X


@pytest.mark.skipif(TINY, reason="needs a large sample")
@pytest.mark.parametrize("law", KURTOSIS)
def test_moments_of_the_law(law):
    """z-scores from the sample's own spread; false alarm below 1e-4 for the 6 laws together."""
    code, parameter, kurtosis = KURTOSIS[law]
    scale = np.array([0.5, 1.0, 2.0])
    population = make_population(
        np.random.default_rng(0), 3, 1, 1, scale=scale, law=code, law_parameter=parameter
    )
    n = 400_000
    Z = draw(population, n, seed=1) / scale
    checks = [Z[:, 0], Z[:, 1], Z[:, 0] * Z[:, 1], Z[:, 1] * Z[:, 2]]
    checks += [Z[:, 0] ** 2 - 1, Z[:, 2] ** 2 - 1, Z[:, 1] ** 4 - kurtosis]
    for sample in checks:
        spread = sample.std() / np.sqrt(n)
        assert abs(sample.mean()) <= 5 * spread + 1e-15
    # Student rows share their chi-square, so that squares of entries are correlated.
    product = Z[:, 0] ** 2 * Z[:, 1] ** 2
    expected = kurtosis / 3.0 if code == 1 else 1.0
    assert abs(product.mean() - expected) <= 5 * product.std() / np.sqrt(n) + 1e-15


@pytest.mark.parametrize("law", KURTOSIS)
def test_inputs_are_the_twins(law):
    code, parameter, _ = KURTOSIS[law]
    population = make_population(
        np.random.default_rng(0), 4, 1, 1, law=code, law_parameter=parameter
    )
    rngs = [twin_streams.open_stream(2, KEY, 0, role) for role in (0, 4)]
    expected = twin.draw_inputs(population, *rngs, 9)
    np.testing.assert_allclose(draw(population, 9, seed=2), expected, rtol=1e-15)


def test_poisson_recordings_are_counts_around_their_rate():
    population = make_population(
        np.random.default_rng(0), 4, 2, 3, neural_law=1, log_baseline=1.0, neural_noise=0.0
    )
    n = 30 if TINY else 20_000
    X, Z, R = np.zeros((n, 4)), np.zeros((n, 2)), np.zeros((n, 3))
    draw_recordings(population, make_maps(population), open_stream(3, KEY, 0, 3), X, Z, R)
    assert (np.round(R) == R).all()
    assert (R >= 0).all()
    # 5 standard errors; the false-alarm rate of three channels is 2e-6
    assert np.abs(R.mean(0) - np.e).max() < 5 * np.sqrt(np.e / n)
