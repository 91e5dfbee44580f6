"""A study run again, after a kill or for more, computes what is missing and nothing else."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import tomli_w

from mcbrain.running.runner import run
from tests.support.small_study import TABLE, rows, small, study


def test_a_second_run_computes_nothing_and_gives_the_same_file(small_results):
    before = rows(small_results)
    outcome = run(study(), small_results)
    assert (outcome.computed, outcome.replicates) == (0, 0)
    assert outcome.reused > 0
    assert rows(small_results).equals(before)


def test_one_line_says_what_was_reused_off_a_terminal_too(tmp_path):
    """Of what is needed, not of all that is stored; a new estimator reuses no block as it is."""

    def says(**changes):
        table = small(design={"n_task": [6], "n_brain": [0]}, **changes).table
        (tmp_path / "study.toml").write_text(tomli_w.dumps(table))
        command = ["run", str(tmp_path / "study.toml"), "--out", str(tmp_path / "a")]
        done = subprocess.run(
            [sys.executable, "-m", "mcbrain", *command], capture_output=True, text=True
        )
        lines = [line for line in done.stderr.splitlines() if line.startswith("reused")]
        assert len(lines) == 1, done.stderr
        return tuple(int(n) for n in re.findall(r"(\d+) blocks, computed (\d+)", lines[0])[0])

    few = {"precision": {"relative": 0.0, "max_replicates": 512 * 3}}
    more = {"precision": {"relative": 0.0, "max_replicates": 512 * 5}}
    reused, drawn = says(**few)
    assert reused == 0 and drawn > 0
    assert says(**more) == (drawn, drawn * 5 // 3 - drawn)
    assert says(**few) == (drawn, 0)
    assert says(**few, estimators={**TABLE["estimators"], "ridge": [0.3, 0.9]}) == (0, drawn)


def test_a_killed_run_resumes_to_the_same_bits(small_results, tmp_path):
    path, out = tmp_path / "small.toml", tmp_path / "out"
    path.write_text(tomli_w.dumps(TABLE))
    command = [sys.executable, "-m", "mcbrain", "run", str(path), "--out", str(out)]
    command += ["--threads", "2"]
    rng = np.random.default_rng(11)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        before = set(out.glob("blocks/*.arrow"))
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + 600  # a cold cache compiles first
        while set(out.glob("blocks/*.arrow")) <= before and time.monotonic() < limit:
            if process.poll() is not None:
                break
            time.sleep(0.02)
        time.sleep(float(rng.uniform(0, 0.3)))
        process.send_signal(number)
        process.wait(600)
        process.stderr.close()
        if number != signal.SIGKILL and process.returncode not in (0, 1):
            assert process.returncode == 128 + number
    run(study(), out, threads=2)
    assert rows(out).equals(rows(small_results))


def test_more_precision_costs_only_itself_and_less_equals_a_fresh_run(tmp_path):
    coarse = {"relative": 0.03, "max_replicates": 40_000}
    fine = {"relative": 0.01, "max_replicates": 40_000}
    first = run(small(precision=coarse), tmp_path / "a")
    kept = rows(tmp_path / "a")
    more = run(small(precision=fine), tmp_path / "a")
    fresh = run(small(precision=fine), tmp_path / "b")
    assert more.computed + first.computed <= fresh.computed + 64
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))
    assert run(small(precision=coarse), tmp_path / "a").computed == 0
    assert rows(tmp_path / "a").equals(kept)


def test_a_new_estimator_shift_or_grid_value_leaves_the_old_rows_as_they_were(tmp_path):
    run(small(), tmp_path / "a")
    old = rows(tmp_path / "a").to_pylist()
    wider = small(
        design__n_task=[6, 20, 40],
        estimators={**TABLE["estimators"], "ridge": ["optimal", 0.3, 0.7]},
        shifts={**TABLE["shifts"], "scale": {"factor": 2.0}},
    )
    run(wider, tmp_path / "a")
    run(wider, tmp_path / "b")
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))

    def name(row):
        keys = ("n_task", "n_brain", "estimator", "penalty_rule", "penalty", "shift")
        return tuple(row[k] for k in keys)

    new = {name(row): row for row in rows(tmp_path / "a").to_pylist()}
    for row in old:
        same = new[name(row)]
        assert {k: v for k, v in row.items() if k != "point"} == {
            k: v for k, v in same.items() if k != "point"
        }


def test_max_time_stops_cleanly_and_the_rest_follows_later(tmp_path):
    stopped = run(small(), tmp_path / "a", max_time="0s")
    assert stopped.stopped
    assert set(rows(tmp_path / "a")["status"].to_pylist()) <= {"mcse_not_met", "ok"}
    run(small(), tmp_path / "a")
    run(small(), tmp_path / "b")
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))


def test_fresh_moves_the_old_results_aside(tmp_path):
    run(small(design__n_task=[6]), tmp_path / "a")
    outcome = run(small(design__n_task=[6]), tmp_path / "a", fresh=True)
    assert outcome.reused == 0 and outcome.computed > 0
    assert len(list(tmp_path.glob("a.before-*"))) == 1
