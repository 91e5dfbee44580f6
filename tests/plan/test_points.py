"""The points of a study, by their places on its axes."""

import itertools

from tests.support.small_study import study


def test_a_point_by_its_cell_or_its_number_is_the_point_of_that_number():
    asked = study(
        design={"n_task": [20, 30, 40], "n_brain": [0, 60]}, model__misalignment=[0.1, 0.2]
    )
    pairs = itertools.product(range(2), range(6))
    assert [asked.point(*pair) for pair in pairs] == list(asked.points())
    assert [asked.numbered(i) for i in range(asked.n_points)] == list(asked.points())
