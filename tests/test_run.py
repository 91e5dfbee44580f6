"""The main job from end to end: the same numbers on any layout, resumed or interrupted."""

import copy
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

import mcbrain as mb
from mcbrain.blocks import Problem, data_parameters
from mcbrain.errors import InputError, StoreError
from mcbrain.plan.sampled import block_size
from mcbrain.reading import study_from_table
from mcbrain.rows.tables import open_results
from mcbrain.runner import run

TABLE = {
    "name": "small",
    "seed": 7,
    "model": {
        "input_dim": 12,
        "latent_dim": 3,
        "n_channels": 8,
        "misalignment": [0.0, 0.2],
        "task_noise": 0.8,
        "latent_gains": [[1.5, 1.0, 0.7]],
        "measured_latents": 2,
    },
    "design": {"n_task": [6, 40], "n_brain": [0, 1, 8, 60]},
    "estimators": {
        "ols": 0.0,
        "ridge": ["optimal", 0.3],
        "befs": ["optimal", 0.3],
        "befs-oracle": "optimal",
        "projection": 0.0,
    },
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}, "missed-direction": {"factor": 9.0}},
    "precision": {"relative": 0.02, "max_replicates": 40_000},
    "engine": {"kind": "raw"},
}
EXACT = ("seconds",)


def study(**changes):
    table = copy.deepcopy(TABLE)
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            table[section][key] = value
        else:
            table[section] = value
    return study_from_table(table)


def small(**changes):
    """Fewer cells, for runs that are repeated."""
    fewer = {"model__misalignment": 0.2, "design__n_brain": [0, 60]}
    return study(**{**fewer, **changes})


def rows(folder):
    return open_results(folder).drop_columns(list(EXACT))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """One run of the whole small study on one thread."""
    folder = tmp_path_factory.mktemp("reference") / "r"
    run(study(), folder, threads=1)
    return folder


def test_results_do_not_depend_on_threads(reference, tmp_path):
    for threads in (2, 4):
        run(study(), tmp_path / str(threads), threads=threads)
        assert rows(tmp_path / str(threads)).equals(rows(reference))


def test_a_second_run_computes_nothing_and_gives_the_same_file(reference):
    before = rows(reference)
    outcome = run(study(), reference)
    assert (outcome.computed, outcome.replicates) == (0, 0)
    assert outcome.reused > 0
    assert rows(reference).equals(before)


def test_one_line_says_what_was_reused_off_a_terminal_too(tmp_path):
    """Of what is needed, not of all that is stored; a new estimator reuses no block as it is."""
    import tomli_w

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


def test_a_killed_run_resumes_to_the_same_bits(reference, tmp_path):
    path, out = tmp_path / "small.toml", tmp_path / "out"
    import tomli_w

    path.write_text(tomli_w.dumps(TABLE))
    command = [
        sys.executable,
        "-m",
        "mcbrain",
        "run",
        str(path),
        "--out",
        str(out),
        "--threads",
        "2",
    ]
    rng = np.random.default_rng(11)
    for attempt, number in enumerate(
        [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGKILL]
    ):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        limit = time.monotonic() + 600  # a cold cache compiles first
        while not list(out.glob("blocks/*.arrow"))[attempt:] and time.monotonic() < limit:
            if process.poll() is not None:
                break
            time.sleep(0.02)
        time.sleep(float(rng.uniform(0, 0.3)))
        process.send_signal(number)
        process.wait(600)
        process.stderr.close()
        if number != signal.SIGKILL and process.returncode not in (0, 1):
            assert process.returncode == 130
    run(study(), out, threads=2)
    assert rows(out).equals(rows(reference))


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


def test_cells_without_enough_brain_samples_are_undefined_rows(reference):
    table = rows(reference).to_pylist()
    undefined = [r for r in table if r["status"] == "undefined"]
    assert {(r["n_brain"], r["estimator"]) for r in undefined} == {(1, "befs"), (1, "projection")}
    assert all(r["mean"] is None and r["replicates"] == 0 for r in undefined)


def test_befs_without_brain_data_is_ridge_and_projection_predicts_nothing(reference):
    table = [r for r in rows(reference).to_pylist() if r["n_brain"] == 0]
    risk = {(r["point"], r["estimator"], r["penalty"], r["shift"]): r["mean"] for r in table}
    for (point, estimator, penalty, shift), mean in risk.items():
        if estimator == "befs":
            assert mean == risk[point, "ridge", penalty, shift]
        if estimator == "projection" and shift == "id":
            assert mean == pytest.approx(1.0, rel=1e-12)


