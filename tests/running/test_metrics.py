"""Metrics of a study: their columns, their sums, when they stop a run."""

import numpy as np
import pyarrow.compute as pc
import pytest

import mcbrain as mb
from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.from_toml import study_from_table
from mcbrain.results.columns import RESULT_SCHEMA
from mcbrain.results.tables import open_results
from mcbrain.running.computing import compute

MODEL = mb.Model(
    input_dim=6, latent_dim=2, n_channels=4, misalignment=0.2, task_noise=0.5, labels="sign"
)
# Its labels are noisy, and its signal so small that a fit's risk is known before its direction.
LARGE = mb.Model(input_dim=6, latent_dim=2, n_channels=4, task_noise=5.0, labels="sign")
SETTING = {"n_task": 16, "n_brain": 12, "seed": 4, "threads": 1, "precision": 0}
SHIFTS = ["id", "brain-insensitive:4", "mean:1:brain"]


def _simulate(**more):
    asked = {"estimators": {"ridge": 0.2, "befs": 0.2}, "shifts": SHIFTS, "max_replicates": 64}
    return mb.simulate(MODEL, **SETTING, **{**asked, **more})


@pytest.fixture(scope="module")
def measured():
    return _simulate(metrics=["error_rate"]).to_pylist()


def test_the_error_rate_is_that_of_the_same_data(measured):
    """Fits of NumPy on the engine's own replicates, and the angle between fit and task."""
    count = measured[0]["replicates"]
    rates = {"ridge": [], "befs": []}
    for data in mb.replicates(MODEL, 16, 12, count=count, seed=4):
        outside = np.eye(6) - data.basis.T @ data.basis
        for name, weights in (("ridge", np.eye(6)), ("befs", outside)):
            b = np.linalg.solve(data.X.T @ data.X + 16 * 0.2 * weights, data.X.T @ data.y)
            P = data.brain_map.T @ data.brain_map
            for M in (np.eye(6), P + 4.0 * (np.eye(6) - P)):
                cos = b @ M @ data.beta / np.sqrt((b @ M @ b) * (data.beta @ M @ data.beta))
                rates[name].append(np.arccos(cos) / np.pi)
    for row in measured:
        if row["shift"] == "mean:1:brain":
            assert (
                row["error_rate"] is row["error_rate_mcse"] is row["error_rate_predicted"] is None
            )
            continue
        mine = np.array(rates[row["estimator"]]).reshape(count, 2)[:, int(row["shift"] != "id")]
        np.testing.assert_allclose(row["error_rate"], mine.mean(), rtol=1e-10)
        error = mine.std(ddof=1) / np.sqrt(count)
        np.testing.assert_allclose(row["error_rate_mcse"], error, rtol=1e-8)


def test_asking_for_a_metric_changes_no_other_number(measured):
    plain = _simulate()
    assert plain.schema.names == RESULT_SCHEMA.names
    seconds = plain.schema.get_field_index("seconds")
    for row, other in zip(plain.remove_column(seconds).to_pylist(), measured, strict=True):
        assert row == {name: other[name] for name in row}


def test_a_metric_stops_a_run_where_it_is_asked_to():
    """Absolute targets: the risk's is met at the first look, the error rate's is not."""

    def ask(metrics):
        precision = {"absolute": 0.004, "max_replicates": 60_000, "metrics": metrics}
        study = adhoc_study(
            LARGE, 16, 12, {"ridge": 0.2}, ["id"], seed=4, metrics=["error_rate"],
            precision=precision,
        )  # fmt: skip
        return compute(study, threads=1).table.to_pylist()[0]

    alone, together = ask(False), ask(True)
    assert alone["mcse"] <= 0.004
    assert together["replicates"] >= alone["replicates"]
    assert together["error_rate_mcse"] <= 0.004
    assert (together["replicates"] > alone["replicates"]) == (alone["error_rate_mcse"] > 0.004)


def test_a_folder_takes_a_metric_later(tmp_path):
    study = adhoc_study(
        MODEL, 16, 12, {"ridge": 0.2, "befs": 0.2}, SHIFTS, seed=4, name="later",
        precision={"relative": 0.0, "max_replicates": 64},
    )  # fmt: skip
    mb.run(study, tmp_path / "later", threads=1)
    plain = open_results(tmp_path / "later")
    asked = {**study.table, "metrics": {"error_rate": {}}}
    mb.run(study_from_table(asked), tmp_path / "later", threads=1)
    added = open_results(tmp_path / "later")
    fresh = _simulate(metrics=["error_rate"])
    for name in ("error_rate", "error_rate_mcse", "mean", "mcse"):
        assert added[name].to_pylist() == fresh[name].to_pylist()
    assert pc.all(pc.equal(plain["mean"], added["mean"])).as_py()


def test_what_cannot_be_measured_is_a_sentence():
    with pytest.raises(mb.InputError, match=r"metrics error: no such metric; .*error_rate"):
        _simulate(metrics=["error"])
    with pytest.raises(mb.InputError, match="engine = 'spectral': labels 'sign'"):
        _simulate(metrics=["error_rate"], engine="spectral")
    student = mb.Model(input_dim=6, latent_dim=2, n_channels=4, inputs="student:5")
    with pytest.raises(mb.InputError, match="error_rate: inputs = 'student:5': the error rate is"):
        mb.simulate(student, 9, 0, {"ridge": 0.1}, metrics=["error_rate"])
