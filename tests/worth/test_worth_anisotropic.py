"""The value of brain data under any covariance and encoder: the baseline's curve inverted."""

import math
import re

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.errors import InputError

MODEL = {
    "input_dim": 16,
    "latent_dim": 2,
    "n_channels": 10,
    "misalignment": 0.1,
    "task_noise": 1.5,
    "signal_norm": 1.5,
}


@pytest.mark.parametrize("baseline", ["ridge", "ols"])
def test_the_baseline_has_the_risk_of_befs_at_so_many_more_samples(baseline):
    model = mb.Model(**MODEL, covariance="powerlaw:1")
    found = mb.value(model, 30, 80, baseline, encoding_penalty=0.2)
    ends = [30 + math.floor(found.task_samples), 31 + math.floor(found.task_samples)]
    rule = "optimal" if baseline == "ridge" else 0.0
    above, below = mb.predict(model, ends, 0, {baseline: rule})["predicted"].to_numpy()
    assert below <= found.risk * 1.5**2 <= above
    befs = mb.predict(model, 30, 80, {"befs": "optimal"}, encoding_penalty=0.2).to_pylist()[0]
    assert befs["predicted"] == pytest.approx(found.risk * 1.5**2, rel=1e-9)
    assert found.interval[0] < found.task_samples < found.interval[1] < found.saturation
    assert found.exchange_rate == found.task_samples / 80
    assert math.isnan(found.marginal_rate)


def test_at_the_identity_it_agrees_with_the_value_of_the_exact_laws():
    """Imagined recordings scatter by their standard error: within the two ranges."""
    model = mb.Model(**MODEL)
    exact = mb.value(model, 30, 80)
    law = mb.value(model, 30, 80, encoding_penalty=1e-9)
    assert law.baseline_risk == pytest.approx(exact.baseline_risk, rel=2e-3)
    assert law.saturation == pytest.approx(exact.saturation, rel=0.02)
    assert law.interval[0] < exact.interval[1] and exact.interval[0] < law.interval[1]


def test_what_has_no_law_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="need linear labels, Gaussian inputs"):
        mb.value(mb.Model(**MODEL, inputs="laplace"), 30, 80)
    with pytest.raises(InputError, match="and task noise"):
        noiseless = MODEL | {"task_noise": 0.0}
        mb.value(mb.Model(**noiseless, covariance="powerlaw:1"), 30, 80)
    for penalty, words in (
        (-1, "encoding_penalty = -1: a number >= 0"),
        ("lou", "encoding_penalty = 'lou': a number, a list or a rule; did you mean 'loo'"),
        ("loo", "encoding_penalty = 'loo': no law says what each replicate chooses"),
        ([0.1, 0.2], "one number or rule is allowed, for one answer"),
    ):
        with pytest.raises(InputError, match=re.escape(words)):
            mb.value(mb.Model(**MODEL), 30, 80, encoding_penalty=penalty)
    with pytest.raises(InputError, match="an encoder without a penalty"):
        mb.allocate(mb.Model(**MODEL), 100.0, encoding_penalty="optimal")


def test_the_best_encoder_by_law_is_worth_no_less_than_any_number():
    """Of three decades of numbers, by the same imagined recordings."""
    model = mb.Model(**MODEL, covariance="powerlaw:1")
    best = mb.value(model, 30, 80, encoding_penalty="optimal")
    others = [mb.value(model, 30, 80, encoding_penalty=x).task_samples for x in (0.0, 0.03, 0.3, 3)]
    assert best.task_samples >= max(others) * 0.99 > others[0]


def test_a_simulated_value_takes_an_encoder_that_each_replicate_chooses():
    """Its 95 % interval is above that with a penalty far too large, on the same data."""
    model, asked = mb.Model(**MODEL), {"simulate": True, "precision": 0.02, "threads": 1}
    few = {**asked, "max_replicates": 2048}
    chosen, excessive = (mb.value(model, 30, 80, encoding_penalty=p, **few) for p in ("gcv", 1e6))
    assert excessive.interval[1] < chosen.interval[0] < chosen.task_samples < chosen.interval[1]


def test_a_value_that_the_baseline_never_has_says_so():
    model = mb.Model(**MODEL | {"misalignment": 1.0, "task_noise": 30.0}, covariance="powerlaw:1")
    found = mb.value(model, 3, 3, "ridge")
    assert np.isnan(found.task_samples) and found.note


def test_no_brain_data_has_no_value():
    found = mb.value(mb.Model(**MODEL, covariance="powerlaw:1"), 30, 0)
    assert found.task_samples == pytest.approx(0.0, abs=1e-6)
    assert found.interval == pytest.approx((0.0, 0.0), abs=1e-6) and not found.note
