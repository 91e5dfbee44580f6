"""Inputs that a user's function draws."""

import pickle

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import load_study, reload_study
from mcbrain.blocks.problem import RawProblem
from mcbrain.errors import InputError
from mcbrain.plugins.loading import load_file, read_file
from mcbrain.population.own_inputs import OwnInputs
from mcbrain.results.tables import open_results
from mcbrain.running.computing import compute
from mcbrain.running.plugin_check import check_file
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from tests.plugins.test_commands import ROOT
from tests.support.own_plugins import PYTHON, RIDGE, study, write

NORMAL = """
@mb.inputs
def plain(rng, parameters, X):
    X[:] = rng.standard_normal(X.shape)
"""

TWO_POINT = """
@mb.inputs(parameters={"share": 0.5, "unused": 1.0})
def lumps(rng, parameters, X):
    s = parameters.share
    X[:] = np.where(rng.random(X.shape) < s, -np.sqrt((1 - s) / s), np.sqrt(s / (1 - s)))
"""

COVARIANCE = {"covariance": "powerlaw:0.7"}


def brought(folder, *texts):
    return load_file(read_file(write(folder, *texts), "mine.py"))


@pytest.mark.parametrize("n_task", [5, 20])  # fewer and more samples than inputs
def test_rows_are_those_of_numpy_on_the_data_sets(tmp_path, n_task):
    """Ridge and BEFS on mb.replicates: the means of the engine, whose kernels take the same."""
    (lumps,) = brought(tmp_path, TWO_POINT)
    model = mb.Model(input_dim=9, latent_dim=3, n_channels=5, inputs=lumps, **COVARIANCE)
    asked = {"ridge": 0.2, "befs": 0.2}
    limits = {"precision": 0.0, "max_replicates": 60, "seed": 5}
    table = mb.simulate(model, n_task, 12, asked, **limits)
    assert set(table["prediction"].to_pylist()) == {"none"}
    scale, excess = np.sqrt(model.input_variances), []
    for data in mb.replicates(model, n_task, 12, count=table["replicates"][0].as_py(), seed=5):
        assert np.unique(np.abs(data.X / scale).round(9)).tolist() == [1.0]
        P = data.basis.T @ data.basis
        each = []
        for Omega in (np.eye(9), np.eye(9) - P):
            gram = data.X.T @ data.X + n_task * 0.2 * Omega
            delta = np.linalg.solve(gram, data.X.T @ data.y) - data.beta
            each.append(float(np.sum((scale * delta) ** 2)))
        excess.append(each)
    assert np.mean(excess, axis=0) == pytest.approx(table["mean"].to_pylist(), rel=1e-9)


@pytest.mark.long
def test_plugins_of_every_kind_see_the_same_inputs(tmp_path):
    """A ridge that is compiled, one in Python and mcbrain's own: one risk."""
    write(tmp_path, NORMAL, RIDGE, PYTHON)
    asked = {"ridge": 0.1, "own_ridge": {}, "python_ridge": {}}
    table = compute(study(tmp_path, asked, model={"inputs": "plain"})).table
    found = table["mean"].to_pylist()
    assert found[1:] == pytest.approx([found[0]] * 2, rel=1e-10)
    assert table["inputs"].to_pylist() == ["plain"] * 3


def test_one_thread_and_two_and_a_resumed_run_have_the_same_bits(tmp_path):
    write(tmp_path, TWO_POINT)
    asked, model = {"ridge": 0.1, "befs": 0.1}, {"inputs": ["lumps:0.3", "gaussian"]}
    whole = study(tmp_path, asked, model=model)
    one = compute(whole, threads=1).table.drop_columns(["seconds"])
    assert one.equals(compute(whole, threads=2).table.drop_columns(["seconds"]))
    run(study(tmp_path, asked, model=model, precision={"max_replicates": 1}), tmp_path / "out")
    run(whole, tmp_path / "out")
    assert open_results(tmp_path / "out").drop_columns(["seconds"]).equals(one)
    assert set(one["inputs"].to_pylist()) == {"lumps:0.3,1", "gaussian"}


def test_streams_hang_on_name_and_parameters_and_blocks_on_the_text_too(tmp_path):
    (one,), (other,) = brought(tmp_path, TWO_POINT), brought(tmp_path, TWO_POINT, "# changed\n")
    models = [
        mb.Model(input_dim=4, latent_dim=1, n_channels=2, inputs=OwnInputs(plugin, (share, 1.0)))
        for plugin, share in ((one, 0.5), (other, 0.5), (one, 0.4))
    ]
    same, changed, moved = (RawProblem.of(model, 8, 8, 0) for model in models)
    assert same.words == changed.words != moved.words
    assert len({same.key, changed.key, moved.key}) == 3
    assert pickle.loads(pickle.dumps(same)) == same != changed


