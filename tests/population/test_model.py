"""Model: what it accepts, what it refuses, and what follows from it by algebra."""

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbrain.errors import InputError
from mcbrain.population.covariance import power_spectrum
from mcbrain.population.model import Model


def model(**changes):
    base = {"input_dim": 10, "latent_dim": 3, "n_channels": 8}
    return Model(**{**base, **changes})


def test_defaults_are_equal_loadings_and_unit_noises():
    m = model()
    np.testing.assert_allclose(m.loadings, np.full(3, 1 / math.sqrt(3)))
    assert (m.sigma_y, m.sigma_r, m.k_m, m.misalignment) == (1.0, 1.0, 3, 0.0)


def test_unmeasured_latents_fold_into_the_misalignment():
    m = model(misalignment=0.2, measured_latents=2, task_loadings=[1.0, 2.0, 2.0])
    block = m.recorded
    assert block.misalignment == pytest.approx(0.2 + 0.8 * 4 / 9)
    np.testing.assert_allclose(block.loadings, np.array([1, 2]) / math.sqrt(5))
    np.testing.assert_allclose(m.gains, [1, 1, 0])


def test_signal_to_noise_ratios_stand_for_noises():
    m = model(snr_task=4.0, snr_brain=2.0, signal_norm=3.0, latent_gains=[1.0, 2.0, 4.0])
    assert m.sigma_y == pytest.approx(3.0 / 2.0)
    weight = np.mean([1.0, 1 / 4, 1 / 16])
    assert 1 / (m.sigma_r**2 * weight) == pytest.approx(2.0)
    assert m.columns()["snr_task"] == pytest.approx(4.0)
    assert m.columns()["snr_brain"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"misalignment": 1.5}, "misalignment = 1.5: allowed is 0 to 1"),
        ({"misalignment": math.nan}, "misalignment = nan: allowed is 0 to 1"),
        ({"latent_dim": 11}, "latent_dim = 11: allowed is 1 to input_dim = 10"),
        ({"latent_dim": 10, "misalignment": 0.1, "n_channels": 12}, "only 0 is allowed"),
        ({"n_channels": 2}, "latent_dim = 3 with n_channels = 2: recordings need a channel"),
        ({"n_channels": 1, "measured_latents": 2}, "measured_latents = 2 with n_channels = 1"),
        ({"input_dim": 10.5}, "input_dim = 10.5: a whole number"),
        ({"input_dim": True}, "input_dim = True: a whole number"),
        ({"latent_gains": [1.0]}, "1 numbers for latent_dim = 3"),
        ({"latent_gains": "big"}, "a list of 3 numbers"),
        ({"task_loadings": [0.0, 0.0, 0.0]}, "at least one loading"),
        ({"task_noise": 1.0, "snr_task": 1.0}, "both given"),
        ({"neural_noise": 1.0, "neural_law": "poisson"}, "no recording noise of its own"),
        ({"baseline_rate": 1.0}, "only neural_law = 'poisson'"),
        ({"inputs": "student:3"}, "allowed is student:NU with a number NU > 4"),
        ({"inputs": "student"}, "allowed is student:NU with a number NU > 4"),
        ({"inputs": "gausian"}, "did you mean 'gaussian'"),
        ({"inputs": "laplace:2"}, "takes no parameter"),
        ({"inputs": "sparse:0"}, "allowed is sparse:F with a number 0 < F <= 1"),
        ({"covariance": "powerlaw"}, "powerlaw:ALPHA"),
        ({"snr_brain": 1.0, "latent_gains": [1.0, 1.0, 0.0]}, "give neural_noise instead"),
    ],
)
def test_bad_values_are_refused_in_a_sentence(changes, words):
    with pytest.raises(InputError) as error:
        model(**changes)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("values", "settings", "words"),
    [
        ((), {"latent_dims": 5}, "latent_dims: unknown key; did you mean 'latent_dim'"),
        ((), {"input_dim": 10, "latent_dim": 3}, "n_channels is missing"),
        ((10, 3), {}, "Model(10, 3): values are given by name: Model(input_dim=10, ...)"),
    ],
)
def test_a_key_that_is_missing_or_unknown_is_named(values, settings, words):
    with pytest.raises(InputError) as error:
        Model(*values, **settings)
    assert words in str(error.value)


