"""Reports of designs that are no full grid: what there is is drawn, or a sentence says why not."""

import re

import numpy as np
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.errors import InputError
from mcbrain.reporting.content import page
from mcbrain.reporting.curves import most_brain, risk_figure
from mcbrain.reporting.departures import departure_figure
from mcbrain.reporting.findings import findings
from mcbrain.reporting.fits import _estimate, fit_rows
from mcbrain.reporting.page import report
from mcbrain.reporting.rules import rules_figure
from mcbrain.reporting.shift_figures import shift_figure
from mcbrain.reporting.shift_list import shift_list_figure
from mcbrain.reporting.style import styled
from mcbrain.reporting.value_table import value_table
from mcbrain.reporting.worth_figures import alignment_figure, value_figure
from mcbrain.results.view import Results
from mcbrain.running.computing import compute
from mcbrain.running.runner import run
from mcbrain.worth.scaling import Fit

TASKS = [20, 30, 45, 70, 110, 160, 240]
FOLLOWING = {"n_task": TASKS, "n_brain": [0, "2 * n_task"]}
WHERE = {"n_task": TASKS, "n_brain": [0, 40, 90, 200, 400], "where": "n_brain <= 4 * n_task"}
LIST = {"points": [[30, 50], [30, 200], [60, 200], [120, 0], [120, 700], [250, 90], [60, 50]]}


def study(design, engine="law", **changes):
    return study_from_table(
        {
            "name": "designs",
            "seed": 5,
            "model": {
                "input_dim": 20,
                "latent_dim": 3,
                "n_channels": 15,
                "misalignment": [0.0, 0.1, 0.3],
                "task_noise": 0.7,
            },
            "design": design,
            "estimators": {"ols": 0.0, "ridge": "optimal", "befs": "optimal"},
            "shifts": {"id": {}, "brain-insensitive": {"factor": [2.0, 4.0, 8.0]}},
            "precision": {"relative": 0.05, "max_replicates": 2000},
            "engine": {"kind": engine},
            **changes,
        }
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(LIST, id="list"),
        pytest.param(FOLLOWING, id="following", marks=pytest.mark.long),
        pytest.param(WHERE, id="where", marks=pytest.mark.long),
    ],
)
def results(request) -> Results:
    return compute(study(request.param, engine="spectral"))


def _points(axes) -> set[tuple[float, float]]:
    """What is drawn as points in a panel, where it is finite."""
    found = set()
    for line in axes.get_lines():
        if line.get_marker() in ("o", "."):
            xy = np.column_stack([line.get_xdata(), line.get_ydata()]).astype(float)
            found |= {tuple(point) for point in xy[np.isfinite(xy).all(axis=1)].tolist()}
    return found


def test_every_risk_over_task_samples_is_that_of_a_row(results) -> None:
    with styled():
        made = risk_figure(results)
    drawn = _points(made.axes[0])
    rows = results.table.to_pylist()
    asked = {(float(r["n_task"]), r["mean"]) for r in rows if r["shift"] == "id"}
    assert drawn and drawn <= asked
    first = [r for r in rows if r["point"] < results.study.design.starts[1] and r["shift"] == "id"]
    ridge = {r["n_task"] for r in first if r["estimator"] == "ridge"}
    assert ridge <= {x for x, _ in drawn}


