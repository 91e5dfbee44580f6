"""Several encoders in one study: each row is that of a study of its own, on the same data."""

import numpy as np
import pytest
from pyarrow import ipc

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.penalty_rules import SELECTION_GRID
from mcbrain.reporting.content import _design
from mcbrain.reporting.findings import findings
from mcbrain.results.printing import print_results
from mcbrain.results.tables import open_results
from mcbrain.results.view import Results
from mcbrain.running.merging import merge
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from tests.twins.encode import encoder_scores, estimated_subspace

TABLE = {
    "name": "encoders",
    "seed": 4,
    "model": {"input_dim": 6, "latent_dim": 2, "n_channels": 5, "covariance": "powerlaw:1.0"},
    "design": {"n_task": [16], "n_brain": [0, 1, 14]},
    "encoding": {"rank": [1, 2], "penalty": ["loo", 0.0, "gcv", 0.3]},
    "estimators": {"ridge": 0.5, "befs": 0.4},
    "precision": {"relative": 0.0, "max_replicates": 512},
    "engine": {"kind": "raw"},
}
NUMBERS = ("mean", "mcse", "sd", "gain", "gain_mcse", "p_better", "median", "status", "failed")


def _study(**changes):
    return study_from_table({**TABLE, **changes})


def _rows(folder):
    return open_results(folder).to_pylist()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders") / "whole"
    run(_study(), folder, threads=1)
    return folder


def test_rows_come_in_the_order_of_the_study_and_name_their_encoder(whole):
    rows = [row for row in _rows(whole) if row["n_brain"] == 14]
    found = [(r["estimator"], r["rank"], r["encoding_rule"], r["encoding_penalty"]) for r in rows]
    rules = [("loo", None), ("fixed", 0.0), ("gcv", None), ("fixed", 0.3)]
    assert found[0] == ("ridge", None, None, None)
    assert found[1:] == [("befs", rank, *rule) for rank in (1, 2) for rule in rules]
    assert all(row["status"] == "ok" for row in rows)
    assert len({row["mean"] for row in rows}) == 9
    assert {r["prediction"] for r in rows if r["encoding_rule"] in ("loo", "gcv")} == {"none"}


def test_fewer_samples_than_a_rank_leave_out_the_rows_of_that_rank_alone(whole):
    rows = [row for row in _rows(whole) if row["n_brain"] == 1 and row["estimator"] == "befs"]
    assert [row["status"] for row in rows] == ["ok"] * 4 + ["undefined"] * 4


def test_without_brain_data_every_encoder_is_ridge(whole):
    rows = [row for row in _rows(whole) if row["n_brain"] == 0 and row["estimator"] == "befs"]
    assert len({row["mean"] for row in rows}) == 1


def test_each_encoder_has_the_numbers_of_a_study_of_its_own(whole, tmp_path):
    """Bit for bit, gains and shares against the same ridge among them."""
    for place, (rank, penalty) in enumerate([(1, "loo"), (2, 0.0), (2, "gcv")]):
        alone = tmp_path / str(place)
        run(_study(encoding={"rank": rank, "penalty": penalty}), alone, threads=1)
        rule = penalty if isinstance(penalty, str) else "fixed"
        shown = None if isinstance(penalty, str) else penalty
        one = [row for row in _rows(alone) if row["estimator"] == "befs"]
        among = [
            row
            for row in _rows(whole)
            if (row["rank"], row["encoding_rule"], row["encoding_penalty"]) == (rank, rule, shown)
        ]
        for mine, other in zip(one, among, strict=True):
            assert [mine[name] for name in NUMBERS] == [other[name] for name in NUMBERS]


def test_an_encoder_that_is_added_draws_its_own_rows_and_changes_no_other(whole, tmp_path):
    fewer = _study(encoding={"rank": [1, 2], "penalty": ["loo", 0.0]})
    run(fewer, tmp_path, threads=1)
    assert run(_study(), tmp_path, threads=1).computed > 0
    again = run(_study(), tmp_path, threads=1)
    assert (again.computed, again.replicates) == (0, 0)
    for mine, other in zip(_rows(tmp_path), _rows(whole), strict=True):
        assert [mine[name] for name in NUMBERS] == [other[name] for name in NUMBERS]


