"""The spectral engine from end to end: against the exact laws and against the other engines."""

import copy

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.engines.automatic import engine_for
from mcbrain.errors import InputError
from mcbrain.results.tables import open_results
from mcbrain.running.runner import run

MODEL = {
    "input_dim": 17,
    "latent_dim": 3,
    "n_channels": 9,
    "misalignment": 0.2,
    "task_noise": 0.8,
    "neural_noise": 0.9,
    "latent_gains": [[1.5, 1.0, 0.7]],
}
TABLE = {
    "name": "spectral",
    "seed": 11,
    "model": {**MODEL, "misalignment": [0.0, 0.2], "task_noise": [0.5, 0.8]},
    "design": {"n_task": [2, 10, 17, 19, 23, 60], "n_brain": [0, 2, 40, 120]},
    "estimators": {
        "ols": 0.0,
        "ridge": ["optimal", 0.3],
        "befs": ["optimal", 0.3, 0.0],
        "befs-oracle": [0.3, "optimal-shift"],
        "projection": 0.0,
    },
    "shifts": ["id", "brain-insensitive:4", "mean:2:brain", "concept:0.4:brain"],
    "precision": {"relative": 0.004, "max_replicates": 60_000},
    "engine": {"kind": "spectral", "exact_task_stage": False},
}


def study(**changes):
    table = copy.deepcopy(TABLE)
    for path, value in changes.items():
        section, _, key = path.partition("__")
        table[section] = {**table[section], key: value} if key else value
    return study_from_table(table)


def small(**changes):
    fewer = {"model": MODEL, "design": {"n_task": [10, 60], "n_brain": [0, 40]}}
    return study(**{**fewer, **changes})


def rows(folder):
    return open_results(folder).drop_columns(["seconds"])


def frame(folder):
    return open_results(folder).to_pandas()


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """One run of the whole study with the law of the task stage off."""
    folder = tmp_path_factory.mktemp("spectral") / "a"
    run(study(), folder, threads=1)
    return folder


def test_simulated_rows_agree_with_the_exact_law(simulated):
    """About 1,000 correlated z-scores, |z| < 5: false alarm below 1e-3."""
    found = frame(simulated)
    sure = found[found.status.isin(["ok", "mcse_not_met"]) & (found.mcse > 0)]
    assert set(sure.prediction) == {"exact", "semi-exact"} and len(sure) > 500
    z = (sure["mean"] - sure.predicted) / np.hypot(sure.mcse, sure.prediction_se.fillna(0.0))
    assert np.abs(z).max() < 5
    assert 0.2 < (z**2).mean() < 3


def test_rows_say_what_is_independent_evidence(simulated):
    found = frame(simulated)
    befs = found[(found.estimator == "befs") & (found.n_brain >= 3) & found.predicted.notna()]
    assert set(befs.prediction) == {"semi-exact"} and befs.prediction_se.notna().all()
    ridge = found[found.estimator == "ridge"]
    assert set(ridge.prediction) == {"exact"} and ridge.prediction_se.isna().all()


def test_with_the_law_on_rows_say_same_law_and_agree(simulated, tmp_path):
    """Law on against law off, brain blocks shared: |z| < 5 of the task part alone."""
    run(study(engine={"kind": "spectral"}), tmp_path)
    lawful, found = frame(tmp_path), frame(simulated)
    known = found["mean"].notna()
    assert set(lawful[known].prediction) == {"same-law"}
    both = known & (found.mcse > 0)
    z = (found["mean"] - lawful["mean"])[both] / np.hypot(found.mcse, lawful.mcse.fillna(0))[both]
    assert np.abs(z).max() < 5
    # The pilots' moments have an error, whether the task stage is drawn or not.
    befs = known & (found.prediction == "semi-exact")
    assert befs.any() and (lawful.prediction_se[befs] > 0).any()
    assert np.allclose(lawful.prediction_se[befs], found.prediction_se[befs], rtol=1e-9)
    alone = lawful[(lawful.estimator == "ridge")]
    assert alone.prediction_se.isna().all()
    assert (alone.mcse == 0).all() and (alone.replicates == 0).all()


def test_status_follows_the_moments_that_exist(simulated):
    found = frame(simulated)
    ols = found[found.estimator == "ols"].groupby("n_task").status.unique()
    assert list(ols[17]) == ["infinite_mean"] and list(ols[19]) == ["infinite_variance"]
    assert list(ols[23]) == ["heavy_tail"] and list(ols[10]) == ["heavy_tail"]
    assert "ok" in ols[60]
    nearly = found[(found.n_task == 2) & (found.n_brain == 40) & (found.estimator == "befs")]
    assert set(nearly.status) == {"infinite_mean"} and nearly["mean"].isna().all()
    wild = found[found.status == "infinite_variance"]
    assert wild["mean"].notna().all() and wild.mcse.isna().all()
    few = found[(found.n_brain == 2) & found.estimator.isin(["befs", "projection"])]
    assert set(few.status) == {"undefined"}


def test_the_gain_over_the_baseline_uses_shared_blocks(simulated):
    """Ridge at another penalty sees the same spectra: its error is below that of two blocks."""
    found = frame(simulated)
    base = found[(found.estimator == "ridge") & (found.penalty_rule == "optimal")]
    assert (base.gain == 1.0).all() and (base.gain_mcse == 0.0).all()
    other = found[(found.estimator == "ridge") & (found.penalty_rule == "fixed")]
    relative = np.hypot(base.mcse.to_numpy() / base["mean"], 0).to_numpy()
    apart = np.hypot(relative, other.mcse / other["mean"]) * other.gain
    assert (other.gain_mcse <= 1.2 * apart).all()


