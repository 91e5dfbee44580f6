"""Two results held against each other: joined by their settings, judged in standard errors."""

import json

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import mcbrain as mb
from mcbrain.cli.commands import app
from mcbrain.errors import InputError
from mcbrain.results.tables import open_results
from mcbrain.running.runner import run
from tests.support.small_study import small

FIXED = {"relative": 0, "max_replicates": 2_000}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same study with fewer and with more replicates, and with another seed and fewer rows."""
    home = tmp_path_factory.mktemp("differences")
    asked = {"design__n_task": [6, 40], "estimators": {"ols": 0.0, "befs": [0.1, 0.3]}}
    run(small(**asked, precision=FIXED), home / "few", threads=1)
    run(small(**asked, precision={**FIXED, "max_replicates": 8_000}), home / "many", threads=1)
    fewer = {**asked, "design__n_task": [40], "seed": 8, "name": "other"}
    run(small(**fewer, precision=FIXED), home / "other", threads=1)
    return home


def moved(folder, target, by):
    """The results of a folder with the mean of one row moved by so many standard errors."""
    table = open_results(folder)
    place = table.schema.names.index("mean")
    mean, mcse = (np.array(table[n].to_pylist(), float) for n in ("mean", "mcse"))
    row = table["status"].to_pylist().index("ok")
    mean[row] += by * mcse[row]
    table = table.set_column(place, "mean", pa.array(mean, from_pandas=True))
    with pa.ipc.new_file(target, table.schema) as sink:
        sink.write_table(table)
    return target


def test_results_do_not_differ_from_themselves(folders):
    found = mb.diff(folders / "few", folders / "few")
    assert not found.differ and not found.settings
    assert found.rows == found.same == open_results(folders / "few").num_rows
    assert set(found.table["z"].to_pylist()) == {0.0}


def test_on_the_same_replicates_any_difference_counts(folders, tmp_path):
    found = mb.diff(folders / "few", moved(folders / "few", tmp_path / "a.arrow", 1e-4))
    assert found.beyond == 1 and found.table["z"][0].as_py() == np.inf


def test_more_replicates_of_the_same_stream_differ_by_those_alone(folders):
    """The bounds let 1 % of all comparisons raise a false alarm."""
    found = mb.diff(folders / "few", folders / "many")
    assert not found.differ and found.same == 0
    assert [name for name, *_ in found.settings] == ["precision.max_replicates"]
    few, many = open_results(folders / "few"), open_results(folders / "many")
    sound = pa.compute.equal(few["status"].cast(pa.string()), "ok")
    few, many = few.filter(sound), many.filter(sound)
    share = many["replicates"].to_numpy() / few["replicates"].to_numpy() - 1
    errors = np.sort(many["mcse"].to_numpy() * np.sqrt(share))
    compared = found.table.filter(pa.compute.equal(found.table["quantity"], "mean"))
    np.testing.assert_allclose(np.sort(compared["error"].to_numpy()), errors)
    assert 0.5 < np.sqrt(np.mean(compared["z"].to_numpy() ** 2)) < 2.0


def test_other_seeds_are_independent_and_lost_rows_are_said(folders):
    """The bounds let 1 % of all comparisons raise a false alarm."""
    found = mb.diff(folders / "few", folders / "other")
    few, other = open_results(folders / "few"), open_results(folders / "other")
    assert found.beyond == 0 and found.differ
    assert found.only[0].num_rows == few.num_rows - other.num_rows and not found.only[1].num_rows
    assert set(found.only[0]["n_task"].to_pylist()) == {6}
    assert {"name", "seed"} <= {name for name, *_ in found.settings}
    row = found.table.filter(pa.compute.equal(found.table["quantity"], "mean")).to_pylist()[0]
    assert row["z"] == pytest.approx((row["b"] - row["a"]) / row["error"])


@pytest.mark.parametrize(("by", "status"), [(1.0, 0), (40.0, 1)])
def test_independent_rows_differ_beyond_a_bound_for_all_of_them(folders, tmp_path, by, status):
    """Of 40 standard errors of one, 28 of the difference: noise does not hide it."""
    table = open_results(folders / "other")
    rows = table.num_rows
    other = moved(folders / "other", tmp_path / "a.arrow", by)
    few = open_results(folders / "few")
    part = few.filter(pa.compute.equal(few["n_task"], 40))
    path = tmp_path / "b.arrow"
    with pa.ipc.new_file(path, part.schema) as sink:
        sink.write_table(part)
    done = CliRunner().invoke(app, ["diff", str(path), str(other), "--json"])
    found = json.loads(done.stdout)
    assert done.exit_code == status and found["rows"] == rows
    assert found["beyond"] == status


def test_a_difference_is_printed_and_ends_with_status_1(folders, tmp_path):
    other = moved(folders / "few", tmp_path / "a.arrow", 3.0)
    done = CliRunner().invoke(app, ["diff", str(folders / "few"), str(other)])
    assert done.exit_code == 1
    assert "1 differ by more than their bounds (false alarms: 0.01 over all of them)" in done.stdout
    same = CliRunner().invoke(app, ["diff", str(folders / "few"), str(folders / "few")])
    assert same.exit_code == 0 and "no number differs" in same.stdout


def test_results_with_nothing_in_common_are_refused(folders, tmp_path):
    run(small(model__input_dim=13, design__n_task=[6], precision=FIXED), tmp_path, threads=1)
    with pytest.raises(InputError, match="no row is in both; they hold the studies 'small' and"):
        mb.diff(folders / "few", tmp_path)
    with pytest.raises(InputError, match="nowhere: no such file"):
        mb.diff(folders / "few", tmp_path / "nowhere")
