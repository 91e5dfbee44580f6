"""The commands of what brain data is worth say what the functions say, and refuse in a sentence."""

import json
import re

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.results.view import Results
from mcbrain.running.runner import run
from mcbrain.worth.purchases import purchase_in_results

SMALL = ["--input-dim", "20", "--latent-dim", "2", "--n-channels", "10", "--misalignment", "0.1"]
MODEL = {"input_dim": 20, "latent_dim": 2, "n_channels": 10, "misalignment": 0.1}


def number(text, name):
    """The number behind a name in a table of names and numbers."""
    return float(re.search(rf"{re.escape(name)}\s+([-\d.,]+)", text)[1].replace(",", ""))


def test_without_a_command_the_help_is_printed(mcbrain):
    status, out, err = mcbrain()
    assert (status, err) == (0, "")
    assert len(out.splitlines()) > 15
    assert "appraise" in out


def test_value_prints_what_the_function_returns(mcbrain):
    status, out, _ = mcbrain("value", "--n-task", 60, "--n-brain", 300, *SMALL)
    found = mb.value(mb.Model(**MODEL), n_task=60, n_brain=300)
    assert status == 0
    assert number(out, "value (task samples)") == pytest.approx(found.task_samples, rel=1e-3)
    assert number(out, "exchange rate") == pytest.approx(found.exchange_rate, rel=1e-3)


def test_budget_prints_what_the_function_returns(mcbrain):
    prices = {"budget": 500.0, "cost_task": 1.0, "cost_brain": 0.01}
    status, out, _ = mcbrain("budget", "--budget", 500, "--cost-brain", 0.01, *SMALL)
    found = mb.allocate(mb.Model(**MODEL), **prices)
    assert status == 0
    assert ("not worth" not in out) == found.worth_collecting
    assert number(out, "brain samples") == found.n_brain
    assert number(out, "excess risk") == pytest.approx(found.risk, rel=1e-3)


def test_a_risk_over_the_norm_of_beta_says_so_and_columns_are_aligned(mcbrain):
    """Five times the norm at five times the noises is the same problem, in another unit."""
    asked = ["--n-task", 50, "--n-brain", 100]
    plain = mcbrain("value", *SMALL, *asked, "--task-noise", 0.5)[1]
    larger = mcbrain("value", *SMALL, *asked, "--task-noise", 2.5, "--signal-norm", 5)[1]
    for name in ("BEFS", "tuned ridge"):
        risk = number(plain, f"excess risk of {name}")
        assert number(larger, f"excess risk of {name} / |β|²") == pytest.approx(risk, rel=1e-3)
    assert len({len(line) for line in plain.splitlines()[2:11]}) == 1
    bought = mcbrain("budget", *SMALL, "--budget", 400, "--signal-norm", 5)[1]
    assert "excess risk / |β|²" in bought


def test_value_and_budget_of_a_results_folder_are_those_of_its_cells(mcbrain, tmp_path):
    study = study_from_table(
        {
            "name": "bought",
            "seed": 3,
            "model": MODEL,
            "design": {"n_task": [25, 100], "n_brain": [10, 200]},
            "estimators": {"ridge": "optimal", "befs": "optimal"},
            "precision": {"relative": 0.05, "max_replicates": 5000},
        }
    )
    run(study, tmp_path, threads=1)
    status, out, _ = mcbrain("budget", tmp_path, "--budget", 50, "--cost-brain", 0.1)
    found = purchase_in_results(Results(tmp_path), 0, 50, 1.0, 0.1)
    assert status == 0
    assert out.splitlines()[-1].split()[:3] == ["0.1", "25", "200"]
    assert (found.n_task, found.n_brain) == (25, 200)
    assert found.verdict in out.splitlines()[-1]
    status, out, _ = mcbrain("value", tmp_path, "--n-task", 25, "--n-brain", 200)
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [["0.1", "25", "200"]]
    status, out, err = mcbrain("value", tmp_path, "--n-task", 26)
    assert (status, out) == (2, "")
    assert "hold 25, 100" in err
    status, out, err = mcbrain("value", tmp_path, "--simulate")
    assert (status, out) == (2, "")
    assert "simulated already" in err
    status, out, err = mcbrain("value", tmp_path, "--input-dim", 30)
    assert (status, out) == (2, "")
    assert err.startswith("mcbrain: --input-dim: the model is that of the results")
    status, out, err = mcbrain("budget", tmp_path, "--budget", 50, "--max-repeats", 3)
    assert (status, out) == (2, "")
    assert "holds no repeats" in err
    status, out, err = mcbrain("budget", tmp_path, "--budget", 5, "--cost-brain", 0.1)
    assert (status, out) == (2, "")
    assert "the cheapest of which costs 26" in err


