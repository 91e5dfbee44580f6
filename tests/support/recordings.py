"""Simulated recordings of a known population, as arrays that an appraisal takes."""

import numpy as np

from tests.appraisal.coverage import Scenario

SMALL = Scenario(d=12, p=8, n_task=200, n_brain=150, gains=(2.0, 1.2))


def arrays_of(scenario=SMALL, seed=0):
    """X, y, X_brain, R, and the true weights of the task."""
    return scenario.draw(np.random.default_rng(seed))