def test_brain_samples_that_follow_task_samples_are_one_curve() -> None:
    results = compute(study(FOLLOWING))
    with styled():
        made = risk_figure(results)
    assert len(made.axes) == 1  # nothing to draw over n_brain
    assert "BEFS, n_brain = 2 * n_task" in [t.get_text() for t in made.axes[0].texts] + [
        text.get_text()
        for legend in made.axes[0].get_children()
        if hasattr(legend, "get_texts")
        for text in legend.get_texts()
    ] + [t.get_text() for legend in made.legends for t in legend.get_texts()]
    befs = [
        (float(r["n_task"]), r["predicted"])
        for r in results.table.to_pylist()[: results.table.num_rows // 3]
        if r["estimator"] == "befs" and r["shift"] == "id" and r["n_brain"] > 0
    ]
    assert len(befs) == len(TASKS) and {*befs} <= _points(made.axes[0])
    with pytest.raises(InputError, match="two n_brain beside one n_task; the points of this study"):
        value_figure(results)


def test_figures_draw_what_is_there(results) -> None:
    with styled():
        shift_figure(results)
        shift_list_figure(results)
        alignment_figure(results)
        if results.study.n_task != tuple(TASKS) or "where" in results.study.design.table:
            value_figure(results)
    for task in range(len(results.study.n_task)):
        asked = [
            p.n_brain for p in results.study.points() if p.n_task == results.study.n_task[task]
        ]
        assert results.study.n_brain[most_brain(results, task)] == max(asked)


def test_no_panel_is_of_a_model_without_brain_samples() -> None:
    where = "n_brain <= 4 * n_task and (n_brain == 0 or misalignment < 0.2)"
    found = compute(study(WHERE | {"where": where}, engine="spectral"))
    with styled():
        value, shifts = value_figure(found), shift_list_figure(found)
    assert len(value.axes) == 2 * 2
    for ax in (*value.axes, *shifts.axes):
        drawn = [np.asarray(line.get_ydata(), float) for line in ax.get_lines()]
        assert any(np.isfinite(y).any() for y in drawn if len(set(y)) > 1), ax.get_title("right")


def test_the_value_table_is_of_points_that_were_asked(results) -> None:
    table = value_table(results)
    points = {(f"{p.n_task:,}", f"{p.n_brain:,}") for p in results.study.points()}
    assert table.rows and {(r.cells[3], r.cells[4]) for r in table.rows} <= points
    assert f"{len(table.rows)} of the study's {results.study.n_points} points" in table.shown
    for row in table.rows:
        n_task, n_brain = (int(row.cells[i].replace(",", "")) for i in (3, 4))
        told = results.table.slice(int(row.cells[10]), 1).to_pylist()[0]
        assert (told["n_task"], told["n_brain"]) == (n_task, n_brain)
        assert f"{told['misalignment']:g}" == row.cells[0] and told["estimator"] == "befs"
        assert np.isnan(row.value) or row.low <= row.value <= row.high


def test_findings_name_rows_of_the_table(results) -> None:
    said = findings(results, value_table(results).rows)
    gains = [s for s in said if re.match("The (largest|smallest) gain", s)]
    assert len(gains) == 2
    for sentence in gains:
        row = results.table.slice(int(re.search(r"row (\d+)", sentence)[1]), 1).to_pylist()[0]
        assert f"n_T = {row['n_task']:,}, n_B = {row['n_brain']:,}," in sentence
        assert f"is {row['gain']:.3g}" in sentence and f"under {row['shift']}" in sentence


def test_models_are_held_against_each_other_where_all_are_asked() -> None:
    kinds = {"inputs": ["gaussian", "rademacher"], "misalignment": 0.1}
    model = {"input_dim": 20, "latent_dim": 3, "n_channels": 15, **kinds}
    results = compute(study(LIST, model=model))
    with styled():
        made = departure_figure(results)
    titles = [ax.get_title(loc="right") for ax in made.axes]
    assert titles[0] == "$n_T$ = 30, $n_B$ = 200" and titles[-1] == "$n_T$ = 250, $n_B$ = 90"


def test_a_rule_is_drawn_over_task_samples_beside_the_same_brain_samples() -> None:
    rules = {"ridge": ["optimal", "loo"]}
    few = {"points": [[30, 50], [60, 90]]}
    with pytest.raises(InputError, match="needs several n_task beside one n_brain"):
        rules_figure(compute(study(few, estimators=rules)))


@pytest.mark.long
@pytest.mark.parametrize("design", [FOLLOWING, WHERE, LIST], ids=["following", "where", "list"])
def test_the_whole_page(tmp_path, design) -> None:
    run(study(design, engine="sufficient"), tmp_path / "r")
    text = report(tmp_path / "r").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") >= 5
    results = Results(tmp_path / "r")
    asked = dict(page(results)["design"])
    for key, words in (("points", "points [n_T, n_B]"), ("where", "where")):
        assert (words in asked) == (key in design)
    rows = fit_rows(results)
    assert all("nan" not in cell for row in rows for cell in row)


def test_a_scale_without_a_bound_is_said_to_be_infinite() -> None:
    one = np.ones(3)
    odd = np.array([0.1, 900.0, 3.0])
    found = Fit(
        "power-floor", ("floor", "scale", "exponent"), odd, one, odd - one, odd + one, 3.0, 3, 0.4,
        lambda n: n,
    )  # fmt: skip
    assert "A = ∞ (∞ to ∞)" in _estimate(found)
