"""The report: one safe, self-contained page whose numbers are those of the results."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.reporting.curves import risk_figure
from mcbrain.reporting.figures import FIGURES
from mcbrain.reporting.page import report
from mcbrain.reporting.rules import rules_figure
from mcbrain.reporting.shift_figures import residuals
from mcbrain.reporting.style import figure, plain_ticks, signed_log, styled
from mcbrain.reporting.worth_figures import value_figure
from mcbrain.results.view import Results
from mcbrain.running.runner import run

NAME = '<script>alert("x")</script> & co'


def _table(**changes: object) -> dict:
    table = {
        "name": NAME,
        "seed": 4,
        "model": {
            "input_dim": 10,
            "latent_dim": 2,
            "n_channels": 8,
            "misalignment": [0.0, 0.1, 0.3],
            "task_noise": 0.8,
        },
        "design": {"n_task": [18, 40, 90, 200], "n_brain": [0, 25, 100, 400]},
        "estimators": {"ols": 0.0, "ridge": "optimal", "befs": "optimal"},
        "shifts": {"id": {}, "brain-insensitive": {"factor": [2.0, 4.0, 8.0]}},
        "precision": {"relative": 0.1, "max_replicates": 2000},
        "engine": {"kind": "raw"},
    }
    return table | changes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "results"
    run(study_from_table(_table()), path, threads=1)
    report(path)
    return path


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_a_name_from_a_study_is_text_and_never_markup(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    sources = re.findall(r'(?:src|href)="([^"]{1,40})', page)
    assert sources
    assert all(s.startswith(("data:image/png;base64,", "#")) for s in sources)
    anchors = {s[1:] for s in sources if s.startswith("#")}
    assert anchors <= set(re.findall(r'id="([\w-]+)"', page))


def test_every_figure_is_in_the_page_and_beside_it(folder: Path, page: str) -> None:
    for stem in ("scaling", "value", "alignment", "robustness", "shifts", "budget", "residuals"):
        assert f"<code>{stem}.svg</code>" in page
        assert (folder / f"{stem}.svg").read_text(encoding="utf-8").startswith("<?xml")
        assert (folder / f"{stem}.png").read_bytes()[:4] == b"\x89PNG"
    assert page.count("data:image/png;base64,") == 7


def test_numbers_of_the_findings_are_those_of_the_rows_that_they_name(
    folder: Path, page: str
) -> None:
    table = mb_table(folder)
    found = re.findall(r"gain of BEFS is ([\d.e+-]+) ± .*?\(row (\d+)\)", page)
    assert len(found) == 2
    for number, row in found:
        assert float(number) == pytest.approx(table["gain"][int(row)].as_py(), rel=5e-3)
        assert table["estimator"][int(row)].as_py() == "befs"


def test_rows_of_the_table_are_those_of_the_file(folder: Path, page: str) -> None:
    table = mb_table(folder)
    body = page.split('id="rows"')[1]
    for cells in re.findall(r"<tr>(.*?)</tr>", body, re.S)[1:20]:
        row = int(re.findall(r"<td>([\d,]+)</td>", cells)[0].replace(",", ""))
        assert f"{table['mean'][row].as_py():.4g}" in cells


def test_residuals_are_differences_in_standard_errors(folder: Path) -> None:
    """|mean z| < 0.6 over 576 correlated rows: 144 independent points or so, 7 standard errors."""
    z, rows, same = residuals(Results(folder))
    assert z.size > 300
    assert same == 0
    table = mb_table(folder)
    i = int(rows[7])
    own = [table[c][i].as_py() for c in ("mean", "predicted", "mcse", "prediction_se")]
    assert z[7] == pytest.approx((own[0] - own[1]) / np.hypot(own[2], own[3] or 0.0))
    assert abs(z.mean()) < 0.6


def test_a_study_that_can_carry_no_figure_still_has_a_report(tmp_path: Path) -> None:
    table = _table(name="small")
    table["model"] = {"input_dim": 10, "latent_dim": 2, "n_channels": 8}
    table |= {"design": {"n_task": [40], "n_brain": 0}, "estimators": {"ols": 0.0}}
    table["shifts"] = {"id": {}}
    run(study_from_table(table), tmp_path, threads=1)
    page = report(tmp_path).read_text(encoding="utf-8")
    assert "Not drawn:" in page
    assert "no estimator that uses brain data" in page


def test_a_folder_without_results_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(mb.InputError, match="run a study first"):
        report(tmp_path)


def mb_table(folder: Path):
    """The results of a folder."""
    from mcbrain.results.tables import open_results

    return open_results(folder)


def test_what_a_rule_costs_is_drawn_where_a_study_has_rules(tmp_path: Path) -> None:
    rules = {"ridge": ["optimal", "loo", "gcv"]}
    precision = {"relative": 0.5, "max_replicates": 200}
    run(study_from_table(_table(estimators=rules, precision=precision)), tmp_path / "r", threads=1)
    page = report(tmp_path / "r").read_text(encoding="utf-8")
    assert "<code>rules.svg</code>" in page


def _drawn(draw, results: Results):
    """A figure as it is laid out on the page."""
    with styled():
        made = draw(results)
        made.draw_without_rendering()
    return made


@pytest.mark.parametrize("one", FIGURES, ids=lambda one: one.stem)
def test_no_legend_hides_anything_or_leaves_the_page(folder: Path, one) -> None:
    try:
        made = _drawn(one.draw, Results(folder))
    except mb.InputError:
        assert one.stem in (
            "bias",
            "departures",
            "errors",
            "exponents",
            "rules",
        )  # it has none of them
        return
    legends = [ax.get_legend() for ax in made.axes if ax.get_legend()] + made.legends
    assert legends or one.stem == "budget"  # maps alone: no line of equal budget
    for legend in legends:
        box = legend.get_window_extent()
        assert not any(box.overlaps(ax.get_window_extent()) for ax in made.axes)
        assert made.bbox.x0 <= box.x0 and box.x1 <= made.bbox.x1
        assert made.bbox.y0 <= box.y0 and box.y1 <= made.bbox.y1


def test_panels_name_the_model_and_the_shift_that_they_show(folder: Path) -> None:
    titles = [ax.get_title("right") for ax in _drawn(value_figure, Results(folder)).axes]
    assert titles[:3] == [f"$m$ = {m}, shift id, vs tuned ridge" for m in (0, 0.1, 0.3)]
    titles = {ax.get_title("right") for ax in _drawn(risk_figure, Results(folder)).axes}
    assert titles == {"$m$ = 0, shift id"}


def test_a_curve_that_falls_by_decades_is_drawn_whole(tmp_path: Path) -> None:
    table = _table(name="steep", engine={"kind": "law"})
    table["model"] |= {"misalignment": 0.0, "task_noise": 0.01}
    table["design"]["n_task"] = [4, 8, 40, 100, 200]
    run(study_from_table(table), tmp_path, threads=1)
    results = Results(tmp_path)
    ridge = results.mean[0, :, 0, results.method("ridge"), 0]
    assert ridge.max() > 1e3 * ridge.min()
    low, high = _drawn(risk_figure, results).axes[0].get_ylim()
    assert low < ridge.min() and ridge.max() < high


def test_the_axis_of_values_has_no_kink() -> None:
    made, axes = figure(1)
    axes[0, 0].plot([1, 2], [-20, 1600])
    signed_log(axes[0, 0])
    y = np.linspace(-50, 50, 2001)
    slope = np.diff(axes[0, 0].yaxis.get_transform().transform(y))
    assert np.all(slope > 0)
    assert np.abs(np.diff(np.log(slope))).max() < 0.02
    made.draw_without_rendering()
    texts = [t.get_text() for t in axes[0, 0].get_yticklabels()]
    assert {"−10", "0", "10", "100", "1,000"} <= set(texts)


@pytest.mark.parametrize("limits", [(0.98, 1.06), (0.95, 1.4), (0.9, 2.6), (0.9, 5.7), (0.5, 20)])
def test_a_short_log_axis_has_numbers_to_read_it_by(limits: tuple[float, float]) -> None:
    made, axes = figure(1)
    axes[0, 0].set(yscale="log", ylim=limits)
    plain_ticks(axes[0, 0])
    made.draw_without_rendering()
    low, high = limits
    ticks = axes[0, 0].yaxis.get_majorticklocs()
    assert 4 <= sum(low <= t <= high for t in ticks) <= 10


@pytest.mark.parametrize("n_task", [[5, 8, 9], [9]])
def test_task_samples_too_few_for_a_figure_are_said_and_the_page_is_written(
    tmp_path: Path, n_task: list[int]
) -> None:
    design = {"n_task": n_task, "n_brain": [25, 100, 400]}
    table = _table(design=design, shifts={"id": {}}, engine={"kind": "law"})
    run(study_from_table(table), tmp_path, threads=1)
    words = report(tmp_path).read_text(encoding="utf-8")
    assert "Not drawn:" in words
    assert ("alignment (a value needs task samples, more than" in words) == (len(n_task) > 1)
    assert "scaling (a curve of the risk needs" in words or len(n_task) > 1


def test_a_panel_without_a_risk_is_left_out(tmp_path: Path) -> None:
    table = _table(estimators={"ols": 0.0, "befs": "loo"}, engine={"kind": "law"})
    run(study_from_table(table), tmp_path, threads=1)  # no law holds for a penalty by loo
    assert len(_drawn(risk_figure, Results(tmp_path)).axes) == 1


def test_more_estimators_than_colours_are_all_drawn(tmp_path: Path) -> None:
    names = ["ridge", "befs", *(f"two-penalty:0.{i}" for i in range(1, 7))]
    table = _table(
        model={"input_dim": 6, "latent_dim": 2, "n_channels": 4},
        design={"n_task": [10, 20], "n_brain": [0, 20]},
        estimators={name: ["loo", "optimal"] for name in names},
        shifts={"id": {}},
        precision={"relative": 0.5, "max_replicates": 64},
    )
    run(study_from_table(table), tmp_path, threads=1)
    made = _drawn(rules_figure, Results(tmp_path))
    assert len(made.axes[0].containers) == len(names)
