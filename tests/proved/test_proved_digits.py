"""Digits of the closed forms are proved on a grid; `python -m tests.proved` prints the bounds."""

import pytest

pytest.importorskip("flint")

from tests.proved.grids import (
    PHI_CELLS,
    WISHART_CELLS,
    phi_errors,
    wishart_errors,
)
from tests.proved.wishart_balls import inverse_means

# What a double loses in the sums behind a field; the largest error of the grid is below a tenth.
DIGITS = 1e-11


def cells(all_cells, quick):
    """A share of the grid by default, the rest of it in the long suite."""
    return [c if c in quick else pytest.param(c, marks=pytest.mark.long) for c in all_cells]


QUICK_WISHART = [c for c in WISHART_CELLS if max(c[:2]) <= 20 and c[2] > 1e-6]
QUICK_PHI = [c for c in PHI_CELLS if c[0] <= 4]


@pytest.mark.parametrize("cell", cells(WISHART_CELLS, QUICK_WISHART), ids=str)
def test_the_task_stage_is_right_to_the_digits_that_are_claimed(cell):
    assert max(wishart_errors(*cell).values()) < DIGITS


@pytest.mark.parametrize("cell", cells(PHI_CELLS, QUICK_PHI), ids=str)
def test_the_expansion_is_the_derivative_of_its_generating_function(cell):
    assert max(phi_errors(*cell).values()) < DIGITS


def test_the_balls_are_right_where_the_mean_is_a_fraction():
    # E sum 1/x = q/(n-q-1) of an inverse Wishart matrix, approached as z goes to 0.
    inverse, _ = inverse_means(12, 5, 1e-30)
    assert inverse.overlaps(type(inverse)(5) / 6 + type(inverse)(0, 1e-25))


def test_a_wrong_digit_is_seen():
    """The proof has power: a density with one term changed misses the ball by far."""
    from tests.proved import wishart_balls

    right, _ = inverse_means(9, 4, 0.5)
    whole = wishart_balls._whole
    try:
        wishart_balls._whole = lambda nu, j: whole(nu, j) * (1 + 2.0**-40)
        wrong, _ = inverse_means(9, 4, 0.5)
    finally:
        wishart_balls._whole = whole
    assert not right.overlaps(wrong)