@pytest.mark.parametrize("engine", ["raw", "sufficient"])
def test_other_engines_give_the_same_risks(engine, tmp_path):
    """96 correlated z-scores of each engine against spectral, |z| < 5: false alarm below 1e-4."""
    fewer = {"estimators": {"ridge": 0.3, "befs": 0.3, "projection": 0.0}}
    run(small(**fewer), tmp_path / "a")
    precision = {"relative": 0.02, "max_replicates": 20_000}
    run(small(**fewer, engine={"kind": engine}, precision=precision), tmp_path / "b")
    ours, theirs = frame(tmp_path / "a"), frame(tmp_path / "b")
    key = ["n_task", "n_brain", "estimator", "shift"]
    assert (ours[key] == theirs[key]).all(axis=None)
    known = ours["mean"].notna() & (theirs.mcse > 1e-9)  # projection without brain data is constant
    assert known.sum() >= 40
    z = (ours["mean"] - theirs["mean"]) / np.hypot(ours.mcse, theirs.mcse)
    assert np.abs(z[known]).max() < 5


def test_bits_do_not_depend_on_threads_or_on_resuming(tmp_path):
    run(small(), tmp_path / "1", threads=1)
    for threads in (2, 4):
        run(small(), tmp_path / str(threads), threads=threads)
        assert rows(tmp_path / str(threads)).equals(rows(tmp_path / "1"))
    coarse = {"relative": 0.02, "max_replicates": 60_000}
    run(small(precision=coarse), tmp_path / "r")
    assert not rows(tmp_path / "r").equals(rows(tmp_path / "1"))
    more = run(small(), tmp_path / "r")
    assert more.reused > 0 and rows(tmp_path / "r").equals(rows(tmp_path / "1"))
    assert run(small(), tmp_path / "r").computed == 0


def test_a_penalty_does_not_depend_on_its_company(tmp_path):
    """A fixed number of replicates: stopping would depend on the company."""
    few = {"relative": 0.0, "max_replicates": 4096}
    run(small(estimators={"ridge": [0.1, 0.3, 1.0, 2.0]}, precision=few), tmp_path / "a")
    run(small(estimators={"ridge": 0.3}, precision=few), tmp_path / "b")
    a, b = frame(tmp_path / "a"), frame(tmp_path / "b")
    np.testing.assert_array_equal(a[a.penalty == 0.3]["mean"], b["mean"])


def test_brain_moments_are_written(simulated):
    moments = open_results(simulated / "brain.arrow").to_pandas()
    assert set(moments.source) == {"pilot", "run"} and set(moments.n_brain) == {40, 120}
    overlap = moments[moments.moment == "overlap"]
    assert overlap["mean"].between(0, 1).all() and (overlap.mcse > 0).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model__inputs": "student:5"}, "inputs 'student:5' are not Gaussian; use raw"),
        ({"model__covariance": "powerlaw:1.0"}, "exact_task_stage = false simulates"),
        ({"model__latents": "tanh"}, "not linear"),
        ({"estimators": {"ridge": "loo"}}, "chooses on whole data sets"),
        ({"estimators": {"ridge": "gcv"}}, "chooses on whole data sets"),
        ({"estimators": {"two-penalty:0.1": 0.3}}, "penalises inside the subspace"),
        ({"estimators": {"ridge": -0.1}}, "negative penalty"),
        ({"shifts": ["adversarial:0.5"]}, "is not a second moment"),
    ],
)
def test_asking_for_spectral_where_it_is_wrong_says_why(changes, reason):
    wrong = study(**changes)
    with pytest.raises(InputError, match=reason):
        engine_for(wrong)
    engine, why = engine_for(wrong.with_options(engine="auto"))
    assert engine in ("sufficient", "raw") and reason.split(";")[0] in why


def test_auto_picks_the_fastest_exact_engine():
    auto = {"engine": {"kind": "auto"}}
    assert engine_for(study(**auto))[0] == "spectral"
    assert engine_for(study(**auto, model__covariance="powerlaw:1.0"))[0] == "sufficient"
    assert engine_for(study(**auto, estimators={"ridge": "loo"}))[0] == "raw"


def test_law_false_has_no_meaning_for_engine_law():
    with pytest.raises(InputError, match="exact_task_stage = false"):
        study(engine={"kind": "law", "exact_task_stage": False})
    with pytest.raises(InputError, match="exact_task_stage = false"):
        mb.simulate(
            mb.Model(input_dim=4, latent_dim=1, n_channels=2),
            9,
            engine="law",
            exact_task_stage=False,
        )


def test_a_task_problem_has_two_blocks_at_least_and_so_an_error_bar():
    model = mb.Model(input_dim=20, latent_dim=2, n_channels=10, misalignment=0.1)
    asked = {"estimators": {"ridge": 0.3}, "precision": 0, "max_replicates": 10}
    table = mb.simulate(model, 40, engine="spectral", exact_task_stage=False, seed=1, **asked)
    (row,) = table.to_pylist()
    assert row["replicates"] > 0
    assert row["mcse"] > 0
    assert row["mean"] == pytest.approx(row["predicted"], rel=0.05)
