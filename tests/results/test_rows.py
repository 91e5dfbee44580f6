"""What rows say: risks that agree with the laws, words where a number must not be trusted."""

import numpy as np
import pytest

from mcbrain.blocks.problem import RawProblem
from mcbrain.engines.raw import bench
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.subspaces import LawSubspaces
from mcbrain.population.model import Model
from mcbrain.results.law_rows import predict
from mcbrain.results.point_rows import PointRows
from mcbrain.results.printing import print_table
from mcbrain.results.reasons import (
    ADVERSARY,
    FEW_BRAIN_SAMPLES,
    NO_OPTIMUM,
    NOT_GAUSSIAN,
    OWN_PENALTY,
    TWO_ZEROS,
)
from mcbrain.running.runner import run
from tests.support.small_study import TABLE, rows, small, study


def test_cells_without_enough_brain_samples_are_undefined_rows(small_results):
    table = rows(small_results).to_pylist()
    undefined = [r for r in table if r["status"] == "undefined"]
    assert {(r["n_brain"], r["estimator"]) for r in undefined} == {(1, "befs"), (1, "projection")}
    assert all(r["mean"] is None and r["replicates"] == 0 for r in undefined)
    assert {r["reason"] for r in undefined} == {FEW_BRAIN_SAMPLES}
    assert {r["reason"] for r in table if r["status"] != "undefined"} == {None}


def test_rows_of_the_laws_say_that_nothing_was_drawn_whether_or_not_a_law_holds():
    model = Model(input_dim=12, latent_dim=3, n_channels=6)
    table = predict(model, 30, [1, 60], {"ridge": ["loo", "optimal"], "befs": "optimal"})
    assert set(table["prediction"].to_pylist()) == {"none", "exact", "asymptotic"}
    assert set(table["status"].to_pylist()) == {"ok", "undefined"}
    assert_reasons(table, {OWN_PENALTY, FEW_BRAIN_SAMPLES})
    assert set(table["replicates"].to_pylist()) == set(table["failed"].to_pylist()) == {0}


def assert_reasons(table, reasons):
    """A row of the laws has a number, or a word that says why not and a sentence beside it."""
    for row in table.to_pylist():
        assert (row["reason"] is not None) == (row["status"] == "undefined")
        assert (row["predicted"] is None) == (row["status"] in ("undefined", "infinite_mean"))
    assert set(table["reason"].to_pylist()) - {None} == reasons


@pytest.mark.parametrize(
    ("model", "estimators", "shift", "rank", "reason"),
    [
        ({"inputs": "laplace"}, {"ridge": 0.1, "ols": 0.0}, "id", None, NOT_GAUSSIAN),
        ({"neural_law": "poisson", "baseline_rate": 2.0}, {"befs": 0.3}, "id", None, NOT_GAUSSIAN),
        ({}, {"befs": 0.3, "ridge": "optimal"}, "adversarial:0.1", None, ADVERSARY),
        ({}, {"befs": "gcv", "ridge": "loo"}, "id", None, OWN_PENALTY),
        ({"inputs": "uniform"}, {"ridge": "optimal-shift"}, "mean:1:brain", None, NO_OPTIMUM),
    ],
)
def test_where_no_law_holds_the_row_is_undefined_and_says_why(
    model, estimators, shift, rank, reason
):
    model = Model(input_dim=12, latent_dim=3, n_channels=6, **model)
    table = predict(model, 30, 60, estimators, [shift], rank=rank)
    assert set(table["status"].to_pylist()) == {"undefined"}
    reasons = set(table["reason"].to_pylist())
    assert reasons <= {reason, NOT_GAUSSIAN, NO_OPTIMUM} and reason in reasons | {NO_OPTIMUM}
    assert_reasons(table, reasons)


def test_two_penalties_of_zero_have_no_law_below_the_inputs_number():
    model = Model(input_dim=12, latent_dim=3, n_channels=6, covariance="powerlaw:1")
    table = predict(model, [8, 30], 60, {"two-penalty:0.5": 0.0})
    assert table["reason"].to_pylist() == [TWO_ZEROS, None]
    assert table["prediction"].to_pylist() == ["none", "exact"]


def test_the_reason_stands_below_the_table(capsys):
    model = Model(input_dim=12, latent_dim=3, n_channels=6)
    table = predict(model, 30, [1, 60], {"ridge": "loo", "befs": "optimal"})
    print_table(table, ["n_task", "estimator", "status"])
    said = capsys.readouterr().out
    assert f"undefined (ridge loo): {OWN_PENALTY}\n" in said
    assert f"undefined (befs optimal): {FEW_BRAIN_SAMPLES}\n" in said


def test_befs_without_brain_data_is_ridge_and_projection_predicts_nothing(small_results):
    table = [r for r in rows(small_results).to_pylist() if r["n_brain"] == 0]
    risk = {(r["point"], r["estimator"], r["penalty"], r["shift"]): r["mean"] for r in table}
    for (point, estimator, penalty, shift), mean in risk.items():
        if estimator == "befs":
            assert mean == risk[point, "ridge", penalty, shift]
        if estimator == "projection" and shift == "id":
            assert mean == pytest.approx(1.0, rel=1e-12)


