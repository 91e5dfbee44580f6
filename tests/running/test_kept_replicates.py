"""Kept replicates: what the rows are the means of, kept as blocks are, found again by `replay`."""

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.asking.from_toml import load_study, study_from_table
from mcbrain.errors import InputError
from mcbrain.results.kept_replicates import most_bytes
from mcbrain.results.tables import open_results
from mcbrain.results.view import Results
from mcbrain.running.merging import merge
from mcbrain.running.replaying import replay
from mcbrain.running.runner import Reporter, run
from tests.store.test_folder import files
from tests.support import own_plugins
from tests.support.small_study import small

KEPT = {"replicates": True}
ASKED = {
    "design__n_task": [6],
    "design__n_brain": [1, 60],
    "estimators": {"ols": 0.0, "ridge": ["optimal", "loo"], "befs": 0.3},
    "precision": {"relative": 0.006, "max_replicates": 20_000},
}


def kept(folder, point):
    with pa.memory_map(str(folder / "replicates" / f"point-{point:06d}.arrow")) as source:
        return pa.ipc.open_file(source).read_all()


def name(row):
    fixed = row["penalty_rule"] == "fixed"
    rule = repr(row["penalty"] or 0.0) if fixed else row["penalty_rule"]
    return f"{row['estimator']}={rule} {row['shift']}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("kept") / "a"
    run(small(**ASKED, output=KEPT), home, threads=1)
    return home


def test_the_moments_of_kept_replicates_are_those_of_the_rows(folder):
    """Rows that stop one by one are the means of the first replicates alone."""
    rows = [r for r in open_results(folder).to_pylist() if r["status"] != "undefined"]
    for row in rows:
        values = np.array(kept(folder, row["point"])[name(row)].drop_null())
        assert values.size == row["replicates"] - row["failed"]
        if row["mean"] is not None:
            assert values.mean() == pytest.approx(row["mean"], rel=1e-13)
        if row["mcse"] is not None:
            error = values.std(ddof=1) / np.sqrt(values.size)
            assert error == pytest.approx(row["mcse"], rel=1e-12)


def test_a_kept_replicate_is_found_by_replay(folder):
    table = kept(folder, 1)
    row = table.slice(777, 1).to_pylist()[0]
    again = replay(folder, 1, row["replicate"]).rows
    assert row["replicate"] == 777 and row["failure"] is None
    names = table.schema.names[1 : 1 + len(again)]
    for column, one in zip(names, again, strict=True):
        assert column.startswith(one["estimator"]) and column.endswith(one["shift"])
        assert row[column] is None or row[column] == pytest.approx(one["excess"], rel=1e-12)
        if one["rule"] == "loo":
            assert row["penalty ridge=loo"] == pytest.approx(one["penalty"], rel=1e-14)


@pytest.mark.long
def test_resumed_and_merged_replicates_are_those_of_one_run(folder, tmp_path):
    study = small(**ASKED, output=KEPT)
    run(small(**ASKED), tmp_path / "b", threads=1)
    assert not (tmp_path / "b" / "replicates").exists()
    again = run(study, tmp_path / "b", threads=1)  # blocks without replicates do not serve
    assert again.computed > 0
    for part in (1, 2):
        run(study, tmp_path / f"s{part}", shard=f"{part}/2", threads=1)
    merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m")
    for point in (0, 1):
        for other in ("b", "m"):
            assert kept(tmp_path / other, point).equals(kept(folder, point))
    before = files(tmp_path / "m")
    merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m")
    assert files(tmp_path / "m") == before


def test_a_run_that_computes_nothing_changes_no_file(folder):
    before = files(folder)
    assert run(small(**ASKED, output=KEPT), folder, threads=1).computed == 0
    assert files(folder) == before


