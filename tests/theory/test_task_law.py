"""What law 5f is said to stay within: how it is measured, and fresh cells that it must cover."""

import numpy as np
import pytest

from mcbrain.certificate.task_law import compare, draw_cells, main, worst, write
from mcbrain.theory.accuracy import ROW_EDGES, task_accuracy


def test_a_cell_is_measured_by_fits_and_the_law():
    """Relative standard error at most 0.5 %, and the law within 4 of them and 3 %."""
    for cell in draw_cells(2, 11):
        found = compare(cell, 11)
        assert cell.free >= ROW_EDGES[0]
        assert found.standard_error < 0.006 * found.risk
        assert abs(found.error) < 0.03 + 4 * found.standard_error / found.risk


def test_the_command_writes_the_table_and_says_what_it_covers(tmp_path, capsys):
    main(["--cells", "3", "--seed", "7", "--out", str(tmp_path)])
    text = capsys.readouterr().out
    assert "free rows" in text and "covered: " in text
    assert (tmp_path / "task_law.csv").read_text().startswith("free_rows,cells,rms")
    again = [compare(cell, 7) for cell in draw_cells(3, 7)]
    write(worst(again), tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "task_law.csv").read_bytes()


@pytest.mark.long
def test_fresh_cells_are_covered_as_often_as_stated():
    """136 of 140 others were; at 95 % fewer than 107 of 120 happen about once in 200 runs."""
    found = [compare(cell, 3) for cell in draw_cells(120, 3)]
    inside = [abs(m.error) <= task_accuracy(m.cell.free) for m in found]
    assert np.sum(inside) >= 107
