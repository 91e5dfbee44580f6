"""The laws of any covariance over their design: what is drawn, kept, gathered and concluded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcbrain.certificate import covariance_law
from mcbrain.certificate.covariance_cells import POWER_LAW, draw_cells
from mcbrain.certificate.covariance_errors import compare
from mcbrain.certificate.covariance_tables import (
    TARGETS,
    CovarianceRow,
    append_rows,
    covariance_check,
    covariance_table,
    read_rows,
    tables,
)
from mcbrain.certificate.features import FEATURES, SOUND, features, has_sound
from mcbrain.errors import InputError

SEED = 20261123
ROW = CovarianceRow(
    cell=3, spectrum="powerlaw:1.2", input_dim=70, directions=70, n_task=90, n_brain=200, rank=3,
    estimator="ridge", shift="id", penalty=0.1, encoder_penalty=0.0, replicates=4096, mean=0.5,
    mcse=0.001, prediction="asymptotic", law=0.501, law_se=None, free_rows=50.0,
)  # fmt: skip


def test_the_design_is_wide_and_fixed_by_its_seed():
    cells = list(draw_cells(160, SEED))
    assert cells == list(draw_cells(160, SEED))
    assert cells[:9] == list(draw_cells(9, SEED))
    assert cells != list(draw_cells(160, 1))
    dims = np.array([c.wanted_dim for c in cells])
    assert dims.min() <= 16
    assert dims.max() > 300
    assert (dims >= 60).sum() > 70
    real = {c.spectrum for c in cells} - {POWER_LAW}
    assert real == set(FEATURES)
    assert all(c.wanted_dim <= 24 for c in draw_cells(5, SEED, 24))
    with pytest.raises(InputError, match="at least 15"):
        next(draw_cells(1, SEED, 14))


def test_cells_lie_on_both_sides_of_d_and_use_no_law(tmp_path):
    studies = [c.study(tmp_path, 0.01) for c in draw_cells(24, SEED, 30) if c.spectrum != SOUND]
    points = [next(s.points()) for s in studies]
    for samples in ("n_task", "n_brain"):
        ratio = np.array([getattr(p, samples) / p.model.input_dim for p in points])
        assert ratio.min() < 0.8
        assert ratio.max() > 2.0
    assert {s.engine for s in studies} == {"sufficient"}
    assert not any(p.model.input_covariance.identity for p in points)


@pytest.mark.parametrize("kind", FEATURES)
def test_features_are_rows_of_numbers_that_vary(kind):
    if kind == SOUND and not has_sound():
        with pytest.raises(InputError, match="nitime"):
            features(kind, 25)
        return
    rows = features(kind, 25)
    assert rows.shape[1] == (64 if kind == "digits" else 25)
    assert len(rows) > 1000
    assert np.isfinite(rows).all()
    assert np.linalg.matrix_rank(np.cov(rows.T)) >= 25
    np.testing.assert_array_equal(rows, features(kind, 25))


def test_a_cell_holds_its_laws_against_simulation():
    """One small cell to 1 %: within 4.5 standard errors and the laws' own error of 3 %."""
    rows = compare(next(draw_cells(1, SEED, 24)), precision=0.02)
    known = [row for row in rows if row.law is not None]
    assert len(rows) == 6
    for row in known:
        assert abs(row.error) < 4.5 * row.noise + 0.03
        assert row.noise < 0.05


def test_rows_are_kept_as_they_come_and_a_run_goes_on_where_it_ended(tmp_path, monkeypatch):
    file, silent = tmp_path / "rows.csv", replace(ROW, law=None, free_rows=None)
    done = []

    def noted(cell, threads):
        done.append(cell.index)
        return [replace(ROW, cell=cell.index), replace(silent, cell=cell.index)]

    monkeypatch.setattr(covariance_law, "compare", noted)
    monkeypatch.setattr(covariance_law, "has_sound", lambda: True)
    for cells in (2, 4):
        covariance_law.main(["--cells", str(cells), "--out", str(file)])
    assert done == [0, 1, 2, 3]
    assert read_rows(file)[:2] == [replace(ROW, cell=0), replace(silent, cell=0)]
    assert len(read_rows(file)) == 8


def test_tables_name_classes_errors_and_what_misses_its_target(tmp_path):
    off = replace(ROW, cell=4, spectrum="digits", law=0.52)
    whole = replace(ROW, estimator="befs", law_se=0.001)
    append_rows(tmp_path / "rows.csv", [ROW, off])
    append_rows(tmp_path / "rows.csv", [whole, replace(whole, law=None)])
    text = tables(read_rows(tmp_path / "rows.csv"))
    assert "| all | 2 | 2 | 2.83 | 0.20 | +4.00 ± 0.20 | 1 |" in text
    assert "| digits | 1 | 1 | 4.00 | 0.20 | +4.00 ± 0.20 | 1 |" in text
    assert "| n_B / d from 1.25 | 1 | 1 | 0.20 | 0.28 | +0.20 ± 0.28 | 0 |" in text
    assert "1 of 4 outputs have no law." in text
    table = covariance_table([ROW, whole])
    assert table["law_se"].to_pylist() == [None, 0.001]
    assert table["cell"].to_pylist() == [3, 3]


def test_a_law_that_is_off_fails_and_one_that_is_not_passes():
    good = [replace(ROW, cell=i, law=0.5 * (1 + TARGETS["task"])) for i in range(20)]
    assert covariance_check("x", good, 1e-4).passed
    assert not covariance_check("x", [*good, replace(ROW, law=0.512)], 1e-4).passed
    few = replace(ROW, law=0.512, free_rows=6.0)  # one over 36 is what the expansion leaves out
    assert covariance_check("x", [*good, few], 1e-4).passed
    assert not covariance_check("x", [replace(ROW, law=None)], 1e-4).passed