def test_simulation_agrees_with_the_exact_laws(reference):
    """Every exact and semi-exact row within 4.5 standard errors; 7e-6 each, below 0.002 in all."""
    scores = []
    for row in rows(reference).to_pylist():
        if row["prediction"] in ("exact", "semi-exact") and row["mcse"]:
            spread = np.hypot(row["mcse"], row["prediction_se"] or 0.0)
            rounding = (
                row["mcse"] < 1e-12 * row["mean"]
            )  # projection without brain data: a constant
            if row["status"] == "ok" and not rounding:
                scores.append((row["mean"] - row["predicted"]) / spread)
    assert len(scores) > 200
    assert np.max(np.abs(scores)) < 4.5


def test_a_rotation_of_the_inputs_changes_no_law(tmp_path):
    """Haar against axes, other seeds: 15 scores below 4.5, false-alarm rate below 2e-4."""
    found = []
    for name, seed in (("haar", 7), ("axes", 8)):
        model = {**TABLE["model"], "misalignment": 0.2, "basis": name}
        table = study(model=model, seed=seed, design={"n_task": [6, 40], "n_brain": 60})
        run(table, tmp_path / name)
        found.append(rows(tmp_path / name).to_pylist())
    scores = [
        (a["mean"] - b["mean"]) / np.hypot(a["mcse"], b["mcse"])
        for a, b in zip(*found, strict=True)
        if a["penalty_rule"] == "fixed" and a["status"] == b["status"] == "ok"
    ]
    assert len(scores) == 15
    assert np.max(np.abs(scores)) < 4.5


def test_infinite_moments_are_marked_and_carry_no_error_bar(tmp_path):
    run(study(design={"n_task": [12, 13, 15, 18], "n_brain": 0}, estimators={"ols": 0.0}), tmp_path)
    seen = {r["n_task"]: r for r in rows(tmp_path).to_pylist()}
    assert [seen[n]["status"] for n in (12, 13, 15, 18)] == [
        "infinite_mean",
        "infinite_mean",
        "infinite_variance",
        "heavy_tail",
    ]
    assert seen[12]["mean"] is None and seen[12]["mcse"] is None and seen[12]["median"] > 0
    assert seen[15]["mean"] > 0 and seen[15]["mcse"] is None
    assert seen[18]["mcse"] > 0


