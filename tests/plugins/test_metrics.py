"""Metrics beside plug-ins: columns, and what a metric may give."""

import numpy as np
import pytest

from mcbrain.blocks.series import Series, jackknife
from mcbrain.errors import InputError
from mcbrain.results.printing import print_results
from mcbrain.running.computing import compute
from mcbrain.running.runner import run
from tests.support.own_plugins import BEFS, PYTHON, RIDGE, study, write

SHIFTS = ["id", "brain-insensitive:2", "mean:2:brain", "brain-insensitive:4"]
SIGNS = {"model": {"labels": "sign"}, "shifts": SHIFTS, "metrics": {"error_rate": {}}}


def test_risks_of_a_python_plugin_stay_those_of_ridge_beside_a_metric(tmp_path):
    write(tmp_path, RIDGE, PYTHON)
    asked = {"ridge": 0.1, "own_ridge": {}, "python_ridge": {}}
    table = compute(study(tmp_path, asked, **SIGNS), threads=1).table.to_pylist()
    found = {(row["estimator"], row["shift"]): row for row in table}
    for shift in SHIFTS:
        ridge, own, python = (found[name, shift] for name in asked)
        for other in (own, python):
            for column in ("mean", "mcse", "sd", "median"):
                np.testing.assert_allclose(other[column], ridge[column], rtol=1e-10)
        if shift != "mean:2:brain":
            assert own["error_rate"] == pytest.approx(ridge["error_rate"], rel=1e-10)
        assert python["error_rate"] is None


def test_the_best_encoder_of_a_plugin_is_known_to_nobody(tmp_path):
    write(tmp_path, BEFS, RIDGE)
    encoding = {"penalty": [0.1, "optimal"]}
    study(tmp_path, {"befs": 0.1, "own_ridge": {}}, encoding=encoding)
    said = (
        r"penalty = 'optimal': mine.py, line 5: estimator 'own_befs' reads the subspace, and no l"
    )
    with pytest.raises(InputError, match=said):
        study(tmp_path, {"befs": 0.1, "own_befs": {}}, encoding=encoding)


def test_metrics_are_shown(tmp_path, capsys):
    write(tmp_path, METRIC.format("own", "return 2.5"))
    asked = {**SIGNS, "metrics": {"error_rate": {}, "own": {}}}
    run(study(tmp_path, {"ridge": 0.1}, **asked), tmp_path / "out", threads=1)
    print_results(tmp_path / "out")
    head, first, *_ = capsys.readouterr().out.splitlines()
    names = head.split()
    assert names[names.index("mcse") + 1 :][:4] == [
        "error_rate",
        "error_rate_mcse",
        "own",
        "own_mcse",
    ]
    assert first.split()[names.index("own")] == "2.5"


METRIC = """
@mb.metric(name="{}")
def measured(beta_hat, population, test):
    {}
"""


@pytest.mark.parametrize("name", ["mean", "estimator", "input_dim"])
def test_a_metric_with_the_name_of_a_column_is_refused(tmp_path, name):
    write(tmp_path, METRIC.format(name, "return 1.0"))
    asked = study(tmp_path, {"ridge": 0.1}, metrics={name: {}})
    said = rf"mine.py, line 5: metric '{name}': results have a column '{name}' already"
    with pytest.raises(InputError, match=said):
        compute(asked)
    with pytest.raises(InputError, match=said):
        run(asked, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_columns_of_two_metrics_may_not_meet(tmp_path):
    write(tmp_path, METRIC.format("error_rate_mcse", "return 1.0"))
    asked = {"error_rate": {}, "error_rate_mcse": {}}
    with pytest.raises(InputError, match="have a column 'error_rate_mcse' already"):
        compute(study(tmp_path, {"ridge": 0.1}, model={"labels": "sign"}, metrics=asked))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return np.inf if beta_hat[0] > 0 else 1.0", r"line 5: metric 'own' gave inf; a number"),
        ("return np.nan", r"metric 'own' gave nan; a number below 1e\+100 in size is allowed"),
        ("raise SystemExit(3)", r"line 7: metric 'own': SystemExit: 3"),
        ("test.X[:] = 0.0", r"line 7: metric 'own': ValueError: assignment destination is read"),
        ("population.beta[0] = 0.0", r"line 7: metric 'own': ValueError: assignment destinat"),
    ],
)
def test_what_a_metric_may_not_do_is_a_sentence(tmp_path, body, said):
    write(tmp_path, METRIC.format("own", body))
    with pytest.raises(InputError, match=said):
        compute(study(tmp_path, {"ridge": 0.1}, metrics={"own": {}}), threads=1)


@pytest.mark.parametrize("option", ["parameters={'c': 1.0}", "cost=1.0"])
def test_a_metric_takes_no_parameters(tmp_path, option):
    write(tmp_path, METRIC.format("own", "return 1.0").replace("metric(", f"metric({option}, "))
    with pytest.raises(InputError, match=r"mine.py, line 5: .*: a metric (takes none|has none)"):
        study(tmp_path, {"ridge": 0.1}, metrics={"own": {}})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1j * np.zeros(9)", "coefficients are complex; real numbers are allowed"),
        ("raise SystemExit(3)", "line 7: .* failed on each of .*: SystemExit: 3"),
    ],
)
def test_what_a_python_estimator_may_not_do_is_a_sentence(tmp_path, body, said):
    text = f"@mb.estimator(compiled=False)\n\ndef own(data, parameters):\n    {body}\n"
    write(tmp_path, text)
    with pytest.raises(InputError, match=said):
        compute(study(tmp_path, {"ridge": 0.1, "own": {}}), threads=1)


def test_a_field_that_data_lack_and_a_file_that_ends_are_sentences(tmp_path):
    write(tmp_path, "@mb.estimator\ndef own(data, parameters, beta):\n    beta[:] = data.Z[0]\n")
    with pytest.raises(InputError, match=r"Unknown attribute 'Z' of data, which has X, y, X_brain"):
        compute(study(tmp_path, {"own": {}}), threads=1)
    write(tmp_path, "raise SystemExit(4)\n")
    with pytest.raises(InputError, match=r"mine.py, line 4: SystemExit: 4"):
        study(tmp_path, {"ridge": 0.1})


def test_totals_and_errors_of_numbers_too_large_to_square_are_no_constants():
    count, m2 = np.full((1, 4), 8.0), np.full((1, 4), np.inf)
    mean = np.array([[1e170, 2e170, 1e170, 3e170]])
    series = Series(np.full(4, 8), count, mean, m2, np.zeros((1, 4)), np.zeros(4))
    assert series.totals()[2][0] == np.inf
    assert np.isnan(jackknife([np.inf, 1.0, 2.0]))
