"""`mcbrain plugin`, the shipped plug-ins, and trust on the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcbrain.asking.from_toml import load_study
from mcbrain.running.computing import compute
from mcbrain.running.plugin_check import check_file
from tests.support.own_plugins import HEAD, write

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "data" / "plugins").glob("*.py"))


def mcbrain(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "mcbrain", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.long
def test_a_skeleton_runs_passes_its_check_and_needs_trust(tmp_path):
    made = mcbrain(tmp_path, "plugin", "new", "estimator", "mine")
    assert made.returncode == 0, made.stderr
    again = mcbrain(tmp_path, "plugin", "new", "estimator", "mine")
    assert again.returncode == 2 and "mine.py is here already" in again.stderr
    options = ["run", "mine.toml", "--precision", "0.5", "--out", "out"]
    refused = mcbrain(tmp_path, *options)
    assert refused.returncode == 2 and "runs the code in mine.py" in refused.stderr
    assert not (tmp_path / "out").exists()
    done = mcbrain(tmp_path, *options, "--plugins")
    assert done.returncode == 0, done.stderr
    assert "{ alpha = 0.1 }" in done.stdout
    assert all(found.good for found in check_file(tmp_path / "mine.py"))


@pytest.mark.parametrize(("kind", "name"), [("shift", "mine"), ("estimator", "two words")])
def test_what_cannot_be_begun_is_a_sentence(tmp_path, kind, name):
    made = mcbrain(tmp_path, "plugin", "new", kind, name)
    assert made.returncode == 2 and made.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_check_finds_what_writes_beside_its_array_and_what_fails(tmp_path):
    beside = "@mb.estimator\ndef beside(data, parameters, beta):\n    beta[:] = 0.0\n"
    path = write(tmp_path, beside + "    beta[beta.size] = 1.0\n")
    bad = [found.sentence for found in check_file(path) if not found.good]
    assert "with bounds checked" in bad[0] and "line 7: beta[beta.size] = 1.0" in bad[0], bad
    path.write_text(HEAD + beside.replace("beta[:]", "if data.y[0] > 0:\n        beta[:]"))
    bad = [found.sentence for found in check_file(path) if not found.good]
    assert any("replicates failed" in sentence for sentence in bad)


def test_a_check_finds_a_twin_that_says_something_else(tmp_path):
    text = "@mb.estimator\ndef zero(data, parameters, beta):\n    beta[:] = 0.0\n"
    twin = "def zero_twin(data, parameters):\n    return np.full(data.X.shape[1], 0.1)\n"
    bad = [found.sentence for found in check_file(write(tmp_path, text, twin)) if not found.good]
    assert bad and all("its twin zero_twin" in sentence for sentence in bad)


@pytest.mark.long
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_plugin_passes_its_check_and_its_study_runs(path):
    assert [found.sentence for found in check_file(path) if not found.good] == []
    study = load_study(path.with_suffix(".toml"), ["precision.relative=0.2"], plugins=True)
    rows = compute(study).table.to_pylist()
    assert {row["status"] for row in rows} == {"ok"}
