"""Encoders that choose their penalty: engine against engine, the best against others, practice."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.errors import InputError
from mcbrain.plan.best_encoding import least

SMALL = {"input_dim": 12, "latent_dim": 2, "n_channels": 8, "covariance": "powerlaw:1.0"}
ASKED = {"precision": 0, "threads": 1, "seed": 6}


@pytest.mark.parametrize("n_brain", [8, 40])
def test_engines_agree_on_what_generalised_cross_validation_gives(n_brain):
    """2 rules in 2 sizes, |z| < 4.5: false alarm below 3e-5; finds 6 % of a mean with 99 %."""
    asked = {**ASKED, "encoding_penalty": ["gcv", "optimal"], "max_replicates": 8192}
    whole, few = (
        mb.simulate(mb.Model(**SMALL), 20, n_brain, {"befs": 0.5}, engine=engine, **asked)
        for engine in ("raw", "sufficient")
    )
    assert whole["encoding_penalty"].to_pylist() == few["encoding_penalty"].to_pylist()
    for mine, other in zip(whole.to_pylist(), few.to_pylist(), strict=True):
        error = np.hypot(mine["mcse"], other["mcse"])
        assert 0.0 < 6.8 * error < 0.06 * mine["mean"]
        assert abs(mine["mean"] - other["mean"]) < 4.5 * error


def test_the_best_encoder_is_found_once_and_no_neighbour_is_better():
    """By law, to the flatness of the minimum; the number is the same whoever asks."""
    model, penalties = mb.Model(**SMALL), {"befs": ["optimal", 0.5]}
    found = mb.predict(model, 20, 40, penalties, encoding_penalty="optimal")
    for row in found.to_pylist():
        best = row["encoding_penalty"]
        assert best > 0.0 and row["encoding_rule"] == "optimal"
        own = row["penalty"] if row["penalty_rule"] == "fixed" else row["penalty_rule"]
        others = [0.0, best / 4, best * 4]
        near = mb.predict(
            model, row["n_task"], 40, {row["estimator"]: own}, encoding_penalty=others
        )
        assert row["predicted"] < min(near["predicted"].to_pylist()) * 1.003
    drawn = mb.simulate(
        model, 20, 40, {"befs": "optimal"}, encoding_penalty="optimal", max_replicates=256, **ASKED
    )
    told = found.to_pylist()[0]
    assert drawn["encoding_penalty"].to_pylist() == [told["encoding_penalty"]]


def test_without_a_law_a_pilot_finds_the_best_encoder():
    """Of inputs that are not Gaussian: the least of the rows that the pilot compared, by z < 4."""
    model = mb.Model(input_dim=5, latent_dim=1, n_channels=3, inputs="uniform", neural_noise=3.0)
    asked = {**ASKED, "max_replicates": 2048, "estimators": {"ridge": 0.5, "befs": 0.5}}
    best = mb.simulate(model, 20, 9, encoding_penalty="optimal", **asked).to_pylist()[1]
    others = mb.simulate(model, 20, 9, encoding_penalty=[0.0, 1e3], **asked).to_pylist()[1:]
    assert 0.0 < best["encoding_penalty"] < 1e3
    for other in others:
        assert best["mean"] < other["mean"] + 4.0 * best["mcse"]
    reason = mb.predict(model, 20, 9, {"befs": 0.5}, encoding_penalty="optimal")["reason"]
    assert "no law" in reason.to_pylist()[0]


def test_the_least_of_a_function_is_found_between_decades():
    """A parabola in the logarithm, and functions without a least or with it at 0."""
    for place in (-3.3, 0.1, 2.6):
        found = least(lambda p, x=place: (np.log10(max(p, 1e-30)) - x) ** 2, 1.0)
        assert abs(np.log10(found) - place) <= 0.0626
    assert least(lambda p: p, 2.0) == 0.0
    assert least(lambda p: 1.0, 2.0) == 0.0
    assert least(lambda p: np.inf, 2.0) == 0.0
    assert least(lambda p: -p, 2.0) == 2000.0
    assert least(lambda p: np.inf if p == 0.0 else p, 2.0) == 2e-4


def test_an_encoder_that_each_replicate_chooses_has_no_law():
    model = mb.Model(**SMALL)
    (row,) = mb.predict(model, 20, 40, {"befs": 0.5}, encoding_penalty="gcv").to_pylist()
    assert (row["predicted"], row["status"]) == (None, "undefined")
    assert row["reason"] == "no law for an encoder's penalty that is chosen on each replicate: " + (
        "simulate it"
    )
    (row,) = mb.predict(model, 20, 0, {"befs": 0.5}, encoding_penalty="gcv").to_pylist()
    assert row["prediction"] != "none"
    with pytest.raises(InputError, match="no law says what each replicate chooses"):
        mb.value(mb.Model(**SMALL), 20, 40, encoding_penalty="gcv")


@pytest.mark.long
def test_what_penalised_encoders_are_worth_under_power_laws():
    """Paired gains on tuned ridge, |z| > 5 each: a penalty is worth the more the steeper the law.

    At the identity the penalty that predicts recordings best is too large for their subspace; at
    power law 1.5 least squares gains next to nothing.
    """
    gains = {}
    for covariance in ("identity", "powerlaw:1.0", "powerlaw:1.5"):
        model = mb.Model(
            input_dim=40, latent_dim=4, n_channels=30, misalignment=0.05, covariance=covariance
        )
        rows = mb.simulate(
            model, 80, 200, {"ridge": "optimal", "befs": "optimal"}, max_replicates=4096,
            encoding_penalty=[0.0, 0.3, "loo", "optimal"], engine="raw", **{**ASKED, "seed": 1},
        ).to_pylist()[1:]  # fmt: skip
        gains[covariance] = [(row["gain"], row["gain_mcse"]) for row in rows]
    plain, some, chosen, best = range(4)

    def beats(covariance, one, other):
        (a, da), (b, db) = gains[covariance][one], gains[covariance][other]
        return (a - b) > 5.0 * np.hypot(da, db)

    for covariance in ("powerlaw:1.0", "powerlaw:1.5"):
        assert beats(covariance, some, plain) and beats(covariance, best, plain)
        assert not beats(covariance, some, best)
    assert beats("identity", plain, chosen) and beats("powerlaw:1.5", chosen, plain)
    first, second, third = (found[plain][0] for found in gains.values())
    assert first > second > third > 1.0
