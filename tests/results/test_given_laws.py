"""Predictions for covariances, maps and tasks that are given, against whole data sets."""

import numpy as np
import pytest

import mcbrain as mb

RNG = np.random.default_rng(3)
HALF = RNG.standard_normal((16, 24)) * np.arange(1, 25) ** -0.6
MATRIX = HALF @ HALF.T
SINGULAR = RNG.standard_normal((11, 16)) * np.arange(1, 17) ** -0.3
MAP = np.linalg.qr(RNG.standard_normal((16, 3)))[0].T
MODEL = {"latent_dim": 3, "n_channels": 9, "task_noise": 0.6, "neural_noise": 0.8}
DESCRIBED = {"misalignment": 0.2, "signal_norm": 1.4}
ESTIMATORS = {
    "ols": 0.0,
    "ridge": 0.2,
    "befs": [0.0, 0.3],
    "befs-oracle": [0.0, 0.1],
    "two-penalty:0.3": [0.0, 0.4],
}
SHIFTS = [
    "id",
    "brain-insensitive:4",
    "missed-direction:9",
    "mean:1:missed",
    "spectrum:1.0",
    "concept:0.5:orthogonal",
]


def agree(model, n_task, n_brain, moment, replicates, estimators=ESTIMATORS):
    """Every prediction within 4.5 standard errors and 1 % of the law's own error."""
    np.save(moment, np.diag(np.arange(model.input_dim) + 1.0) + 0.3)
    table = mb.simulate(
        model,
        n_task,
        n_brain,
        estimators,
        [*SHIFTS, f"custom:{moment}"],
        precision=0,
        max_replicates=replicates,
        seed=6,
        engine="raw",
    ).to_pylist()
    assert len(table) == 7 * sum(np.size(penalty) for penalty in estimators.values())
    for row in table:
        assert row["prediction"] in ("asymptotic", "exact"), row
        error = np.hypot(row["mcse"], row["prediction_se"] or 0.0)
        assert abs(row["predicted"] - row["mean"]) < 4.5 * error + 0.01 * row["mean"], row
        # Or nothing would be seen; under some shifts few of the imagined recordings decide.
        assert row["shift"] != "id" or error < 0.05 * row["mean"], row
    return table


@pytest.mark.parametrize(
    "given",
    [
        {"covariance": MATRIX, "brain_map": "random", "task": "source:0.7", **DESCRIBED},
        {"covariance": MATRIX, "brain_map": MAP, "task": RNG.standard_normal(16) / 4},
        {"covariance": SINGULAR, "brain_map": "random", **DESCRIBED},
        {"covariance": "powerlaw:1", "task": "source:2", "latent_gains": "powerlaw:0.5"}
        | DESCRIBED,
    ],
    ids=["matrix", "beta", "singular", "source"],
)
def test_predictions_are_the_means_of_whole_data_sets(given, tmp_path):
    """63 outputs of each model; false alarms of all together below 2e-3."""
    model = mb.Model(input_dim=16, **MODEL, **given)
    agree(model, 50, 70, tmp_path / "moment.npy", 4000)


@pytest.mark.long
@pytest.mark.parametrize("place", ["leading", "random"])
def test_predictions_for_digits_are_the_means_of_whole_data_sets(place, tmp_path):
    """scikit-learn's digits: 1,797 rows of 64 pixels, three of which never vary."""
    from sklearn.datasets import load_digits

    pixels = load_digits().data
    model = mb.Model(
        input_dim=64, **MODEL, **DESCRIBED, covariance=pixels, brain_map=place, task="source:0.5"
    )
    assert model.input_covariance.rank == 61
    for n_task, n_brain in [(30, 150), (100, 150), (100, 40)]:
        penalised = {"ridge": 0.2, "befs": 0.3, "befs-oracle": 0.1, "two-penalty:0.3": 0.4}
        agree(model, n_task, n_brain, tmp_path / "moment.npy", 4000, penalised)


def test_least_squares_is_exact_where_the_covariance_is_singular():
    model = mb.Model(input_dim=16, **MODEL, **DESCRIBED, covariance=SINGULAR)
    estimators = {"ols": 0.0, "ridge": 0.0, "two-penalty:0.3": 0.0}
    found = mb.predict(model, [10, 12, 30], 40, estimators).to_pylist()
    for row in found:
        spare = row["n_task"] - 10 - 1
        if spare < 1:
            assert row["predicted"] is None
        else:
            assert row["prediction"] == "exact"
            assert row["predicted"] == pytest.approx(0.6**2 * 10 / spare)


def test_the_value_of_brain_data_is_there_for_features(tmp_path):
    np.save(tmp_path / "features.npy", RNG.standard_normal((200, 16)) * np.arange(1, 17) ** -0.7)
    model = mb.Model(
        input_dim=16, **MODEL, **DESCRIBED, covariance=f"file:{tmp_path / 'features.npy'}"
    )
    found = mb.value(model, n_task=30, n_brain=200)
    assert found.interval[0] < found.task_samples < found.interval[1]
    law = mb.predict(model, 30, 200, {"befs": "optimal"}).to_pylist()[0]
    assert found.risk == pytest.approx(law["predicted"] / model.signal_norm**2, rel=1e-9)
