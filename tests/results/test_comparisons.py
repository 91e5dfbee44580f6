"""Two outputs on the same data: what NumPy finds on kept replicates, and what blocks say."""

import json

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import mcbrain as mb
from mcbrain.cli.commands import app
from mcbrain.errors import InputError
from mcbrain.results.view import Results
from mcbrain.running.runner import run
from tests.support.small_study import small

ASKED = {
    "design__n_task": [40],
    "design__n_brain": [1, 60],
    "estimators": {"ols": 0.0, "ridge": "optimal", "befs": [0.3, 1.0], "projection": 0.0},
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}},
    "precision": {"relative": 0, "max_replicates": 16_384},
    "engine": {"kind": "sufficient"},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    home = tmp_path_factory.mktemp("comparisons")
    run(small(**ASKED), home / "kept", keep="replicates", threads=1)
    run(small(**ASKED), home / "blocks", threads=1)
    return home


def columns(folder, point, shift, *names):
    path = folder / "replicates" / f"point-{point:06d}.arrow"
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return [table[f"{name} {shift}"].to_numpy() for name in names]


def test_a_comparison_is_what_numpy_finds_on_kept_replicates(folders):
    found = Results(folders / "kept").compare("befs=0.3", "projection")
    assert (found.a, found.b, found.note) == ("befs=0.3", "projection=0.0", "")
    undefined, *rows = sorted(found.table.to_pylist(), key=lambda row: row["replicates"])[1:]
    assert undefined["replicates"] == 0 and undefined["difference"] is None and len(rows) == 2
    for row in rows:
        a, b = columns(folders / "kept", row["point"], row["shift"], found.a, found.b)
        n, ratio = a.size, a.mean() / b.mean()
        assert row["replicates"] == n
        assert row["difference"] == pytest.approx(a.mean() - b.mean(), rel=1e-9)
        assert row["difference_mcse"] == pytest.approx((a - b).std(ddof=1) / np.sqrt(n))
        assert row["ratio"] == pytest.approx(ratio)
        error = (a - ratio * b).std(ddof=1) / np.sqrt(n) / b.mean()
        assert row["ratio_mcse"] == pytest.approx(error)
        assert row["wins"] == np.mean(a < b)
        assert row["wins_mcse"] == pytest.approx(np.sqrt(row["wins"] * (1 - row["wins"]) / n))


def test_blocks_say_the_same_but_for_the_wins(folders):
    """Errors of 32 blocks are off by a third in one case of a hundred; there are four here."""
    kept = Results(folders / "kept").compare("befs=0.3", "projection", ["n_brain=60"])
    found = Results(folders / "blocks").compare("befs=0.3", "projection", ["n_brain=60"])
    for one, other in zip(found.table.to_pylist(), kept.table.to_pylist(), strict=True):
        for name in ("a", "b", "difference", "ratio"):
            assert one[name] == pytest.approx(other[name], rel=1e-9)
        for name in ("difference_mcse", "ratio_mcse"):
            assert one[name] == pytest.approx(other[name], rel=0.35)
        assert one["wins"] is None
    assert "unknown in 2 rows" in found.note and "--keep replicates" in found.note


def test_against_the_baseline_blocks_know_the_wins(folders):
    kept, found = (
        Results(folders / name).compare("befs=1.0", "ridge", ["n_brain=60"])
        for name in ("kept", "blocks")
    )
    assert found.table["wins"].to_pylist() == pytest.approx(kept.table["wins"].to_pylist())
    assert found.note == ""


def test_an_output_beside_itself_is_equal_and_wins_nothing(folders):
    found = Results(folders / "kept").compare("ols", "ols", ["shift=id"])
    for row in found.table.to_pylist():
        numbers = [row[n] for n in ("difference", "difference_mcse", "ratio", "wins")]
        assert numbers == [0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("a", "sentence"),
    [
        ("bef", "row bef: no such output in these results; .*befs=0.3, befs=1.0, ols=0.0"),
        ("befs", "row befs: there are befs=0.3, befs=1.0; name one of them in full"),
        ("befs=loo", "row befs=loo: no such output"),
    ],
)
def test_an_output_that_does_not_exist_is_refused_with_those_that_do(folders, a, sentence):
    with pytest.raises(InputError, match=sentence):
        Results(folders / "blocks").compare(a, "ols")


def test_an_engine_without_replicates_has_nothing_to_compare(tmp_path):
    few = {**ASKED, "precision": {"relative": 0.5}, "engine": {"kind": "spectral"}}
    run(small(**few), tmp_path, threads=1)
    with pytest.raises(InputError, match="engine spectral hold no two outputs on the same data"):
        mb.Results(tmp_path).compare("ols", "ridge")


def test_the_command_prints_a_table_json_and_a_plot(folders, tmp_path):
    asked = ["compare", str(folders / "kept"), "befs=1.0", "ols", "--where", "shift=id"]
    done = CliRunner().invoke(app, [*asked, "--plot", str(tmp_path / "a.png")])
    assert done.exit_code == 0 and (tmp_path / "a.png").stat().st_size > 5_000
    assert "by more than 2 standard errors, befs=1.0 is below ols=0.0 in 1 rows" in done.stdout
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert [row["shift"] for row in found["rows"]] == ["id", "id"]
    with pytest.raises(InputError, match=r"--plot a\.gif: a name that ends with \.png"):
        CliRunner().invoke(app, [*asked, "--plot", "a.gif"], catch_exceptions=False)
