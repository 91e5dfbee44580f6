"""The words and tables of a report: each says what it counts, for which model, and how surely."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.reading import study_from_table
from mcbrain.report.content import page
from mcbrain.report.value_table import value_table
from mcbrain.runner import run
from mcbrain.worth.results_view import Results
from mcbrain.worth.robustness import half_space


def _table(**changes: object) -> dict:
    table = {
        "name": "small",
        "seed": 4,
        "model": {
            "input_dim": 10,
            "latent_dim": 2,
            "n_channels": 8,
            "misalignment": [0.0, 0.3, 0.9],
            "task_noise": 2.0,
        },
        "design": {"n_task": [12, 18, 40, 90, 200], "n_brain": [12, 25, 400]},
        "estimators": {"ridge": "optimal", "befs": "optimal"},
        "shifts": {"id": {}, "missed-direction": {"factor": 9.0}},
        "precision": {"relative": 0.1, "max_replicates": 2000},
        "engine": {"kind": "spectral"},
    }
    return table | changes


def _results(folder: Path, **changes: object) -> Results:
    run(study_from_table(_table(**changes)), folder, threads=1)
    return Results(folder)


@pytest.fixture(scope="module")
def spectral(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return _results(tmp_path_factory.mktemp("content") / "spectral")


def test_replicates_that_rows_share_are_counted_once(spectral: Results) -> None:
    with pa.ipc.open_file(spectral.folder.brain) as file:
        brain = file.read_all().to_pylist()
    per_problem = {r["n_brain"]: r["replicates"] for r in brain if r["source"] == "run"}
    assert len(per_problem) == 3
    facts = dict(page(spectral)["facts"])
    assert facts["brain replicates behind the rows"] == f"{sum(per_problem.values()):,}"


def test_replicates_of_whole_data_sets_are_those_of_the_points(tmp_path: Path) -> None:
    results = _results(tmp_path, engine={"kind": "raw"})
    own = results.column("replicates")[..., 0, 0].sum()
    assert dict(page(results)["facts"])["replicates behind the rows"] == f"{own:,}"


def test_shifts_that_favour_befs_are_judged_where_the_brain_misses_most(spectral: Results) -> None:
    words = next(f for f in page(spectral)["findings"] if f.startswith("By the laws"))
    assert words.startswith("By the laws for m = 0.9 at n_T = 18, n_B = 400")
    rest, brain, missed = half_space(spectral.study.models[2], 18, 400).gains()
    assert f"misses (gain {missed:.3g})" in words
    assert all(f"(gain {g:.3g})" in words for g in (rest, brain))


def test_brain_data_hurts_only_where_its_interval_is_below_0(spectral: Results) -> None:
    rows = value_table(spectral).rows
    for row in rows:
        worse = np.isnan(row.value) and "worse" in row.cells[-1]
        assert row.hurts == (row.high < 0 or worse)
        assert ("brain data hurts" in row.cells[-1]) == (row.high < 0)
        assert ("cannot tell" in row.cells[-1]) == row.unclear
    hurt, unclear = sum(r.hurts for r in rows), sum(r.unclear for r in rows)
    assert any(np.isnan(r.value) and r.hurts for r in rows)
    assert any(np.isfinite(r.value) and r.hurts for r in rows)
    text = " ".join(page(spectral)["findings"])
    assert f"In {hurt} of the {len(rows)} rows of the value table brain data hurts" in text
    assert (f"In {unclear} of the {len(rows)} rows" in text) == (unclear > 0)


def test_a_value_beyond_the_baselines_curve_is_shown_as_its_bound(tmp_path: Path) -> None:
    design = {"n_task": [18, 24], "n_brain": [400]}
    model = _table()["model"] | {"misalignment": 0.0}
    results = _results(tmp_path, design=design, model=model)
    content = page(results)
    assert [r[5] for r in content["values"]] == ["> 6"]
    assert content["values"][0][-1] == ""
    assert content["bounded"]


def test_the_value_table_says_which_cells_it_shows(spectral: Results) -> None:
    table = value_table(spectral)
    assert "3 of 3 models, 3 of 5 n_T and 2 of 3 n_B" in table.shown
    assert len(table.rows) == 3 * 3 * 2


def test_the_aim_has_no_markup_of_its_own(spectral: Results) -> None:
    assert "`" not in page(spectral)["aim"]


def test_a_run_that_was_stopped_says_how_far_it_came(tmp_path: Path) -> None:
    study = study_from_table(_table(engine={"kind": "raw"}))
    run(study, tmp_path, threads=1, max_time=0.0)
    content = page(Results(tmp_path))
    rows = study.n_rows
    assert re.match(
        rf"Incomplete: 0 of {rows:,} rows .* {rows:,} have no mean", content["incomplete"]
    )
    assert "stopped" in dict(content["facts"])
    assert "finished" not in dict(content["facts"])


def test_a_complete_run_is_not_called_incomplete(spectral: Results) -> None:
    assert page(spectral)["incomplete"] == ""
