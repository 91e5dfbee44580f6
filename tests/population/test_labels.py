"""Labels that are signs: their best linear predictor, their streams and what is refused."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.blocks.problem import RawProblem
from mcbrain.population.distributions import INPUTS
from mcbrain.population.geometry import Geometry
from mcbrain.population.labels import best_predictor, equivalent_noise, label_slope

EVERY = [example for family in INPUTS.values() for example in family.examples]


def _model(**changes):
    settled = {"input_dim": 4, "latent_dim": 2, "n_channels": 3, "misalignment": 0.3}
    return mb.Model(**{**settled, "task_noise": 0.4, "labels": "sign", **changes})


@pytest.mark.parametrize("inputs", EVERY)
def test_the_best_predictor_is_that_of_many_labels(inputs):
    """4 z-scores each, |z| < 4.6: false alarm below 2e-5."""
    model = _model(inputs=inputs, covariance="powerlaw:1.0", basis="axes", brain_map="random")
    rng, geometry = np.random.default_rng(7), Geometry(model, 3)
    names = {"np": np, "rng": rng, "aux": rng, "n": 400_000, "d": 4}
    X = eval(model.input_distribution.line, names) * geometry.scale
    y = np.where(X @ geometry.beta + 0.4 * rng.standard_normal(len(X)) > 0, 1.0, -1.0)
    products = X * (y - X @ best_predictor(geometry, geometry.beta))[:, None]
    scores = products.mean(axis=0) / (products.std(axis=0) / np.sqrt(len(X)))
    assert np.abs(scores).max() < 4.6


def test_gaussian_labels_have_a_slope_and_a_noise():
    geometry = Geometry(_model(covariance="powerlaw:1.0"), 3)
    slope, noise = label_slope(geometry), equivalent_noise(geometry)
    np.testing.assert_allclose(best_predictor(geometry, geometry.beta), slope * geometry.beta)
    signal = np.sum((geometry.scale * geometry.beta) ** 2)
    np.testing.assert_allclose(slope**2 * (signal + noise**2), 1.0)


def test_linear_labels_keep_their_streams():
    plain = _model(labels="linear")
    named = RawProblem.of(plain, 9, 0, 0).key
    assert named.hex() == "db71dc85920789ab59c96ee8d8392fca"
    assert RawProblem.of(_model(), 9, 0, 0).key != named


def test_what_is_not_known_is_refused():
    def ask(model, shifts=("id",), **more):
        mb.simulate(model, 9, 0, {"ridge": 0.1}, shifts, **more)

    with pytest.raises(mb.InputError, match=r"labels = 'signs'.*did you mean 'sign'"):
        _model(labels="signs")
    with pytest.raises(
        mb.InputError, match=r"'sparse:0\.4' and task_noise = 0: .* from task_noise"
    ):
        ask(_model(inputs="sparse:0.4", task_noise=0.0))
    with pytest.raises(mb.InputError, match="adversarial:1 is defined for labels = 'linear' only"):
        ask(_model(), ["adversarial:1"])
    with pytest.raises(mb.InputError, match="engine = 'sufficient': labels 'sign' are not linear"):
        ask(_model(), engine="sufficient")
    with pytest.raises(mb.InputError, match="labels = 'sign': the laws of value and budgets"):
        mb.value(_model(), n_task=50, n_brain=50)