def test_models_of_a_folder_that_differ_beside_misalignment_are_told_apart(mcbrain, tmp_path):
    """Of the three, two have brain samples; the third has no best purchase to look for."""
    study = study_from_table(
        {
            "name": "apart",
            "model": MODEL | {"misalignment": 0.1, "neural_noise": [1.0, 2.0, 3.0]},
            "design": {
                "n_task": [25, 100],
                "n_brain": [0, 200],
                "where": "n_brain == 0 or neural_noise < 3",
            },
            "estimators": {"ridge": "optimal", "befs": "optimal"},
            "precision": {"relative": 0.1},
        }
    )
    run(study, tmp_path, threads=1)
    for command in (("value", tmp_path, "--n-task", 25), ("budget", tmp_path, "--budget", 1200)):
        status, out, _ = mcbrain(*command)
        rows = [line.split()[:4] for line in out.splitlines() if line.startswith("σ_r")]
        assert status == 0 and rows == [["σ_r", "=", "1", "0.1"], ["σ_r", "=", "2", "0.1"]]
        found = json.loads(mcbrain(*command, "--json")[1])
        assert [one["model"]["neural_noise"] for one in found] == [1.0, 2.0]


def test_a_folder_without_brain_samples_has_neither_value_nor_purchase(mcbrain, tmp_path):
    table = {"name": "none", "model": MODEL, "design": {"n_task": [25, 100], "n_brain": 0}}
    estimators = {"ridge": "optimal", "befs": "optimal"}
    asked = study_from_table(table | {"estimators": estimators, "engine": {"kind": "spectral"}})
    run(asked, tmp_path, threads=1)
    for command in (("value", tmp_path), ("budget", tmp_path, "--budget", 1200)):
        status, out, err = mcbrain(*command)
        assert (status, out) == (2, "")
        assert "as the rank or more" in err and "add some to [design]" in err


def test_gains_and_loadings_are_read_as_a_number_or_one_per_latent(mcbrain):
    options = [*SMALL, "--latent-gains", "2,0.5", "--task-loadings", "[1, 0.2]"]
    status, out, _ = mcbrain("value", "--n-task", 60, "--n-brain", 300, *options)
    model = mb.Model(**MODEL, latent_gains=[2.0, 0.5], task_loadings=[1.0, 0.2])
    found = mb.value(model, n_task=60, n_brain=300)
    assert status == 0
    assert number(out, "value (task samples)") == pytest.approx(found.task_samples, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("budget", "--budget", "-5"), "budget"),
        (("budget", "--budget", "100", "--cost-brain", "0"), "cost_brain"),
        (("budget", "--budget", "1e300"), "buys more than 1e+12 samples at cost_task = 1"),
        (("value", "--n-task", "0"), "n_task"),
        (("value", "--n-task", "9" * 20), "from 1 to 1000000000000"),
        (("value", "--baseline", "lasso"), "lasso"),
        (("value", "--misalignment", "2"), "misalignment"),
        (("value", "--latent-gains", "1,x"), "--latent-gains"),
        (("value", "--precision", "0.1"), "--precision: it has a meaning with --simulate alone"),
        (("validate", "--threads", "0"), "threads = 0"),
        (("validate", "--out", __file__), f"a folder is needed, {__file__} is a file"),
        (("validate", "--out", f"{__file__}/sub"), f"a folder is needed, {__file__} is a file"),
        (("value", "no/such/folder"), "no/such/folder"),
        (("report", "no/such/folder"), "no/such/folder"),
        (("run", "first-look", "--max-time", "soon"), "max_time = 'soon'"),
        (("run", "first-look", "--threads", "0"), "threads = 0"),
        (("predict", "--n-task", "50"), "--n-brain"),
        (("predict", "--n-task", "50", "--n-brain", "9", "--estimator", "befs"), "NAME=RULE"),
        (("predict", "--n-task", "50", "--n-brain", "9", "--shift", "scael:2"), "scale"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(mcbrain, arguments, words):
    status, out, err = mcbrain(*arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("mcbrain: ")
    assert words in err
    assert err.count("\n") == 1


def test_laws_in_a_folder_have_no_intervals_and_are_refused(tmp_path, capsys, monkeypatch):
    """A folder of engine law holds no replicates, so that its values would look certain."""
    from mcbrain import cli
    from mcbrain.running.runner import run

    table = {
        "name": "laws",
        "seed": 1,
        "model": {"input_dim": 12, "latent_dim": 2, "n_channels": 6},
        "design": {"n_task": [20, 40], "n_brain": [60]},
        "estimators": {"ridge": "optimal", "befs": "optimal"},
        "engine": {"kind": "law"},
    }
    run(study_from_table(table), tmp_path / "laws")
    for command in (["value"], ["budget", "--budget", "100"]):
        monkeypatch.setattr(
            "sys.argv", ["mcbrain", command[0], str(tmp_path / "laws"), *command[1:]]
        )
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert "nothing was simulated there" in capsys.readouterr().err


def test_the_command_predicts_for_a_file_of_features(mcbrain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("features.npy", np.random.default_rng(1).standard_normal((40, 16)))
    sizes = ["--input-dim", 16, "--latent-dim", 3, "--n-channels", 9]
    asked = ["--n-task", 30, "--n-brain", 60, "--covariance", "file:features.npy"]
    more = ["--task", "source:0.5", "--latent-gains", "powerlaw:0.5", "--brain-map", "random"]
    status, out, _ = mcbrain("predict", *sizes, *asked, *more)
    assert status == 0 and "asymptotic" in out
    status, _, err = mcbrain("predict", *sizes[2:], *asked)
    assert status == 2
    assert err.count("\n") == 1 and "of 16 inputs; input_dim = 200 needs as many" in err