def test_a_changed_function_is_never_mixed_with_its_former_self(tmp_path):
    asked, out = {"ridge": 0.1}, tmp_path / "out"
    write(tmp_path, NORMAL)
    run(study(tmp_path, asked, model={"inputs": "plain"}), out)
    first = open_results(out)
    write(tmp_path, NORMAL.replace("= rng", "= -rng"))
    run(study(tmp_path, asked, model={"inputs": "plain"}), out)
    second = open_results(out)
    assert first["mean"] != second["mean"] and first["replicates"] == second["replicates"]


def test_replay_and_recipe_draw_the_same_data(tmp_path, monkeypatch):
    write(tmp_path, TWO_POINT)
    out = tmp_path / "out"
    run(study(tmp_path, {"ridge": 0.1}, model={"inputs": "lumps:0.3", **COVARIANCE}), out)
    assert isinstance(reload_study(out / "study.toml").models[0].inputs, OwnInputs)
    with pytest.raises(InputError, match=r"mine.py, line 5: the inputs 'lumps:0.3,1'.*--plugins"):
        replay(out, 0, 2)
    again = replay(out, 0, 2, plugins=True)
    monkeypatch.chdir(out)
    drawn = {}
    exec(again.recipe, drawn)
    for name, values in again.data.items():
        assert np.array_equal(drawn[name], values), name
    delta = np.linalg.solve(
        drawn["X"].T @ drawn["X"] + 20 * 0.1 * np.eye(9), drawn["X"].T @ drawn["y"]
    )
    excess = np.sum((drawn["scale"] * (delta - drawn["beta"])) ** 2)
    assert again.rows[0]["excess"] == pytest.approx(excess, rel=1e-9)


@pytest.mark.parametrize(
    ("inputs", "more", "said"),
    [
        ("lump:0.3", {}, "inputs = 'lump:0.3'"),
        ("lumps:a", {}, "inputs = 'lumps:a': the form is lumps:SHARE,UNUSED"),
        ("lumps:0.1,2,3", {}, "the form is lumps:SHARE,UNUSED"),
        ("lumps:0.3", {"labels": "sign"}, "not known for inputs of a plug-in"),
    ],
)
def test_what_has_no_meaning_is_a_sentence(tmp_path, inputs, more, said):
    write(tmp_path, TWO_POINT)
    with pytest.raises(InputError) as error:
        study(tmp_path, {"ridge": 0.1}, model={"inputs": inputs, **more})
    assert said in str(error.value), str(error.value)


def test_another_engine_is_refused(tmp_path):
    write(tmp_path, TWO_POINT)
    asked = study(
        tmp_path, {"ridge": 0.1}, model={"inputs": "lumps"}, engine={"kind": "sufficient"}
    )
    with pytest.raises(InputError, match=r"inputs 'lumps:0.5,1' are not Gaussian; use raw"):
        compute(asked)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("X[0] = 0.0", "line 6: inputs 'bad': 171 of the 180 numbers"),
        ("raise ValueError('no')", "line 8: inputs 'bad': ValueError: no"),
    ],
)
def test_a_function_that_fails_stops_the_run_with_its_line(tmp_path, body, said):
    write(tmp_path, f"\n\n@mb.inputs\ndef bad(rng, parameters, X):\n    {body}\n")
    with pytest.raises(InputError) as error:
        compute(study(tmp_path, {"ridge": 0.1}, model={"inputs": "bad"}))
    assert said in str(error.value), str(error.value)


def test_a_check_finds_inputs_of_another_mean_or_covariance(tmp_path):
    """The z-tests fail good inputs once in a million times; the seed is fixed."""
    for change, moment in (("+ 0.1", "E x"), ("* 1.1", "E x")):
        text = NORMAL.replace("(X.shape)", f"(X.shape) {change}")
        (bad,) = [f.sentence for f in check_file(write(tmp_path, text)) if not f.good]
        assert "mean 0 and covariance I" in bad and moment in bad
    assert all(found.good for found in check_file(write(tmp_path, TWO_POINT)))


@pytest.mark.long
def test_the_shipped_mixture_has_its_moments_and_its_study_runs():
    folder = ROOT / "data" / "plugins"
    (mixture,) = load_file(read_file(folder / "mixture.py", "mixture.py"))
    X = OwnInputs(mixture, (0.05,)).drawn(np.random.default_rng(0), 200_000, 3)
    # The largest standard error is that of E x1^2, below 0.01: a false alarm has 5 of them.
    assert np.abs(X.mean(axis=0)).max() < 0.02
    assert np.abs(X.T @ X / len(X) - np.eye(3)).max() < 0.05
    assert np.mean(X[:, 0] < -2.0) == pytest.approx(0.05, abs=0.005)
    settings = ["precision.relative=0.3", "design.n_task=[15]"]
    table = compute(load_study(folder / "mixture.toml", settings, plugins=True)).table
    assert set(table["status"].to_pylist()) == {"ok"}
    predicted = dict(zip(table["inputs"].to_pylist(), table["prediction"].to_pylist(), strict=True))
    assert predicted["mixture:0.05"] == "none" != predicted["gaussian"]
