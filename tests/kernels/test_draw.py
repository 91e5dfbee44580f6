"""Input laws have the mean, covariance and kurtosis that define them."""

import math

import numba
import numpy as np
import pytest

from mcbrain.blocks.problem import data_problem
from mcbrain.engines.bridge import population as population_of
from mcbrain.kernels.random.draw import INPUT_CODES, draw_inputs, draw_recordings, make_maps
from mcbrain.kernels.random.roles import open_streams
from mcbrain.population.distributions import INPUTS, LATENTS, RECORDINGS, parse_inputs
from mcbrain.population.model import Model
from tests.support.kernel_inputs import KEY, make_population
from tests.twins import draw as twin
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)
EXAMPLES = [text for record in INPUTS.values() for text in record.examples]
HEAVY = ("student:5",)  # without the eighth moment that a score of the kurtosis needs


def code_of(text):
    """Code, parameter and kurtosis of an input distribution as a study spells it."""
    law = parse_inputs(text)
    parameter = 0.0 if math.isnan(law.parameter) else law.parameter
    kurtosis = eval(INPUTS[law.name].kurtosis.format(parameter))
    return INPUT_CODES[law.name], parameter, kurtosis


def draw(population, n, seed):
    X = np.zeros((n, population.scale.size))
    draw_inputs(population, open_streams(seed, KEY, 0).task, X)
    return X


@pytest.mark.skipif(TINY, reason="needs a large sample")
@pytest.mark.parametrize("law", [*(e for e in EXAMPLES if e not in HEAVY), "student:9"])
def test_moments_of_the_law(law):
    """z-scores from the sample's own spread; false alarm below 1e-4 for all of them together."""
    code, parameter, kurtosis = code_of(law)
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


@pytest.mark.parametrize("law", EXAMPLES)
def test_inputs_are_the_twins(law):
    code, parameter, _ = code_of(law)
    population = make_population(
        np.random.default_rng(0), 4, 1, 1, law=code, law_parameter=parameter
    )
    rngs = [twin_streams.open_stream(2, KEY, 0, role) for role in (0, 4)]
    expected = twin.draw_inputs(population, *rngs, 9)
    np.testing.assert_allclose(draw(population, 9, seed=2), expected, rtol=1e-15)


@pytest.mark.parametrize("recordings", RECORDINGS)
@pytest.mark.parametrize("latents", LATENTS)
def test_recordings_are_the_twins_and_those_of_the_printed_lines(latents, recordings):
    model = Model(input_dim=4, latent_dim=2, n_channels=3, latents=latents, neural_law=recordings)
    drawn_from = population_of(data_problem("raw", model, 9, 20, seed=0))
    X = np.random.default_rng(1).standard_normal((20, 4))
    Z, R = np.zeros((20, 2)), np.zeros((20, 3))
    noise = open_streams(3, KEY, 0).brain.noise
    draw_recordings(drawn_from, make_maps(drawn_from), noise, X, Z, R)
    rngs = [twin_streams.open_stream(3, KEY, 0, role=3) for _ in range(2)]
    np.testing.assert_allclose(R, twin.draw_recordings(drawn_from, rngs[0], X), rtol=1e-12)
    known = {"np": np, "X": X, "brain_map": drawn_from.brain_map, "rng": rngs[1]}
    z = eval(LATENTS[latents].line.format(X="X"), known)
    known["drive"] = z @ drawn_from.channels.T
    line = RECORDINGS[recordings].line
    told = line.format(rng="rng", noise=drawn_from.neural_noise, rate=model.baseline_rate)
    np.testing.assert_allclose(R, eval(told, known), rtol=1e-12)


def test_poisson_recordings_are_counts_around_their_rate():
    population = make_population(
        np.random.default_rng(0), 4, 2, 3, neural_law=1, log_baseline=1.0, neural_noise=0.0
    )
    n = 30 if TINY else 20_000
    X, Z, R = np.zeros((n, 4)), np.zeros((n, 2)), np.zeros((n, 3))
    noise = open_streams(3, KEY, 0).brain.noise
    draw_recordings(population, make_maps(population), noise, X, Z, R)
    assert (np.round(R) == R).all()
    assert (R >= 0).all()
    # 5 standard errors; the false-alarm rate of three channels is 2e-6
    assert np.abs(R.mean(0) - np.e).max() < 5 * np.sqrt(np.e / n)


def test_every_distribution_has_a_code_of_its_own():
    """Two of one code would share their draws without a word."""
    assert sorted(INPUT_CODES.values()) == list(range(len(INPUTS)))
