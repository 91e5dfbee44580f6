"""Answers as JSON, settings beside a study's file, and files of shipped studies."""

import io
import json
import math
import subprocess
import sys

import pyarrow.csv
import pyarrow.parquet
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import load_study, shipped_studies
from mcbrain.asking.settings import merged, settings_table
from mcbrain.cli.json_output import print_json
from mcbrain.errors import InputError
from mcbrain.results.tables import open_results
from mcbrain.running.runner import run

SMALL = ["--input-dim", "20", "--latent-dim", "2", "--n-channels", "10", "--misalignment", "0.1"]
MODEL = mb.Model(input_dim=20, latent_dim=2, n_channels=10, misalignment=0.1)
QUICK = ("engine.kind=spectral", "precision.relative=0.2", "design.n_task=[20, 60]")


def test_numbers_without_a_word_in_json_have_one(capsys):
    print_json({"nan": math.nan, "inf": [math.inf, -math.inf], "one": 1.5, "none": None})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found == {"nan": None, "inf": ["inf", "-inf"], "one": 1.5, "none": None}


def test_encoders_are_options_that_may_be_repeated(mcbrain):
    sizes = (*SMALL, "--n-task", 30, "--n-brain", 60)
    encoders = ("--encoding-penalty", "0.2", "--encoding-penalty", "loo", "--rank", 1, "--rank", 2)
    status, out, _ = mcbrain("predict", *sizes, "--estimator", "befs=0.3", *encoders, "--json")
    rows = json.loads(out)
    found = [(r["rank"], r["encoding_rule"], r["encoding_penalty"]) for r in rows]
    rules = [("fixed", 0.2), ("loo", None)]
    assert (status, found) == (0, [(rank, *rule) for rank in (1, 2) for rule in rules])
    status, out, _ = mcbrain("predict", *sizes, "--estimator", "befs=0.3", *encoders)
    assert out.splitlines()[0].split()[3:7] == ["penalty", "rank", "encoding_rule", "shift"]
    status, _, errors = mcbrain("value", *sizes, "--encoding-penalty", "lou")
    assert status == 2 and "encoding_penalty = 'lou': a number, a list or a rule" in errors


def test_answers_of_laws_are_those_of_the_functions(mcbrain):
    status, out, _ = mcbrain("value", *SMALL, "--n-task", 50, "--n-brain", 200, "--json")
    value = mb.value(MODEL, 50, 200)
    assert status == 0
    assert json.loads(out)[0]["task_samples"] == value.task_samples
    assert json.loads(out)[0]["interval"] == list(value.interval)
    _, out, _ = mcbrain("budget", *SMALL, "--budget", 500, "--json")
    assert json.loads(out)["n_task"] == mb.allocate(MODEL, 500).n_task
    _, out, _ = mcbrain("predict", *SMALL, "--n-task", 50, "--n-brain", 200, "--json")
    table = mb.predict(MODEL, 50, 200)
    assert [row["predicted"] for row in json.loads(out)] == table["predicted"].to_pylist()


def test_answers_of_a_folder_are_its_rows(mcbrain, tmp_path):
    out = tmp_path / "a"
    settings = [word for setting in QUICK for word in ("--set", setting)]
    assert mcbrain("run", "first-look", "--out", out, *settings)[0] == 0
    study = mb.load_study("first-look")
    assert open_results(out)["n_task"].unique().to_pylist() == [20, 60] != list(study.n_task)
    _, said, _ = mcbrain("show", out, "--json", "--where", "estimator=befs")
    rows = json.loads(said)
    assert {row["estimator"] for row in rows} == {"befs"}
    assert rows[0].keys() == set(open_results(out).schema.names)
    _, said, _ = mcbrain("show", out, "--json", "--columns", "mean,mcse", "--where", "n_task=60")
    assert json.loads(said)[0].keys() == {"mean", "mcse"}
    _, said, _ = mcbrain("show", out, "--json", "--where", "failed")
    assert json.loads(said) == []
    _, said, _ = mcbrain("value", out, "--json")
    assert {one["n_task"] for one in json.loads(said)} == {20, 60}
    _, said, _ = mcbrain("budget", out, "--budget", 3000, "--json")
    assert json.loads(said)[0]["purchase"]["cost"] <= 3000