def test_shards_merge_to_the_whole(whole, tmp_path):
    for number in (1, 2):
        run(_study(), tmp_path / str(number), shard=f"{number}/2", threads=1)
    merge([tmp_path / "1", tmp_path / "2"], tmp_path / "both")
    for mine, other in zip(_rows(tmp_path / "both"), _rows(whole), strict=True):
        assert [mine[name] for name in NUMBERS] == [other[name] for name in NUMBERS]


def test_a_replay_says_what_the_encoder_chose_and_numpy_agrees(whole):
    """By every refit without a row, and by explicit least squares inside its subspace."""
    again = replay(whole, point=2, replicate=3)
    X, R, n = again.data["X_brain"], again.data["R"], 14
    candidates = np.array(SELECTION_GRID) * np.trace(X.T @ X) / X.shape[1]
    for row in (row for row in again.rows if row["estimator"] == "befs"):
        rule = row["encoding_rule"]
        summed = n * row["encoding_penalty"]
        if rule != "fixed":
            best = candidates[np.argmin(encoder_scores(X, R, rule, candidates))]
            assert summed == pytest.approx(best, rel=1e-10)
        A = estimated_subspace(X, R, row["rank"], summed)
        X_task, y = again.data["X"], again.data["y"]
        outside = np.eye(6) - A @ A.T
        beta = np.linalg.solve(X_task.T @ X_task + 16 * 0.4 * outside, X_task.T @ y)
        error = beta - again.data["beta"]
        variances = mb.Model(**TABLE["model"]).input_variances
        assert row["excess"] == pytest.approx(float(error @ (variances * error)), rel=1e-8)


def test_tables_and_reports_tell_encoders_apart(whole, capsys):
    print_results(whole)
    shown = capsys.readouterr().out
    assert {"rank", "encoding_rule", "encoding_penalty"} <= set(shown.splitlines()[0].split())
    results = Results(whole)
    methods = dict(_design(results))["estimators (penalty)"]
    assert "befs (0.4, rank 1, encoder loo), befs (0.4, rank 1), " in methods
    first = "BEFS is here befs (0.4, rank 1, encoder loo), the first of 8 encoders; the table has"
    assert results.one_of_several().startswith(first)
    assert first in " ".join(findings(results, []))


@pytest.mark.parametrize("engine", ["raw", "sufficient", "spectral"])
def test_every_engine_has_several_numbers_and_ranks(engine):
    """The mean of each row is that of the row alone; the spectral engine combines moments."""
    model = mb.Model(input_dim=7, latent_dim=2, n_channels=5)
    asked = {"estimators": {"ridge": "optimal", "befs": "optimal"}, "engine": engine}
    asked |= {"precision": 0, "max_replicates": 512, "threads": 1, "seed": 2}
    both = mb.simulate(model, 12, 20, rank=[1, 2], encoding_penalty=[0.0, 0.5], **asked)
    rows = both.to_pylist()[1:]
    for row in rows:
        alone = mb.simulate(
            model, 12, 20, rank=row["rank"], encoding_penalty=row["encoding_penalty"], **asked
        ).to_pylist()[1]
        names = ("mean", "mcse", "gain", "predicted", "penalty", "prediction")
        assert [row[name] for name in names] == [alone[name] for name in names]
    assert len({row["mean"] for row in rows}) == 4


def test_the_moments_of_an_optimised_encoder_are_kept(tmp_path):
    """Of the pilot at the penalty that the row shows."""
    study = _study(
        model={**TABLE["model"], "covariance": "identity"},
        encoding={"penalty": "optimal"},
        design={"n_task": [16], "n_brain": [14]},
        estimators={"befs": "optimal"},
    )
    run(study, tmp_path, threads=1)
    (row,) = _rows(tmp_path)
    assert row["encoding_penalty"] > 0.0 and row["prediction"] == "semi-exact"
    brain = ipc.open_file(tmp_path / "brain.arrow").read_all()
    assert set(brain["encoding_penalty"].to_pylist()) == {row["encoding_penalty"]}
    assert set(brain["source"].to_pylist()) == {"pilot"}
