"""What a study would take, held against what it took."""

import json

import pytest
from typer.testing import CliRunner

import mcbrain as mb
from mcbrain.cli.commands import app
from mcbrain.running.runner import run
from tests.support.small_study import small


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("engine", ["raw", "sufficient", "spectral"])
def test_a_check_counts_what_a_run_at_its_limit_draws(tmp_path, engine):
    study = small(engine={"kind": engine}, precision={"relative": 0, "max_replicates": 2_000})
    found = mb.check(study)
    outcome = run(study, tmp_path, threads=1)
    assert not list(tmp_path.parent.glob("results"))
    assert (found.engine, found.rows, found.problems) == (engine, outcome.rows, outcome.problems)
    assert found.replicates[0] <= found.replicates[1] == outcome.replicates
    assert size(tmp_path) / 4 < found.disk[1] < 4 * size(tmp_path)


def test_kept_replicates_count_as_disk():
    plain = small(precision={"relative": 0, "max_replicates": 2_000})
    kept = small(precision={"relative": 0, "max_replicates": 2_000}, output={"replicates": True})
    outputs, points = mb.check(plain).outputs, mb.check(plain).points
    more = mb.check(kept).disk[1] - mb.check(plain).disk[1]
    assert more == 8 * points * 2_000 * (2 * outputs + 1)


def test_the_command_prints_and_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["check", "first-look"])
    assert done.exit_code == 0 and not list(tmp_path.iterdir())
    for word in ("points of", "engine ", "time: ", "memory: about", "disk: about"):
        assert word in done.stdout
    found = json.loads(CliRunner().invoke(app, ["check", "first-look", "--json"]).stdout)
    study = mb.load_study("first-look")
    assert found["points"] == study.n_points and found["rows"] == study.n_rows
    law = CliRunner().invoke(app, ["check", "first-look", "--set", "engine.kind=law"])
    assert "time" not in law.stdout and "engine law" in law.stdout