def test_a_model_goes_through_a_pickle_and_stays_as_it_was_made():
    m = model(misalignment=0.2)
    assert pickle.loads(pickle.dumps(m)) == m  # as tasks travel to a cluster's workers
    assert dataclasses.replace(m, misalignment=0.0) == model()
    with pytest.raises(dataclasses.FrozenInstanceError):
        m.misalignment = 0.1


def test_a_model_given_by_its_ratios_goes_through_its_fields():
    m = model(snr_task=4.0, snr_brain=2.0, signal_norm=3.0)
    fields = dataclasses.asdict(m)
    assert Model(**fields) == m
    given_again = Model(**json.loads(json.dumps(m.given())))
    assert (given_again.sigma_y, given_again.sigma_r) == (m.sigma_y, m.sigma_r)
    assert copy.copy(m) == copy.deepcopy(m) == pickle.loads(pickle.dumps(m)) == m
    assert Model(**dataclasses.asdict(pickle.loads(pickle.dumps(m)))) == m


def test_replacing_a_noise_or_a_ratio_replaces_what_follows_from_it():
    m = model(snr_task=4.0, snr_brain=2.0)
    replace = dataclasses.replace
    assert replace(m, misalignment=0.1) == model(snr_task=4.0, snr_brain=2.0, misalignment=0.1)
    assert replace(m, task_noise=2.0) == model(task_noise=2.0, snr_brain=2.0)
    assert replace(m, snr_task=9.0) == model(snr_task=9.0, snr_brain=2.0)
    assert replace(m, neural_noise=0.5) == model(snr_task=4.0, neural_noise=0.5)
    assert replace(m, latent_gains=2.0) == model(snr_task=4.0, snr_brain=2.0, latent_gains=2.0)
    assert replace(m, signal_norm=3.0) == model(snr_task=4.0, snr_brain=2.0, signal_norm=3.0)
    assert replace(model(task_noise=2.0), snr_task=4.0) == model(snr_task=4.0)
    assert replace(replace(m, task_noise=2.0), snr_task=4.0) == m


def test_replacing_what_others_follow_from_keeps_them_true():
    replace = dataclasses.replace
    assert replace(model(), latent_dim=5) == model(latent_dim=5)
    assert replace(model(measured_latents=2), latent_dim=5).k_m == 2
    assert replace(model(), neural_law="poisson") == model(neural_law="poisson")
    assert replace(model(neural_law="poisson"), neural_law="gaussian") == model()
    assert replace(model(snr_brain=2.0), neural_law="poisson") == model(neural_law="poisson")


@given(exponent=st.floats(0, 10), dim=st.integers(1, 300))
@settings(max_examples=50, deadline=None)
def test_power_spectrum_has_trace_d_and_falls(exponent, dim):
    values = power_spectrum(dim, exponent)
    assert values.sum() == pytest.approx(dim)
    assert np.all(np.diff(values) <= 0)


@given(
    m=st.floats(0, 1),
    k=st.integers(1, 6),
    measured=st.integers(1, 6),
    noise=st.floats(0, 1e6),
)
@settings(max_examples=100, deadline=None)
def test_a_model_is_made_again_from_what_was_given(m, k, measured, noise):
    one = Model(
        input_dim=12,
        latent_dim=k,
        n_channels=9,
        misalignment=m,
        measured_latents=min(k, measured),
        task_noise=noise,
    )
    assert Model(**one.given()) == one
    assert 0 <= one.recorded.misalignment <= 1


def test_a_value_that_is_too_long_to_be_read_is_shown_by_its_ends():
    with pytest.raises(InputError, match=r"^covariance = \[\[.* \.\.\. .*$") as refused:
        Model(input_dim=12, latent_dim=3, n_channels=8, covariance=np.ones((400, 12)).tolist())
    assert len(str(refused.value)) < 1_100
