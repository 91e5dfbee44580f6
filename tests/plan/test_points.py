"""The points of a study, by their places on its axes."""

import itertools

from tests.support.small_study import study


def test_a_point_by_its_places_is_the_point_of_that_number():
    asked = study(
        design={"n_task": [20, 30, 40], "n_brain": [0, 60]}, model__misalignment=[0.1, 0.2]
    )
    places = itertools.product(range(2), range(3), range(2))
    assert [asked.point(*place) for place in places] == list(asked.points())