def test_simulation_agrees_with_the_exact_laws(small_results):
    """Every exact and semi-exact row within 4.5 standard errors; 7e-6 each, below 0.002 in all."""
    scores = []
    for row in rows(small_results).to_pylist():
        if row["prediction"] in ("exact", "semi-exact") and row["mcse"]:
            spread = np.hypot(row["mcse"], row["prediction_se"] or 0.0)
            if row["status"] == "ok":
                scores.append((row["mean"] - row["predicted"]) / spread)
    assert len(scores) > 200
    assert np.max(np.abs(scores)) < 4.5


def test_a_rotation_of_the_inputs_changes_no_law(tmp_path):
    """Haar against axes, other seeds: 15 scores below 4.5, false-alarm rate below 2e-4."""
    found = []
    for name, seed in (("haar", 7), ("axes", 8)):
        model = {**TABLE["model"], "misalignment": 0.2, "basis": name}
        table = study(model=model, seed=seed, design={"n_task": [6, 40], "n_brain": 60})
        run(table, tmp_path / name)
        found.append(rows(tmp_path / name).to_pylist())
    scores = [
        (a["mean"] - b["mean"]) / np.hypot(a["mcse"], b["mcse"])
        for a, b in zip(*found, strict=True)
        if a["penalty_rule"] == "fixed" and a["status"] == b["status"] == "ok"
    ]
    assert len(scores) == 15
    assert np.max(np.abs(scores)) < 4.5


def test_infinite_moments_are_marked_and_carry_no_error_bar(tmp_path):
    run(study(design={"n_task": [12, 13, 15, 18], "n_brain": 0}, estimators={"ols": 0.0}), tmp_path)
    seen = {r["n_task"]: r for r in rows(tmp_path).to_pylist()}
    assert [seen[n]["status"] for n in (12, 13, 15, 18)] == [
        "infinite_mean",
        "infinite_mean",
        "infinite_variance",
        "heavy_tail",
    ]
    assert seen[12]["mean"] is None and seen[12]["mcse"] is None and seen[12]["median"] > 0
    assert seen[15]["mean"] > 0 and seen[15]["mcse"] is None
    assert seen[18]["mcse"] > 0


def test_precision_zero_runs_exactly_the_replicates_asked_for(tmp_path):
    table = small(precision={"relative": 0.0, "max_replicates": 1000}, design__n_task=[40])
    run(table, tmp_path)
    for point in table.points():
        size = RawProblem.of(point.model, point.n_task, point.n_brain, 7).block_size
        found = [r for r in rows(tmp_path).to_pylist() if r["point"] == point.index]
        assert {r["replicates"] for r in found} == {-(-1000 // size) * size}
        assert {r["status"] for r in found} == {"ok"}


@pytest.mark.parametrize("kind", ["raw", "sufficient", "spectral"])
def test_a_number_of_replicates_that_was_not_reached_is_not_met(tmp_path, kind):
    """The blocks of a shorter run are there, and no time to compute more."""
    few, many = (
        study(
            model__misalignment=0.2,
            design={"n_task": [40], "n_brain": [60]},
            estimators={"ridge": 0.3, "befs": 0.3},
            precision={"relative": 0.0, "max_replicates": most},
            engine={"kind": kind, "exact_task_stage": kind != "spectral"},
        )
        for most in (1000, 10_000_000)
    )
    assert run(few, tmp_path).unmet == 0
    drawn = {r["replicates"] for r in rows(tmp_path).to_pylist()}
    outcome = run(many, tmp_path, max_time=0)
    found = rows(tmp_path).to_pylist()
    assert outcome.unmet == sum(r["status"] == "mcse_not_met" for r in found) == len(found)
    assert {r["replicates"] for r in found} == drawn and all(r["mean"] > 0 for r in found)


def test_outputs_above_their_target_say_so(tmp_path):
    outcome = run(small(precision={"relative": 1e-4, "max_replicates": 100}), tmp_path)
    status = set(rows(tmp_path)["status"].to_pylist())
    assert "mcse_not_met" in status and outcome.unmet > 0


def test_quantiles_are_those_of_the_replicates(tmp_path):
    """Against the replicates themselves, redrawn; the histogram is good to one per cent."""
    table = small(
        precision={"relative": 0.0, "max_replicates": 4000},
        design={"n_task": [40], "n_brain": [60]},
        estimators={"befs": 0.3},
        shifts={"id": {}},
    )
    run(table, tmp_path)
    row = rows(tmp_path).to_pylist()[0]
    point = next(table.points())

    plan = PointRows(table, "raw", Penalties(table, LawSubspaces(table)))
    problem, queries = plan.problem(point), tuple(plan.queries(point))
    place = bench(problem, queries, problem.block_size)
    blocks = row["replicates"] // problem.block_size
    values = [place.replicates(index)[0][:, 0].copy() for index in range(blocks)]
    excess = np.concatenate(values)
    assert row["mean"] == pytest.approx(excess.mean(), rel=1e-12)
    assert row["sd"] == pytest.approx(excess.std(ddof=1), rel=1e-12)
    for name, q in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
        assert row[name] == pytest.approx(np.quantile(excess, q), rel=0.01)