def test_failures_are_kept_with_their_reasons(tmp_path):
    """Components that are +1 or -1 make singular data among three samples in two dimensions."""
    model = {"input_dim": 2, "latent_dim": 1, "n_channels": 2, "inputs": "rademacher"}
    fixed = {"relative": 0, "max_replicates": 600}
    asked = {"model": model, "design": {"n_task": [3], "n_brain": [0]}, "shifts": {"id": {}}}
    study = small(name="singular", estimators={"ols": 0.0, "ridge": 0.3}, precision=fixed)
    study = study_from_table({**study.table, **asked, "output": KEPT, "engine": {"kind": "raw"}})
    run(study, tmp_path, threads=1)
    (ols,) = [r for r in open_results(tmp_path).to_pylist() if r["estimator"] == "ols"]
    table = kept(tmp_path, 0)
    lost = table.filter(pa.compute.is_valid(table["failure"]))
    assert lost.num_rows == ols["failed"]
    assert lost["ols=0.0 id"].null_count == lost.num_rows
    assert set(lost["failure"].to_pylist()) <= {"ols=0.0 id: singular"}


def test_keep_is_a_keyword_and_says_the_size(tmp_path):
    said = []

    class Listening(Reporter):
        def note(self, text):
            said.append(text)

    study = small(**{**ASKED, "design__n_brain": [0]})
    run(study, tmp_path / "a", keep="replicates", threads=1, reporter=Listening())
    assert load_study(tmp_path / "a" / "study.toml").output.replicates
    (size,) = [note for note in said if "every replicate is kept" in note]
    assert "0.00464 GB" in size and most_bytes(small(**ASKED)) == 2 * most_bytes(study)
    with pytest.raises(InputError, match=r"keep.*blocks.*replicates"):
        run(study, tmp_path / "b", keep="blocks")


@pytest.mark.parametrize("engine", ["spectral", "law"])
def test_engines_without_replicates_cannot_keep_them(tmp_path, engine):
    asked = {**ASKED, "estimators": {"ols": 0.0}, "engine": {"kind": engine}}
    with pytest.raises(InputError, match="does not draw replicates to keep; use"):
        run(small(**asked, output=KEPT), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_replicates_of_several_encoders_are_kept_side_by_side(tmp_path):
    asked = {"encoding": {"rank": 1, "penalty": [0.0, 0.3]}, "design__n_brain": [60]}
    few = {"relative": 0, "max_replicates": 1_000}
    estimators = {"ridge": "loo", "befs": ["loo", 0.3]}
    study = small(**{**ASKED, **asked, "precision": few, "estimators": estimators}, output=KEPT)
    run(study, tmp_path, threads=1)
    table, rows = kept(tmp_path, 0), open_results(tmp_path).to_pylist()
    rows = [row for row in rows if row["point"] == 0]
    assert len(set(table.schema.names)) == len(table.schema.names)
    assert "befs=0.3 (rank 1, encoder 0.3) id" in table.schema.names
    for row, column in zip(rows, table.schema.names[1 : 1 + len(rows)], strict=True):
        assert column.startswith(row["estimator"]) and column.endswith(row["shift"])
        assert np.array(table[column]).mean() == pytest.approx(row["mean"], rel=1e-13)
    chosen = [n for n in table.schema.names if n.startswith("penalty ")]
    assert len(chosen) == 3 and all(table[n].null_count == 0 for n in chosen)


def test_a_plugin_is_kept_at_each_of_its_settings_and_has_no_bias(tmp_path):
    """Its replicates are those of mcbrain's own ridge; nobody knows where its mean lies."""
    own_plugins.write(tmp_path, own_plugins.RIDGE)
    asked = own_plugins.study(
        tmp_path,
        {"ridge": 0.1, "own_ridge": {"alpha": [0.1, 0.4]}},
        model={"labels": "linear"},
        precision={"max_replicates": 8 * 512},
        output={**KEPT, "bias_variance": True},
    )
    out = tmp_path / "out"
    run(asked, out, threads=1)
    ridge, *own = open_results(out)["bias2"].to_pylist()
    assert ridge is not None and own == [None, None]
    found = kept(out, 0)
    built, mine = found["ridge=0.1 id"], found["own_ridge { alpha = 0.1 } id"]
    np.testing.assert_allclose(mine.to_numpy(), built.to_numpy(), rtol=1e-10)
    other = found["own_ridge { alpha = 0.4 } id"].to_numpy()
    (row,) = Results(out).compare("own_ridge { alpha = 0.4 }", "ridge").table.to_pylist()
    assert row["difference"] == pytest.approx(np.mean(other - built.to_numpy()))
