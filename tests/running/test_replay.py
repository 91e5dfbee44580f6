"""A replayed replicate: the numbers that were run, and lines of NumPy that rebuild its data."""

import subprocess
import sys
from itertools import cycle, islice

import numpy as np
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.befs import BEFSRegressor
from mcbrain.errors import InputError
from mcbrain.population.distributions import INPUTS, LATENTS, RECORDINGS
from mcbrain.results.tables import open_results
from mcbrain.running.debugging import debug
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run

MODEL = {
    "input_dim": 12,
    "latent_dim": 3,
    "n_channels": 8,
    "misalignment": 0.2,
    "task_noise": 0.8,
    "latent_gains": [[1.5, 1.0, 0.7]],
    "measured_latents": 2,
}


def study(estimators, replicates=700, n_brain=60, **changes):
    return study_from_table(
        {
            "name": "replayed",
            "seed": 7,
            "model": {**MODEL, **changes},
            "design": {"n_task": [40], "n_brain": [n_brain]},
            "estimators": estimators,
            "precision": {"relative": 0.0, "max_replicates": replicates},
            "engine": {"kind": "raw"},
        }
    )


def every_distribution():
    """Models that together have every distribution of inputs, latents and recordings."""
    inputs = [family.examples[-1] for family in INPUTS.values()]
    size = max(map(len, (inputs, LATENTS, RECORDINGS)))
    turns = zip(cycle(inputs), cycle(LATENTS), cycle(reversed(RECORDINGS)), strict=False)
    for text, latents, recordings in islice(turns, size):
        rate = {"baseline_rate": 0.5} if RECORDINGS[recordings].counted else {}
        yield {"inputs": text, "latents": latents, "neural_law": recordings, **rate}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        *every_distribution(),
        {"inputs": "student:7", "signal_norm": 2.0},
        {"inputs": "laplace", "covariance": "powerlaw:1.5", "basis": "axes"},
        {"inputs": "rademacher", "latent_dim": 12, "n_channels": 12, "misalignment": 0.0}
        | {"latent_gains": 1.0},
        {"n_brain": 0},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())) or "plain",
)
def test_the_printed_lines_rebuild_all_the_data_of_a_replicate(tmp_path, changes):
    run(study({"ols": 0.0, "befs": 0.3}, **changes), tmp_path)
    again = replay(tmp_path, 0, 613)
    found: dict = {}
    exec(again.recipe, found)  # the lines that are printed for the user
    assert set(again.data) == {"X", "y", "X_brain", "R", "beta", "brain_map", "channels"}
    for name, value in again.data.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-12, atol=1e-12, err_msg=name)
    np.testing.assert_array_equal(found["X"], again.data["X"])
    weights = np.arange(1, 13) ** -1.5 if "covariance" in changes else np.ones(12)
    beta_hat = np.linalg.lstsq(found["X"], found["y"], rcond=None)[0]
    excess = np.sum(weights * 12 / weights.sum() * (beta_hat - found["beta"]) ** 2)
    ols = next(row for row in again.rows if row["estimator"] == "ols")
    assert ols["excess"] == pytest.approx(excess, rel=1e-9)


def test_a_rule_is_shown_with_the_penalty_that_it_chose_on_the_replicate(tmp_path):
    """That penalty, fixed, gives the replicate's risk; the row of results has none of its own."""
    run(study({"ridge": ["loo", "gcv", 0.25]}), tmp_path)
    assert open_results(tmp_path)["penalty"].to_pylist() == [None, None, 0.25]
    loo, gcv, fixed = (replay(tmp_path, 0, 5)).rows
    assert (loo["rule"], gcv["rule"], fixed["rule"]) == ("loo", "gcv", "fixed")
    assert fixed["penalty"] == 0.25
    data = replay(tmp_path, 0, 5).data
    for row in (loo, gcv, fixed):
        fitted = BEFSRegressor(penalty=row["penalty"], fit_intercept=False)
        error = fitted.fit(data["X"], data["y"]).coef_ - data["beta"]
        assert row["excess"] == pytest.approx(error @ error, rel=1e-9)
    assert loo["penalty"] != replay(tmp_path, 0, 6).rows[0]["penalty"]


def test_a_penalty_without_meaning_is_none_as_in_the_results(tmp_path):
    run(study({"projection": 0.0, "befs": 0.25}, replicates=10), tmp_path)
    again = replay(tmp_path, 0, 3)
    penalties = [row["penalty"] for row in again.rows]
    assert penalties == open_results(tmp_path)["penalty"].to_pylist() == [None, 0.25]
    again.save(tmp_path / "one.npz")
    with np.load(tmp_path / "one.npz", allow_pickle=False) as kept:
        assert kept["labels"].tolist() == ["projection - id", "befs 0.25 id"]


def test_data_and_risks_are_kept_in_an_npz(tmp_path):
    run(study({"ols": 0.0}, replicates=10), tmp_path)
    again = replay(tmp_path, 0, 3)
    again.save(tmp_path / "one.npz")
    with np.load(tmp_path / "one.npz", allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["X"], again.data["X"])
        assert kept["excess"].tolist() == [again.rows[0]["excess"]]


def test_what_was_never_drawn_is_refused(tmp_path):
    run(study({"ols": 0.0}, replicates=10), tmp_path)
    with pytest.raises(InputError, match="point 0 has replicates 0 to"):
        replay(tmp_path, 0, 10**9)
    with pytest.raises(InputError, match="--point 9"):
        replay(tmp_path, 9, 0)
    for wrong in (0.5, "0", True, None):
        with pytest.raises(InputError, match=f"--point {wrong}: allowed is 0 to 0"):
            replay(tmp_path, wrong, 0)
    with pytest.raises(InputError, match=r"--replicate 0\.5: point 0 has replicates"):
        replay(tmp_path, 0, 0.5)
    assert replay(tmp_path, 0.0, np.float64(3)).place == 3


def test_a_session_has_the_data_of_the_replicate(small_results):
    """As a user types into it; it ends with the end of the input."""
    asked = ["replay", str(small_results), "--point", "7", "--replicate", "3", "--debug"]
    typed = "print(X.shape, y.shape, X_brain.shape, R.shape, beta.shape, repr(float(y[0])))\n"
    done = subprocess.run(
        [sys.executable, "-m", "mcbrain", *asked],
        input=typed,
        capture_output=True,
        text=True,
        check=True,
    )
    again = replay(small_results, 7, 3)
    shapes = " ".join(str(again.data[n].shape) for n in ("X", "y", "X_brain", "R", "beta"))
    assert f"{shapes} {float(again.data['y'][0])!r}" in done.stdout


def test_a_function_is_run_under_the_debugger(small_results, monkeypatch):
    again = replay(small_results, 7, 3)
    stopped = []
    monkeypatch.setattr(
        "pdb.Pdb.interaction", lambda self, frame, *_: stopped.append(frame.f_code.co_name)
    )

    def mean_label(data):
        return float(data.y.mean())

    assert debug(again, mean_label) == again.data["y"].mean()
    assert stopped[0] == "mean_label"
