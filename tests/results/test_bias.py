"""Squared bias and variance over data sets: what NumPy finds on them, and what is known."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.blocks.problem import RawProblem
from mcbrain.errors import InputError
from mcbrain.reporting.bias_figure import bias_figure
from mcbrain.running.computing import compute

MODEL = {
    "input_dim": 8,
    "latent_dim": 2,
    "n_channels": 4,
    "misalignment": 0.3,
    "task_noise": 0.8,
    "latent_gains": [[1.5, 1.0]],
}
SHIFTS = {
    "id": {},
    "brain-insensitive": {"factor": 4.0},
    "mean": {"size": 2.0, "along": "missed"},
    "concept": {"angle": 0.3, "toward": "orthogonal"},
    "spectrum": {"exponent": 1.0},
}
REPLICATES = 8 * 512


def study(engine="raw", **changes):
    table = {
        "name": "bias",
        "seed": 3,
        "model": MODEL,
        "design": {"n_task": [12], "n_brain": [20]},
        "estimators": {"ols": 0.0, "ridge": [0.4, "loo"], "befs": 0.4, "projection": 0.0},
        "shifts": SHIFTS,
        "precision": {"relative": 0, "max_replicates": REPLICATES},
        "engine": {"kind": engine},
        "output": {"bias_variance": True},
    }
    return study_from_table({**table, **changes})


@pytest.fixture(scope="module")
def rows():
    return compute(study(), threads=1).table.to_pylist()


def coefficients(data):
    """Of the fixed estimators, by plain linear algebra."""
    n, d = data.X.shape
    gram, cross, P = data.X.T @ data.X, data.X.T @ data.y, data.basis.T @ data.basis
    inside = data.X @ data.basis.T
    return {
        "ols": np.linalg.solve(gram, cross),
        "ridge": np.linalg.solve(gram + n * 0.4 * np.eye(d), cross),
        "befs": np.linalg.solve(gram + n * 0.4 * (np.eye(d) - P), cross),
        "projection": data.basis.T @ np.linalg.lstsq(inside, data.y, rcond=None)[0],
    }


def test_bias_and_variance_are_those_of_numpy_on_the_same_data_sets(rows):
    """The part of the mean inside the brain's span and the missed direction is all of its mean.

    The bias there follows from the same replicates, to rounding, before what is subtracted for
    their finite number: the trace of its covariance over the blocks.
    """
    model = study().models[0]
    size = RawProblem.of(model, 12, 20, 3).block_size
    found = {name: [] for name in ("ols", "ridge", "befs", "projection")}
    for data in mb.replicates(model, 12, 20, count=REPLICATES, seed=3):
        for name, b in coefficients(data).items():
            found[name].append(b - data.beta)
    missed = data.beta - data.brain_map.T @ (data.brain_map @ data.beta)
    V = np.vstack([data.brain_map, missed / np.linalg.norm(missed)])
    M = {
        "id": np.eye(8),
        "brain-insensitive:4": 4.0 * np.eye(8) - 3.0 * data.brain_map.T @ data.brain_map,
        "mean:2:missed": np.eye(8) + 4.0 * np.outer(V[2], V[2]),
    }
    for row in rows:
        if row["penalty_rule"] == "loo" or row["shift"] not in M:
            continue
        errors, moment = np.array(found[row["estimator"]]), M[row["shift"]]
        w = errors @ V.T
        blocks = w.reshape(-1, size, 3).mean(axis=1)
        S, Q = np.cov(blocks.T) / len(blocks), V @ moment @ V.T
        bias2 = w.mean(axis=0) @ Q @ w.mean(axis=0) - np.trace(Q @ S)
        assert row["bias2"] == pytest.approx(bias2, rel=1e-7, abs=1e-9)
        whole = np.einsum("ni,ij,nj->n", errors, moment, errors).mean()
        assert row["bias2"] + row["variance"] == pytest.approx(whole, rel=1e-9)


def test_bias_and_variance_make_up_the_mean(rows):
    for row in rows:
        assert row["bias2"] + row["variance"] == pytest.approx(row["mean"], rel=1e-14)
        assert row["variance_mcse"] > 0 and row["bias2_mcse"] > 0


def test_least_squares_has_no_bias_but_toward_a_target_that_has_moved(rows):
    """Each |z| < 4.5 (15 degrees of freedom or more: one false alarm in 480 for all five)."""
    for row in rows:
        if row["estimator"] == "ols":
            moved = 4 * np.sin(0.15) ** 2 if row["shift"].startswith("concept") else 0.0
            assert abs(row["bias2"] - moved) < 4.5 * row["bias2_mcse"]


def test_least_norm_solutions_miss_the_share_of_beta_that_n_samples_leave_out():
    """|E b - beta|^2 = (1 - n / d)^2 |beta|^2 for n < d, however the variance grows toward n = d.

    Each |z| < 4.5 (15 degrees of freedom or more: one false alarm in 800 for all three).
    """
    few = {"design": {"n_task": [2, 3, 4], "n_brain": [0]}, "estimators": {"ols": 0.0}}
    for row in compute(study("auto", shifts={"id": {}}, **few), threads=1).table.to_pylist():
        assert abs(row["bias2"] - (1 - row["n_task"] / 8) ** 2) < 4.5 * row["bias2_mcse"]


@pytest.mark.long
def test_errors_are_those_of_repetitions():
    """Spread over 40 seeds against the errors: a ratio off by 1.6 is a case in a thousand."""
    asked = {"estimators": {"ridge": 0.4, "befs": 0.4}, "shifts": {"id": {}}}
    precise = {"precision": {"relative": 0, "max_replicates": 32 * 512}}
    tables = [
        compute(study("sufficient", seed=s, **asked, **precise), threads=1).table for s in range(40)
    ]
    for name in ("bias2", "variance"):
        values = np.array([t[name].to_pylist() for t in tables])
        errors = np.array([t[f"{name}_mcse"].to_pylist() for t in tables])
        ratio = values.std(axis=0, ddof=1) / np.sqrt((errors**2).mean(axis=0))
        assert np.all((ratio > 1 / 1.6) & (ratio < 1.6)), (name, ratio)


def test_nothing_else_changes_but_rounding(rows):
    plain = compute(study(output={}), threads=1).table.to_pylist()
    for one, other in zip(rows, plain, strict=True):
        for name in ("mean", "mcse", "median", "gain", "p_better", "replicates"):
            assert one[name] == (None if other[name] is None else pytest.approx(other[name]))
        assert other["bias2"] is None and other["variance"] is None


def test_where_it_is_not_known_it_is_null():
    skewed = compute(study(model={**MODEL, "covariance": "powerlaw:1.0"}), threads=1).table
    assert skewed["bias2"].null_count == skewed.num_rows
    few = compute(study(precision={"relative": 0, "max_replicates": 512}), threads=1).table
    assert few["bias2"].null_count == few.num_rows
    signs = compute(study(model={**MODEL, "labels": "sign"}, metrics={"error_rate": {}}), threads=1)
    assert signs.table["bias2"].null_count == signs.table.num_rows
    assert signs.table["error_rate"].null_count < signs.table.num_rows


def test_engines_without_coefficients_are_refused():
    with pytest.raises(InputError, match="coefficients, whose bias is asked for; use sufficient"):
        compute(study("spectral", estimators={"ols": 0.0}))
    assert (
        compute(study("auto", estimators={"ols": 0.0}, shifts={"id": {}}), threads=1).engine
        == "sufficient"
    )


def test_the_figure_has_a_panel_for_each_method_and_three_curves_in_each():
    design = {"design": {"n_task": [4, 12, 24], "n_brain": [0]}, "shifts": {"id": {}}}
    asked = {"estimators": {"ols": 0.0, "ridge": 0.4}}
    made = bias_figure(compute(study("sufficient", **design, **asked), threads=1))
    titles = [ax.get_title(loc="right") for ax in made.axes]
    assert titles == ["ols=0.0", "ridge=0.4"]
    for ax in made.axes:
        found = {c.get_label(): c.lines[0].get_ydata() for c in ax.containers}
        assert set(found) == {"excess risk", "squared bias", "variance"}
        whole = found["squared bias"][0] + found["variance"][0]
        assert whole == pytest.approx(found["excess risk"][0])
    with pytest.raises(InputError, match=r"bias_variance = true in \[output\]"):
        bias_figure(compute(study(output={}, **design, estimators={"ols": 0.0}), threads=1))
