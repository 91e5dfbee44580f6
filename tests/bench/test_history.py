"""Airspeed velocity's results as one Arrow table: every measurement, failed ones too."""

import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

COLUMNS = [
    *("result", "params", "version", "started_at", "duration"),
    *("stats_ci_99_a", "stats_ci_99_b"),
]
RATES = [[100.0, None, float("nan")], [["'raw'"], ["20", "60", "200"]], "1", 0, 1.0]


@pytest.fixture
def module(repository, monkeypatch):
    """The module, of this checkout."""
    monkeypatch.syspath_prepend(str(repository))
    from bench import history

    return history


@pytest.fixture
def results(tmp_path):
    """A results folder as airspeed velocity leaves it, and how to add a commit to it."""
    folder = tmp_path / "results"
    (folder / "box").mkdir(parents=True)
    suite = {"param_names": ["engine", "d"], "unit": "replicates/s"}
    (folder / "benchmarks.json").write_text(
        json.dumps({"a.B.track_rate": suite, "a.C.time": {"unit": "seconds"}, "version": 2})
    )
    (folder / "box" / "machine.json").write_text("{}")

    def add(commit, day, found):
        run = {
            "commit_hash": commit,
            "date": 86_400_000 * day,
            "env_name": "python3",
            "params": {"machine": "box", "cpu": "fast", "num_cpu": "2"},
            "result_columns": COLUMNS,
            "results": found,
        }
        (folder / "box" / f"{commit}-python3.json").write_text(json.dumps(run))
        return folder

    return add


def test_every_measurement_is_a_row_and_failures_are_not_holes(module, results):
    folder = results("aa", 1, {"a.B.track_rate": [*RATES, [90.0, None, None], [110.0, None, None]]})
    rows = module.history(folder).to_pylist()
    assert [json.loads(r["parameters"])["d"] for r in rows] == [20, 60, 200]
    assert [r["status"] for r in rows] == ["ok", "failed", "skipped"]
    assert [r["value"] for r in rows] == [100.0, None, None]
    assert (rows[0]["low"], rows[0]["high"]) == (90.0, 110.0)
    assert {(r["commit"], r["machine"], r["cores"], r["unit"]) for r in rows} == {
        ("aa", "box", 2, "replicates/s")
    }


def test_a_benchmark_that_failed_at_every_parameter_keeps_its_rows(module, results):
    rows = module.history(results("aa", 1, {"a.B.track_rate": [None, *RATES[1:]]})).to_pylist()
    assert [r["status"] for r in rows] == ["failed"] * 3


def test_the_command_adds_to_what_is_there_and_fails_when_the_newest_commit_does(
    module, results, tmp_path, capsys
):
    out = tmp_path / "history.arrow"
    seconds = [[0.5], [], "1", 0, 1.0, [0.4], [float("inf")]]
    folder = results("aa", 1, {"a.C.time": seconds})
    asked = [str(folder), "--out", str(out)]
    assert module.main(asked) == 0
    (folder / "box" / "aa-python3.json").unlink()
    results("bb", 2, {"a.B.track_rate": RATES})
    assert module.main(asked) == 1
    assert 'failed: a.B.track_rate {"engine": "raw", "d": 60}' in capsys.readouterr().err
    results("bb", 2, {"a.B.track_rate": [[7.0, 8.0, 9.0], *RATES[1:]]})
    assert module.main(asked) == 0
    frame = pl.read_ipc(out)
    assert frame["commit"].to_list() == ["aa", "bb", "bb", "bb"]
    assert frame["value"].to_list() == [0.5, 7.0, 8.0, 9.0]
    assert frame["high"].to_list() == [None] * 4
    with pa.OSFile(str(out)) as source:
        again = pa.ipc.open_file(source).read_all()
    assert again.schema.field("low").metadata[b"meaning"].startswith(b"99 % interval")
    assert isinstance(again.to_pandas(), pd.DataFrame)


def test_bad_input_is_one_sentence_and_leaves_the_table_alone(module, results, tmp_path, capsys):
    out = tmp_path / "history.arrow"
    assert module.main([str(tmp_path / "nowhere"), "--out", str(out)]) == 2
    assert "run `asv run` first" in capsys.readouterr().err
    folder = results("aa", 1, {"a.B.track_rate": [[1.0], *RATES[1:]]})
    assert module.main([str(folder), "--out", str(out)]) == 2
    assert "aa-python3.json: not a result of airspeed velocity" in capsys.readouterr().err
    assert not out.exists()


def test_the_figure_is_drawn_from_the_table(module, results, tmp_path):
    from bench import figure

    name = "engines.Sampled.track_rate"
    cells = [["'raw'", "'sufficient'"], ["'d=20'", "'d=60'"]]
    found = [[4.0, 4.1, 4.2, 4.3], cells, "1", 0, 1.0, [3.0] * 4, [5.0] * 4]
    folder = results("aa", 1, {name: found})
    known = json.loads((folder / "benchmarks.json").read_text())
    known[name] = {"param_names": ["engine", "cell"], "unit": "replicates/s"}
    (folder / "benchmarks.json").write_text(json.dumps(known))
    figure.draw(module.history(folder), tmp_path)
    assert (tmp_path / "throughput.png").stat().st_size > 10_000
    assert "sufficient" in (tmp_path / "throughput.svg").read_text()


def test_a_results_folder_is_laid_out_from_the_history_alone(module, results, tmp_path):
    """And is read as it was: every value, interval, parameter, failure and skip."""
    from bench.page import lay_out

    rates = [*RATES, [90.0, None, None], [110.0, None, None]]
    seconds = [[0.5], [], "1", 0, 1.0, [0.4], [float("inf")]]
    results("a" * 40, 1, {"a.B.track_rate": rates, "a.C.time": seconds})
    table = module.history(results("b" * 40, 2, {"a.B.track_rate": RATES}))
    fresh = tmp_path / "fresh"
    assert lay_out(table, fresh) == 2
    assert module.history(fresh).equals(table)
    assert lay_out(table, fresh) == 0  # what is there stays


def test_what_was_measured_here_stays_beside_the_history(module, results, tmp_path):
    from bench.page import main

    folder = results("a" * 40, 1, {"a.B.track_rate": RATES})
    out = tmp_path / "history.arrow"
    assert module.main([str(folder), "--out", str(out)]) == 1
    own = {path: path.read_bytes() for path in folder.glob("box/*.json")}
    (folder / "box" / "machine.json").write_text('{"machine": "box", "version": 1}')
    assert main([str(out), "--out", str(folder)]) == 0
    assert all(p.read_bytes() == c for p, c in own.items() if p.name != "machine.json")
    assert main([str(tmp_path / "nothing.arrow"), "--out", str(folder)]) == 2