def test_settings_are_toml_and_words_need_no_quotes():
    table = settings_table(
        ["model.covariance=powerlaw:1.0", "model.misalignment = [0.0, 0.2]", "seed=3", "seed=4"]
    )
    assert table == {
        "model": {"covariance": "powerlaw:1.0", "misalignment": [0.0, 0.2]},
        "seed": 4,
    }
    assert settings_table(['estimators."two-penalty:0.1"=0.3']) == {
        "estimators": {"two-penalty:0.1": 0.3}
    }


def test_settings_change_their_own_keys_alone():
    before = {"model": {"a": 1, "b": 2}, "seed": 3}
    assert merged(before, {"model": {"b": 5}}) == {"model": {"a": 1, "b": 5}, "seed": 3}
    assert before == {"model": {"a": 1, "b": 2}, "seed": 3}


def test_what_is_no_setting_is_refused_in_a_sentence(mcbrain, tmp_path):
    for setting in ("foo", "=1", "model.x=", "model..x=1"):
        with pytest.raises(InputError, match="--set"):
            settings_table([setting])
    status, out, err = mcbrain("run", "first-look", "--set", "model.misalignment=0.2")
    assert (status, out) == (2, "")
    assert err.startswith("mcbrain: --set") and "--out" in err and err.count("\n") == 1
    status, _, err = mcbrain("run", "first-look", "--set", "model.x=1", "--out", tmp_path / "b")
    assert status == 2 and "unknown key" in err and not (tmp_path / "b").exists()


def test_a_study_with_settings_says_so_in_its_text():
    study = load_study("first-look", ["model.misalignment=0.2"])
    assert study.models[0].misalignment == 0.2
    assert study.text.endswith("# --set model.misalignment=0.2")


def test_a_shipped_study_is_printed_as_it_is(mcbrain):
    status, out, _ = mcbrain("studies", "first-look")
    assert status == 0 and out == shipped_studies()["first-look"].read_text()
    status, _, err = mcbrain("studies", "first-lok")
    assert status == 2 and "first-look" in err


def test_help_has_a_short_name(mcbrain):
    assert mcbrain("show", "-h")[1] == mcbrain("show", "--help")[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of a small study, as laws alone give them."""
    out = tmp_path_factory.mktemp("answers") / "a"
    settings = ["engine.kind=law"]
    run(load_study("first-look", settings), out)
    return out


def test_results_are_exported_where_one_says(mcbrain, folder, tmp_path):
    status, said, _ = mcbrain("export", folder, "--out", tmp_path / "b" / "rows.csv")
    assert status == 0 and "rows.csv" in said
    assert not (folder / "results.parquet").exists()
    table = pyarrow.csv.read_csv(tmp_path / "b" / "rows.csv")
    assert table["predicted"].to_pylist() == open_results(folder)["predicted"].to_pylist()
    mcbrain("export", folder, "--out", tmp_path / "rows", "--format", "parquet")
    assert pyarrow.parquet.read_table(tmp_path / "rows").num_rows == table.num_rows
    status, _, err = mcbrain("export", folder, "--out", tmp_path)
    assert status == 2 and "folder" in err
    assert mcbrain("export", folder, "--format", "xlsx")[0] == 2


def test_results_are_exported_to_standard_output_and_nothing_else_is(folder):
    command = [sys.executable, "-m", "mcbrain", "export", folder, "--out", "-", "--format", "csv"]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    assert pyarrow.csv.read_csv(io.BytesIO(said)).num_rows == open_results(folder).num_rows


def test_a_report_is_written_where_one_says(mcbrain, folder, tmp_path):
    status, said, _ = mcbrain("report", folder, "--out", tmp_path / "page")
    assert status == 0 and str(tmp_path / "page" / "report.html") in said
    assert not (folder / "report.html").exists()
    assert "<html" in (tmp_path / "page" / "report.html").read_text()
    assert list((tmp_path / "page").rglob("*.png"))
    (tmp_path / "file").write_text("")
    assert mcbrain("report", folder, "--out", tmp_path / "file")[0] == 2
