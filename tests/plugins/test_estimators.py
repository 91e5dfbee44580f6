"""Estimators that a user brings: on the engine's own data, judged by its own kernel."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.blocks.problem import RawProblem
from mcbrain.engines.raw import bench
from mcbrain.errors import InputError
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.results.failures import failures
from mcbrain.results.point_rows import PointRows
from mcbrain.results.tables import open_results
from mcbrain.running.computing import compute
from mcbrain.running.data_sets import replicates
from mcbrain.running.merging import merge
from mcbrain.running.outcome import Reporter
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.memory import MemoryStore
from tests.support.own_plugins import BEFS, FAILING, PROBES, PYTHON, RIDGE, study, write

NUMBERS = ["mean", "mcse", "sd", "q05", "median", "q95", "gain", "gain_mcse", "p_better"]
ROOT = Path(__file__).parents[2]
SHIFTS = ["id", "brain-insensitive:4", "mean:2:brain", "concept:0.3:orthogonal"]


def rows(table, estimator):
    found = [row for row in table.to_pylist() if row["estimator"] == estimator]
    assert found
    return found


def assert_same(found, expected, rtol=1e-10):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one["shift"] == other["shift"]
        for name in NUMBERS:
            np.testing.assert_allclose(
                np.array(one[name], float), np.array(other[name], float), rtol=rtol, err_msg=name
            )


CASES = {
    "many": {},
    "few": {"design": {"n_task": [7], "n_brain": [6]}},
    "encoder": {"encoding": {"penalty": 0.3}},
    "encoders": {"encoding": {"rank": [2, 3], "penalty": ["gcv", 0.3]}},
    "student": {"model": {"inputs": "student:9", "latents": "tanh"}},
    "anisotropic": {"model": {"covariance": "powerlaw:1.0", "basis": "axes"}},
    "no brain": {"design": {"n_task": [20], "n_brain": [0]}},
}


@pytest.mark.parametrize("case", CASES)
def test_plugins_that_are_ridge_and_befs_have_their_rows(tmp_path, case):
    write(tmp_path, RIDGE, BEFS)
    table = {"alpha": [0.1, 0.4]}
    asked = {"ols": 0.0, "ridge": [0.1, 0.4], "befs": [0.1, 0.4]}
    asked |= {"own_ridge": table, "own_befs": table}
    found = compute(study(tmp_path, asked, shifts=SHIFTS, **CASES[case]), threads=1).table
    assert_same(rows(found, "own_ridge"), rows(found, "ridge"))
    assert_same(rows(found, "own_befs"), rows(found, "befs"))
    own = rows(found, "own_befs")[0]
    assert own["parameters"] == "{ alpha = 0.1 }" and own["penalty"] is None
    assert own["prediction"] == "none" and own["engine"] == "raw"
    assert own["rank"] == rows(found, "befs")[0]["rank"]
    assert rows(found, "own_ridge")[0]["rank"] is None
    assert rows(found, "ridge")[0]["parameters"] is None


def test_a_plugin_of_given_coordinates_has_its_ridge_rows_too(tmp_path):
    """Inputs of rank 5 in 6 coordinates: ridge of the plug-in penalises those of the user."""
    rng = np.random.default_rng(3)
    features = rng.standard_normal((40, 5)) @ rng.standard_normal((5, 6))
    np.save(tmp_path / "features.npy", features)
    write(tmp_path, RIDGE)
    asked = {"ridge": 0.2, "own_ridge": {"alpha": 0.2}}
    model = {"input_dim": 6, "covariance": "file:features.npy"}
    found = compute(study(tmp_path, asked, model=model, shifts=SHIFTS), threads=1).table
    assert_same(rows(found, "own_ridge"), rows(found, "ridge"), rtol=1e-9)


def excess_of(asked, point, count):
    """Excess risk of each output on the first replicates."""
    store = MemoryStore()
    plan = PointRows(asked, "raw", Penalties(asked, PilotSubspaces(asked, store), store))
    queries = tuple(plan.queries(point))
    problem = RawProblem.of(point.model, point.n_task, point.n_brain, asked.seed)
    return bench(problem, queries, count).replicates(0)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("n_brain", [40, 7])
def test_a_plugin_sees_the_data_of_replicates(tmp_path, turned, n_brain):
    write(tmp_path, PROBES)
    names = ["inputs", "labels", "brain", "recordings", "basis"]
    model = {}
    if turned:
        rng = np.random.default_rng(5)
        np.save(tmp_path / "features.npy", rng.standard_normal((30, 9)) @ np.diag(range(1, 10)))
        model = {"covariance": "file:features.npy"}
    asked = study(
        tmp_path,
        {f"{name}_probe": {} for name in names},
        model=model,
        design={"n_task": [12], "n_brain": [n_brain]},
    )
    point = asked.numbered(0)
    excess, failed, _ = excess_of(asked, point, 6)
    assert not failed.any()
    drawn = replicates(point.model, 12, n_brain, count=6, seed=3)
    covariance = np.eye(9)
    if turned:
        spectrum = point.model.input_covariance
        covariance = (spectrum.axes.T * point.model.input_variances) @ spectrum.axes
    for one, found in zip(drawn, excess, strict=True):
        recordings = np.concatenate([one.R[-1], np.zeros(4)])
        basis = one.basis.T @ one.basis[:, 0]
        expected = [one.X[-1], one.y[-9:], one.X_brain[-1], recordings, basis]
        delta = np.array(expected) - one.beta
        np.testing.assert_allclose(found, np.einsum("ij,jk,ik->i", delta, covariance, delta))


def test_a_plugin_cannot_change_the_data(tmp_path):
    write(tmp_path, RIDGE.replace("    G =", "    data.X[0, 0] = 1.0\n    G ="))
    with pytest.raises(InputError, match=r"mine.py, line 7: estimator 'own_ridge' cannot be comp"):
        compute(study(tmp_path, {"own_ridge": {}}), threads=1)


def test_gains_of_a_plugin_are_paired_with_the_baseline(tmp_path):
    write(tmp_path, RIDGE)
    asked = study(tmp_path, {"ridge": "optimal", "own_ridge": {"alpha": 0.7}})
    found = compute(asked, threads=1).table
    own, base = rows(found, "own_ridge")[0], rows(found, "ridge")[0]
    other = study(tmp_path, {"ridge": ["optimal", 0.7]})
    expected = rows(compute(other.with_options(engine="raw"), threads=1).table, "ridge")[1]
    assert base["gain"] == 1.0
    for name in NUMBERS:
        np.testing.assert_allclose(own[name], expected[name], rtol=1e-10)


def test_bits_are_those_of_any_threads_shards_and_resumption(tmp_path):
    write(tmp_path, RIDGE, BEFS, PYTHON)
    asked = {"ridge": "optimal", "own_befs": {"alpha": [0.1, 1.0]}, "own_ridge": {}}
    asked["python_ridge"] = {"alpha": [0.1, 0.2]}
    sections = {"design": {"n_task": [7, 20], "n_brain": [30]}}
    whole = study(tmp_path, asked, **sections)
    run(whole, tmp_path / "one", threads=1)
    table = read(tmp_path / "one")
    run(whole, tmp_path / "two", threads=2)
    assert read(tmp_path / "two").equals(table)
    for number in (1, 2):
        run(whole, tmp_path / f"s{number}", shard=f"{number}/2", threads=1)
    merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "merged")
    assert read(tmp_path / "merged").equals(table)
    fewer = study(tmp_path, {"ridge": "optimal", "own_ridge": {}}, **sections)
    run(fewer, tmp_path / "grown", threads=1)
    run(whole, tmp_path / "grown", threads=1)  # plug-ins are added to a finished study
    assert read(tmp_path / "grown").equals(table)
    own = [row for row in table.to_pylist() if row["parameters"] == "{ alpha = 0.1 }"]
    ridge = [row["mean"] for row in own if row["estimator"] == "own_ridge"]
    again = [row["mean"] for row in own if row["estimator"] == "python_ridge"]
    np.testing.assert_allclose(again, ridge, rtol=1e-12)


def read(folder):
    return open_results(folder).drop_columns(["seconds"])


def test_a_changed_file_costs_its_own_rows_alone_and_is_said(tmp_path):
    write(tmp_path, RIDGE)
    asked = {"ridge": "optimal", "own_ridge": {}}
    first = run(study(tmp_path, asked), tmp_path / "out", threads=1)
    assert (tmp_path / "out" / "plugins" / "mine.py").read_text() == (
        tmp_path / "mine.py"
    ).read_text()
    assert run(study(tmp_path, asked), tmp_path / "out", threads=1).computed == 0
    before = read(tmp_path / "out")
    write(tmp_path, RIDGE.replace("data.n * ", "2 * data.n * "))
    notes = []

    class Notes(Reporter):
        def note(self, sentence):
            notes.append(sentence)

    second = run(study(tmp_path, asked), tmp_path / "out", threads=1, reporter=Notes())
    assert second.computed == first.computed > 0
    assert any("mine.py has changed since the last run" in note for note in notes)
    after = read(tmp_path / "out")
    for one, other in zip(before.to_pylist(), after.to_pylist(), strict=True):
        assert (one == other) == (one["estimator"] == "ridge")
    assert list((tmp_path / "out" / "plugins").glob("mine-*.py"))  # the former text


def test_failures_have_their_line_and_the_baseline_its_replicates(tmp_path):
    write(tmp_path, FAILING)
    asked = {"ridge": 0.1, "sometimes": {"limit": 1.0}, "infinite": {}}
    run(study(tmp_path, asked), tmp_path / "out", threads=2)
    found = {row["estimator"]: row for row in read(tmp_path / "out").to_pylist()}
    drawn = found["ridge"]["replicates"]
    assert found["ridge"]["failed"] == 0 and found["ridge"]["status"] == "ok"
    assert 0 < found["sometimes"]["failed"] < drawn / 2 < found["infinite"]["failed"] + drawn / 4
    assert found["sometimes"]["status"] == "failed_replicates"
    why = failures(tmp_path / "out").to_pylist()
    reasons = {row["estimator"]: row["reason"] for row in why}
    assert reasons == {
        "sometimes": 'error at mine.py, line 8: raise ValueError("the first label is too large")',
        "infinite": "not finite",
    }
    first = next(row for row in why if row["estimator"] == "sometimes")
    again = replay(tmp_path / "out", 0, first["replicate"], plugins=True)
    told = {row["estimator"]: row for row in again.rows}
    assert "line 8" in told["sometimes"]["failure"] and np.isnan(told["sometimes"]["excess"])
    assert again.data["y"][0] > 1.0
    assert [r["estimator"] for r in replay(tmp_path / "out", 0, 0).rows] == ["ridge"]


@pytest.mark.parametrize(
    ("estimator", "said"),
    [
        (
            {"sometimes": {"limit": -1e9}},
            r"mine.py, line 8: estimator 'sometimes' with limit = -1000000000.0 failed on each of "
            r"\d+ replicates with n_task = 20, n_brain = 30: ValueError: the first label is too",
        ),
        ({"unwritten": {}}, "estimator 'unwritten' failed on each .* coefficients are not finite"),
    ],
)
def test_a_plugin_that_always_fails_stops_the_run_in_a_sentence(tmp_path, estimator, said):
    write(tmp_path, FAILING)
    with pytest.raises(InputError, match=said):
        run(study(tmp_path, {"ridge": 0.1, **estimator}), tmp_path / "out", threads=1)


def test_nothing_of_a_study_runs_without_trust_nor_when_it_is_shown(tmp_path):
    mine = write(tmp_path, RIDGE)
    asked = {"ridge": 0.1, "own_ridge": {}}
    with pytest.raises(InputError, match=r"runs the code in mine.py \(digest [0-9a-f]{16}\)"):
        study(tmp_path, asked, trust="refuse")
    run(study(tmp_path, asked), tmp_path / "out", threads=1)
    kept = tmp_path / "out" / "plugins" / "mine.py"
    program = (
        "import sys\nfrom mcbrain.cli import main\nimport mcbrain.plugins.loading as loading\n"
        "loading._run = None\n"  # whoever runs a file now fails
        "sys.argv = ['mcbrain', *sys.argv[1:]]\nmain()\n"
    )
    for arguments in (["show"], ["export", "--format", "csv"], ["report"]):
        done = subprocess.run(
            [sys.executable, "-c", program, arguments[0], str(tmp_path / "out"), *arguments[1:]],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    kept.write_text("raise SystemExit\n")
    with pytest.raises(InputError, match="is not the file that was run"):
        ResultsFolder(tmp_path / "out").study()
    mine.unlink()
    with pytest.raises(InputError, match=r"files: mine.py is not there"):
        study(tmp_path, asked)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (0.1, r"a plug-in takes a table of its parameters, such as own_ridge = \{ alpha = 0.1 \}"),
        ("optimal", "takes a table of its parameters"),
        ({"beta": 1.0}, "own_ridge: beta is no parameter of own_ridge"),
        ({"alpha": "large"}, "alpha = 'large': a finite number, a list or"),
        ({"alpha": float("nan")}, "alpha = nan: a finite number"),
        ({"alpha": {"geometric": [0, 1, 3]}}, "starts above 0"),
        ({"alpha": []}, "asks for 0 settings"),
        ({"alpha": [0.1, 0.1]}, "listed twice"),
    ],
)
def test_settings_that_cannot_serve_are_sentences(tmp_path, setting, said):
    write(tmp_path, RIDGE)
    with pytest.raises(InputError, match=said):
        study(tmp_path, {"own_ridge": setting})


def test_other_engines_say_why_they_do_not_serve(tmp_path):
    write(tmp_path, RIDGE)
    with pytest.raises(InputError, match="plug-in 'own_ridge' reads whole data sets; use raw"):
        compute(study(tmp_path, {"own_ridge": {}}, engine={"kind": "sufficient"}))


def test_a_plugin_of_too_few_brain_samples_is_undefined(tmp_path):
    write(tmp_path, RIDGE, BEFS)
    design = {"n_task": [20], "n_brain": [2]}
    asked = study(tmp_path, {"own_befs": {}, "own_ridge": {}}, design=design)
    found = compute(asked, threads=1).table.to_pylist()
    assert [row["status"] for row in found] == ["undefined", "ok"]


def test_objects_are_asked_for_in_python():
    @mb.estimator(parameters={"alpha": 0.1})
    def mine(data, parameters, beta):
        beta[:] = parameters.alpha

    model = mb.Model(input_dim=4, latent_dim=2, n_channels=3)
    options = {"precision": 0, "max_replicates": 20, "threads": 1}
    found = mb.simulate(model, 8, 0, {"ols": 0.0, mine: {"alpha": [0.0, 0.5]}}, **options)
    means = {row["parameters"]: row["mean"] for row in found.to_pylist()}
    assert means["{ alpha = 0.0 }"] == pytest.approx(1.0)  # |beta|^2


def test_a_second_process_compiles_nothing(tmp_path):
    write(tmp_path, RIDGE, BEFS)
    program = (
        "import json, sys\nfrom pathlib import Path\n"
        "from tests.support.own_plugins import study\n"
        "from mcbrain.running.computing import compute\n"
        "asked = {'ridge': 0.1, 'own_ridge': {'alpha': [0.1, 0.2]}, 'own_befs': {}}\n"
        "compute(study(Path(sys.argv[1]), asked), threads=2)\n"
        "from mcbrain.kernels.cache import ACCOUNT\n"
        "print(json.dumps([ACCOUNT.compiled, ACCOUNT.unkept]))\n"
    )
    for attempt in range(2):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        if attempt:
            assert json.loads(done.stdout.splitlines()[-1]) == [0, ""]
