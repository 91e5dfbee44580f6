"""The words and tables of a report: each says what it counts, for which model, and how surely."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.reporting.budget_figures import budget_figure
from mcbrain.reporting.content import page
from mcbrain.reporting.curves import risk_figure
from mcbrain.reporting.figures import FIGURES
from mcbrain.reporting.style import styled
from mcbrain.reporting.value_table import value_table
from mcbrain.results.view import Results
from mcbrain.running.runner import run
from mcbrain.worth.robustness import half_space
from mcbrain.worth.simulated import value_in_results


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


def test_a_figure_of_a_stopped_run_holds_the_curves_of_the_laws(spectral: Results) -> None:
    """One risk alone, as a run leaves it that was stopped after its first point."""
    results = Results(spectral.folder.path)
    first = np.zeros(results.shape, bool)
    first[0, 0, 0] = True
    results.mean = np.where(first, results.mean, np.nan)
    with styled():
        ax = risk_figure(results).axes[0]
    low, high = ax.get_ylim()
    lines = [line.get_ydata() for line in ax.lines if np.size(line.get_ydata()) > 100]
    assert len(lines) >= 3
    assert all(low < np.nanmin(y) and np.nanmax(y) < high for y in lines)


def test_a_cell_that_a_stopped_run_has_not_reached_is_not_called_infinite(
    spectral: Results,
) -> None:
    results = Results(spectral.folder.path)
    at = (0, 2, 2, results.method("befs"), 0)
    status, results.mean = results.column("status").copy(), results.mean.copy()
    status[at], results.mean[at] = "mcse_not_met", np.nan
    place = results.table.column_names.index("status")
    column = pa.array(status.ravel().tolist()).dictionary_encode()
    results.table = results.table.set_column(place, "status", column)
    _, note = value_in_results(results, 0, 2, 2)
    assert "no mean yet" in note and "infinite" not in note


def test_a_complete_run_is_not_called_incomplete(spectral: Results) -> None:
    assert page(spectral)["incomplete"] == ""


def test_a_form_that_the_data_reject_has_no_estimate(spectral: Results) -> None:
    rows = page(spectral)["fits"]
    assert any(r[4] == "< 0.0001" for r in rows)
    for _, _, estimate, _, p, _ in rows:
        assert (estimate == "rejected: no estimate") == (float(p.strip("< ")) <= 0.001)


def test_ols_is_fitted_above_its_pole_in_its_own_form(tmp_path: Path) -> None:
    """The noise of the law, sigma^2 d, lies within 6 standard errors of its estimate."""
    design = {"n_task": [12, 20, 22, 26, 40, 60, 90, 200], "n_brain": [25]}
    only = {"estimators": {"ols": 0.0}, "design": design, "engine": {"kind": "raw"}}
    rows = page(_results(tmp_path, **only, shifts={"id": {}}))["fits"]
    assert [r[0] for r in rows] == ["OLS, over n_T > d + 1"]
    found = re.match(r"noise = (\S+) \((\S+) to (\S+)\); saved = ", rows[0][2])
    assert found
    value, low, high = (float(x) for x in found.groups())
    assert abs(value - 4.0 * 10) < 3 * (high - low)


def test_points_are_drawn_as_simulated_only_where_something_was(
    spectral: Results, tmp_path: Path
) -> None:
    """Under the law nothing was simulated; with the exact task law ridge was not."""
    law = _results(tmp_path, engine={"kind": "law"})
    for results, words in ((spectral, {"simulated, ±2 s.e."}), (law, {"law, not simulated"})):
        with styled():
            made = risk_figure(results)
        left, right = (ax.get_legend().get_texts() for ax in made.axes)
        assert words <= {t.get_text() for t in right}
        assert "law, not simulated" in {t.get_text() for t in left}
        ridge = results.mean[0, :, 0, results.method("ridge"), 0]
        circles = [c for ax in made.axes for c in ax.containers]
        drawn = [np.asarray(c.lines[0].get_ydata(), float) for c in circles]
        assert not any(np.isin(ridge, y).any() for y in drawn)


@pytest.mark.parametrize("noise", [0.02, 2.0])
def test_the_budget_map_shows_where_the_answer_changes(tmp_path: Path, noise: float) -> None:
    model = _table()["model"] | {"task_noise": noise}
    results = _results(tmp_path, engine={"kind": "law"}, model=model)
    with styled():
        made = budget_figure(results)
    image = next(c for c in made.axes[-4].collections if c.get_array() is not None)
    assert 0.02 < np.ma.getmaskarray(np.ma.masked_invalid(image.get_array())).mean() < 0.98


def test_labels_of_gains_keep_clear_of_each_other_and_of_the_edges(spectral: Results) -> None:
    with styled():
        made = budget_figure(spectral)
        made.draw_without_rendering()
    maps = [ax for ax in made.axes if ax.get_xlabel().startswith("price")]
    labels = [[t for t in ax.texts if t.get_text().startswith("×")] for ax in maps]
    assert len(maps) == 2 and all(len(found) >= 2 for found in labels)
    for ax, found in zip(maps, labels, strict=True):
        boxes = [t.get_window_extent() for t in found]
        assert all(ax.bbox.x0 < b.x0 and b.x1 < ax.bbox.x1 for b in boxes)
        assert all(ax.bbox.y0 < b.y0 and b.y1 < ax.bbox.y1 for b in boxes)
        assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_only_a_figure_with_a_line_of_one_budget_speaks_of_it(
    spectral: Results, tmp_path: Path
) -> None:
    budget = next(f for f in FIGURES if f.stem == "budget")
    assert "Nothing in it is simulated" in budget.words(spectral)
    design = {"n_task": [40, 30, 20, 10], "n_brain": [0, 100, 200, 300]}
    line = _results(tmp_path, engine={"kind": "law"}, design=design)
    assert budget.words(line).startswith("Risk along one budget (a)")