def test_precision_zero_runs_exactly_the_replicates_asked_for(tmp_path):
    table = small(precision={"relative": 0.0, "max_replicates": 1000}, design__n_task=[40])
    run(table, tmp_path)
    for point in table.points():
        data = data_parameters(point.model, point.n_task, point.n_brain)
        size = block_size(Problem("raw", data, 7))
        found = [r for r in rows(tmp_path).to_pylist() if r["point"] == point.index]
        assert {r["replicates"] for r in found} == {-(-1000 // size) * size}
        assert {r["status"] for r in found} == {"ok"}


def test_outputs_above_their_target_say_so(tmp_path):
    outcome = run(small(precision={"relative": 1e-4, "max_replicates": 100}), tmp_path)
    status = set(rows(tmp_path)["status"].to_pylist())
    assert "mcse_not_met" in status and outcome.unmet > 0


def test_simulate_and_run_give_the_same_numbers(tmp_path):
    settings = {k: v for k, v in TABLE["model"].items() if k != "misalignment"}
    settings["latent_gains"] = settings["latent_gains"][0]
    model = mb.Model(**settings, misalignment=0.2)
    table = mb.simulate(
        model,
        n_task=[6, 40],
        n_brain=[0, 60],
        estimators=TABLE["estimators"],
        shifts=["id", "brain-insensitive:4", "missed-direction:9"],
        precision=0.02,
        max_replicates=40_000,
        seed=7,
        engine="raw",
    )
    run(small(), tmp_path)
    assert table.drop_columns(["seconds"]).equals(rows(tmp_path))


def test_another_studys_folder_and_a_folder_in_use_are_refused(tmp_path):
    run(small(design__n_task=[6]), tmp_path / "a")
    with pytest.raises(StoreError, match="holds the study 'small', not 'other'"):
        run(study_from_table({**TABLE, "name": "other"}), tmp_path / "a")
    from mcbrain.store.folder import ResultsFolder

    with ResultsFolder(tmp_path / "a").writing(), pytest.raises(StoreError, match="another run"):
        run(small(), tmp_path / "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        run(small(), tmp_path / "locked" / "out")


def test_fresh_moves_the_old_results_aside(tmp_path):
    run(small(design__n_task=[6]), tmp_path / "a")
    outcome = run(small(design__n_task=[6]), tmp_path / "a", fresh=True)
    assert outcome.reused == 0 and outcome.computed > 0
    assert len(list(tmp_path.glob("a.before-*"))) == 1


def test_max_time_stops_cleanly_and_the_rest_follows_later(tmp_path):
    stopped = run(small(), tmp_path / "a", max_time=0.0)
    assert stopped.stopped
    assert set(rows(tmp_path / "a")["status"].to_pylist()) <= {"mcse_not_met", "ok"}
    run(small(), tmp_path / "a")
    run(small(), tmp_path / "b")
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))


def test_results_open_in_polars_and_pandas_with_every_column(reference):
    import pandas as pd
    import polars as pl

    from mcbrain.rows.columns import RESULT_SCHEMA

    path = reference / "results.arrow"
    frame = pl.read_ipc(path)
    assert frame.columns == RESULT_SCHEMA.names
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
        frame2 = table.to_pandas()
    assert isinstance(frame2, pd.DataFrame) and len(frame2) == len(frame)
    np.testing.assert_array_equal(frame["mean"].to_numpy(), frame2["mean"].to_numpy())
    assert b"mcbrain.provenance" in table.schema.metadata


def test_results_open_by_the_lines_of_the_readme(reference, tmp_path, monkeypatch, repository):
    pytest.importorskip("duckdb")
    text = (repository / "README.md").read_text()
    lines = re.search(r"<!-- opening results -->\n```python\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "my-study").symlink_to(reference)
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec(lines, found)
    table = open_results(reference)
    assert found["rows"].equals(table) and len(found["frame"]) == table.num_rows
    means: dict = {}
    for row in table.to_pylist():
        if row["mean"] is not None:
            key = row["point"], row["shift"]
            means.setdefault(key, []).append((row["mean"], row["estimator"]))
    best = found["best"].fetchall()
    assert len(best) == len(means)
    for point, shift, estimator in best:
        lowest, _ = min(means[point, shift])
        assert (lowest, estimator) in means[point, shift]


def test_quantiles_are_those_of_the_replicates(tmp_path):
    """Against the replicates themselves, redrawn; the histogram is good to one per cent."""

    table = small(
        precision={"relative": 0.0, "max_replicates": 4000},
        design={"n_task": [40], "n_brain": [60]},
        estimators={"befs": 0.3},
        shifts={"id": {}},
    )
    run(table, tmp_path)
    row = rows(tmp_path).to_pylist()[0]
    point = next(table.points())
    from mcbrain.engines.raw import bench
    from mcbrain.plan.penalties import Penalties
    from mcbrain.plan.sampled import SampledPlan
    from mcbrain.plan.subspaces import LawSubspaces

    plan = SampledPlan(table, "raw", Penalties(table, LawSubspaces(table)))
    problem, queries = plan.problem(point), tuple(plan.queries(point))
    place = bench(problem, queries, block_size(problem))
    blocks = row["replicates"] // block_size(problem)
    values = [place.replicates(index)[0][:, 0].copy() for index in range(blocks)]
    excess = np.concatenate(values)
    assert row["mean"] == pytest.approx(excess.mean(), rel=1e-12)
    assert row["sd"] == pytest.approx(excess.std(ddof=1), rel=1e-12)
    for name, q in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
        assert row[name] == pytest.approx(np.quantile(excess, q), rel=0.01)


@pytest.mark.parametrize("changes", [{}, {"inputs": "student:7"}, {"inputs": "sparse:0.3"}])
def test_a_replayed_replicate_is_the_one_that_was_run_and_numpy_rebuilds_it(tmp_path, changes):
    from mcbrain.replay import replay

    table = study(
        model={**TABLE["model"], **changes},
        design={"n_task": [40], "n_brain": [60]},
        estimators={"ols": 0.0, "befs": 0.3},
        shifts={"id": {}},
        precision={"relative": 0.0, "max_replicates": 700},
    )
    run(table, tmp_path)
    again = replay(tmp_path, 1, 613)
    found: dict = {}
    exec(again.recipe, found)  # the lines that are printed for the user
    np.testing.assert_array_equal(found["X"], again.data["X"])
    X, y = again.data["X"], again.data["y"]
    beta_hat = np.linalg.lstsq(X, y, rcond=None)[0]
    excess = np.sum((beta_hat - again.data["beta"]) ** 2)
    ols = next(r for r in again.rows if r["estimator"] == "ols")
    assert ols["excess"] == pytest.approx(excess, rel=1e-10)
    again.save(tmp_path / "one.npz")
    with np.load(tmp_path / "one.npz", allow_pickle=False) as kept:
        np.testing.assert_array_equal(kept["X"], X)
    with pytest.raises(InputError, match="has replicates 0 to"):
        replay(tmp_path, 1, 10**9)
    with pytest.raises(InputError, match="--point 9"):
        replay(tmp_path, 9, 0)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_exported_results_hold_the_same_rows(reference, form):
    import pandas as pd

    from mcbrain.rows.tables import export_results

    path = export_results(reference, form)
    frame = pd.read_parquet(path) if form == "parquet" else pd.read_csv(path)
    table = rows(reference)
    assert len(frame) == table.num_rows
    np.testing.assert_array_equal(frame["mean"].to_numpy(), table["mean"].to_numpy())
    assert list(frame["estimator"]) == table["estimator"].to_pylist()
    path.unlink()
