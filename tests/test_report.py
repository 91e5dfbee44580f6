"""The report: one safe, self-contained page whose numbers are those of the results."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.reading import study_from_table
from mcbrain.report.page import report
from mcbrain.report.shift_figures import residuals
from mcbrain.runner import run
from mcbrain.worth.results_view import Results

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
    from mcbrain.rows.tables import open_results

    return open_results(folder)


def test_what_a_rule_costs_is_drawn_where_a_study_has_rules(tmp_path: Path) -> None:
    rules = {"ridge": ["optimal", "loo", "gcv"]}
    precision = {"relative": 0.5, "max_replicates": 200}
    run(study_from_table(_table(estimators=rules, precision=precision)), tmp_path / "r", threads=1)
    page = report(tmp_path / "r").read_text(encoding="utf-8")
    assert "<code>rules.svg</code>" in page
