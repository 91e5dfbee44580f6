"""Predictions for any covariance and encoder: against whole data sets, and the exact laws."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.results.reasons import INTERPOLATING

MODEL = {
    "input_dim": 24,
    "latent_dim": 3,
    "n_channels": 12,
    "misalignment": 0.15,
    "task_noise": 0.8,
    "neural_noise": 1.2,
    "signal_norm": 1.7,
}
ESTIMATORS = {
    "ols": 0.0,
    "ridge": 0.2,
    "befs": 0.3,
    "befs-oracle": 0.1,
    "projection": 0.0,
    "two-penalty:0.3": 0.4,
}
SHIFTS = ["id", "brain-insensitive:4", "missed-direction:9", "concept:0.5:orthogonal"]


@pytest.mark.parametrize(
    ("covariance", "n_task", "n_brain", "rank", "encoding"),
    [
        ("powerlaw:1", 12, 60, 3, 0.0),
        ("powerlaw:0.5", 70, 18, 3, 0.5),
        ("powerlaw:1.5", 40, 40, 2, 0.1),
        ("identity", 40, 60, 3, 0.4),
        ("identity", 60, 30, 2, 0.0),
    ],
)
def test_predictions_are_the_means_of_whole_data_sets(covariance, n_task, n_brain, rank, encoding):
    """24 outputs of each setting: 4.5 standard errors and 1 % of the law's own error.

    False alarms of all settings together below 1e-3. A law that is 5 % wrong is seen: the standard
    errors are below 1 % but for projection.
    """
    model = mb.Model(**MODEL, covariance=covariance)
    table = mb.simulate(
        model,
        n_task,
        n_brain,
        ESTIMATORS,
        SHIFTS,
        rank=rank,
        encoding_penalty=encoding,
        precision=0,
        max_replicates=6000,
        seed=5,
        engine="sufficient",
    ).to_pylist()
    laws = mb.predict(
        model, n_task, n_brain, ESTIMATORS, SHIFTS, rank=rank, encoding_penalty=encoding, seed=5
    ).to_pylist()
    assert len(table) == len(laws) == len(ESTIMATORS) * len(SHIFTS)
    for row, law in zip(table, laws, strict=True):
        error = np.hypot(row["mcse"], law["prediction_se"] or 0.0)
        assert law["prediction"] in ("asymptotic", "exact")
        assert abs(law["predicted"] - row["mean"]) < 4.5 * error + 0.01 * row["mean"], row


def test_at_the_identity_the_law_agrees_with_the_exact_one(monkeypatch):
    """To the order that it claims: 1/n^2."""
    from mcbrain.plan.subspaces import Subspaces

    model = mb.Model(**MODEL)
    estimators = {"ols": 0.0, "ridge": 0.2, "befs-oracle": 0.1}
    exact = mb.predict(model, [12, 40, 100], 0, estimators, SHIFTS)
    monkeypatch.setattr(Subspaces, "lawful", lambda self, estimator, point: False)
    law = mb.predict(model, [12, 40, 100], 0, estimators, SHIFTS)
    assert set(exact["prediction"].to_pylist()) == {"exact"}
    assert "asymptotic" in law["prediction"].to_pylist()
    n, found, wanted = (
        t.to_numpy() for t in (exact["n_task"], law["predicted"], exact["predicted"])
    )
    assert np.all(np.abs(found / wanted - 1) < 1 / n**2)


def test_least_squares_is_exact_under_any_covariance():
    """Its risk does not depend on the covariance, whatever the estimator's name."""
    estimators = {"ols": 0.0, "ridge": 0.0, "befs": 0.0, "two-penalty:0.5": 0.0}
    tables = [
        mb.predict(mb.Model(**MODEL, covariance=c), [30, 80], 60, estimators)
        for c in ("identity", "powerlaw:1")
    ]
    assert set(tables[1]["prediction"].to_pylist()) == {"exact"}
    np.testing.assert_allclose(tables[1]["predicted"], tables[0]["predicted"], rtol=1e-9)


@pytest.mark.parametrize("covariance", ["identity", "powerlaw:1"])
def test_an_optimal_penalty_is_no_worse_than_its_neighbours(covariance):
    """With a penalised encoder, for which no closed form is known."""
    model = mb.Model(**MODEL, covariance=covariance)

    def risks(penalty):
        return mb.predict(model, 40, 60, {"befs": penalty}, encoding_penalty=0.3).to_pylist()[0]

    best = risks("optimal")
    for factor in (0.5, 2.0):
        assert risks(best["penalty"] * factor)["predicted"] > best["predicted"]


def test_an_optimum_by_law_at_the_identity_is_the_exact_one(monkeypatch):
    from mcbrain.plan.subspaces import Subspaces

    model = mb.Model(**MODEL)
    exact = mb.predict(model, 40, 0, {"ridge": "optimal"})["penalty"][0].as_py()
    monkeypatch.setattr(Subspaces, "lawful", lambda self, estimator, point: False)
    law = mb.predict(model, 40, 0, {"ridge": "optimal"})["penalty"][0].as_py()
    assert law == pytest.approx(exact, rel=0.02)


def test_a_risk_without_a_mean_has_no_number_and_no_warning():
    """n_task = rank: least squares inside the subspace has no mean, whatever the penalty."""
    model = mb.Model(**MODEL, covariance="powerlaw:1")
    row = mb.predict(model, 3, 60, {"befs": "optimal"}).to_pylist()[0]
    assert row["predicted"] is None and row["status"] == "infinite_mean"


def test_where_a_fit_all_but_interpolates_there_is_no_law():
    """At n = d + 2 and no penalty the risk is a third above what the expansion would say."""
    model = mb.Model(**{**MODEL, "input_dim": 8}, covariance="powerlaw:1.5")
    table = mb.predict(model, [8, 9, 10, 12, 40], 0, {"ridge": [1e-10, 1e-4], "ols": 0.0})
    for row in table.to_pylist():
        near = row["n_task"] <= 12 and row["estimator"] == "ridge"
        assert (row["reason"] == INTERPOLATING) == near, row
        if row["n_task"] == 40 and row["penalty"] == 1e-10:
            assert row["predicted"] == pytest.approx(0.8**2 * 8 / 31, rel=2e-3)


def test_an_optimum_near_interpolation_is_not_moved_to_where_there_is_a_law():
    """It has no number: the best of the penalties that have a law would be another."""
    model = mb.Model(**{**MODEL, "input_dim": 8, "task_noise": 0.2}, covariance="powerlaw:1.5")
    table = mb.predict(model, [4, 60], 0, {"ridge": "optimal"}).to_pylist()
    assert table[0]["status"] == "undefined" and table[0]["penalty"] is None
    assert table[1]["predicted"] is not None and table[1]["penalty"] < 0.1
