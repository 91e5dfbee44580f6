"""The command `mcbrain appraise`: refused before it computes, interrupted without a promise."""

import json
import os
import pty
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.support.recordings import SMALL, Scenario, arrays_of


def command(folder, scenario, *more):
    """The command line, its files written."""
    X, y, X_brain, R, _ = arrays_of(scenario)
    np.savez(folder / "task.npz", X=X, y=y)
    np.savez(folder / "brain.npz", X_brain=X_brain, R=R)
    files = ["--task", str(folder / "task.npz"), "--brain", str(folder / "brain.npz")]
    return [sys.executable, "-m", "mcbrain", "appraise", *files, *more]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x.foo", "must end with .png or .svg or .pdf or .jpg"),
        ("x", "must end with .png"),
        ("nodir/x.png", "there is no folder"),
        ("/proc/x.png", "nothing can be written into /proc"),
    ],
)
def test_a_figure_that_cannot_be_written_is_refused_before_anything_is_computed(
    tmp_path, name, words
):
    line = command(tmp_path, SMALL, "--figure", str(tmp_path / name))
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mcbrain: --figure ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_command_takes_a_budget_and_draws_the_figure_that_its_name_asks_for(tmp_path):
    figure = tmp_path / "x.SVG"
    scenario = replace(SMALL, misalignment=0.0)
    line = command(tmp_path, scenario, "--figure", str(figure), "--budget", "70")
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert "a budget of 70 (20 % of what those cost)" in done.stdout
    assert figure.read_text().startswith("<?xml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["brain.npz", "task.npz", "x.SVG"]


def test_the_command_takes_groups_from_a_column_or_a_file_and_answers_as_json(tmp_path):
    line = command(tmp_path, SMALL, "--json", "--groups", "run")
    with np.load(tmp_path / "task.npz") as held:
        arrays = dict(held)
    runs = np.array([f"run {i // 10}" for i in range(arrays["y"].size)])
    np.savez(tmp_path / "task.npz", **arrays, run=runs)
    with np.load(tmp_path / "brain.npz") as held:
        rows = len(held["R"])
    np.save(tmp_path / "sessions.npy", np.arange(rows) // 12)
    line += ["--groups-brain", str(tmp_path / "sessions.npy")]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["verdict"]["answer"] in ("agree", "cannot tell")
    assert found["worth"] is None  # the laws are those of independent rows
    assert found["shape"]["n_task"] == arrays["y"].size
    assert {"ridge", "befs", "z_ridge"} <= set(found["comparisons"][0])
    refused = subprocess.run(
        [*line, "--groups", "day"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "groups 'day': it must be a column of" in refused.stderr
    assert "X, y, run" in refused.stderr


def test_an_interrupted_appraisal_says_that_nothing_was_kept(tmp_path):
    line = command(tmp_path, Scenario(n_task=3000, n_brain=3000))
    ours, theirs = pty.openpty()  # progress is shown on terminals alone
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    said = b""
    while b"read" not in said:
        said += os.read(ours, 1024)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130
    said += os.read(ours, 4096)
    os.close(ours)
    assert b"mcbrain: interrupted; nothing was kept" in said
    assert b"everything finished" not in said
