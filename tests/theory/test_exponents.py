"""The local exponents of the law of ridge are the published ones, in their window."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mcbrain.errors import InputError
from mcbrain.theory.any_covariance import TaskSetting, excess_risk
from mcbrain.theory.exponents import ridge_exponent
from mcbrain.theory.structured import Structured

D = 60_000
PLACE = np.arange(1, D + 1, dtype=float)


def best_risk(alpha: float, source: float, noise: float, n: int) -> float:
    """The least risk over penalties, of the leading order, for a task with a source exponent."""
    spectrum = PLACE**-alpha
    weights = np.sqrt(PLACE ** -(1 + 2 * alpha * source) / spectrum)
    setting = TaskSetting(
        spectrum,
        weights,
        Structured(spectrum, np.zeros((D, 0)), np.zeros((D, 0))),
        noise * float(np.sqrt(weights**2 @ spectrum)),
        n,
    )

    def at(log_penalty: float) -> float:
        return np.log(excess_risk(setting, float(np.exp(log_penalty)), order=0))

    found = minimize_scalar(at, bounds=(-30.0, 3.0), method="bounded", options={"xatol": 1e-3})
    return float(found.fun)


@pytest.mark.parametrize(
    ("alpha", "source", "noise", "window"),
    [
        (1.5, 0.25, 0.0, (100, 200)),
        (2.0, 0.5, 0.0, (100, 200)),
        (1.5, 0.25, 3.0, (4_000, 16_000)),
        (2.0, 0.5, 1.0, (4_000, 16_000)),
    ],
)
def test_the_law_of_ridge_falls_by_the_published_exponent(alpha, source, noise, window) -> None:
    few, many = window
    fall = best_risk(alpha, source, noise, few) - best_risk(alpha, source, noise, many)
    measured = fall / np.log(many / few)
    published = ridge_exponent(alpha, source, noisy=noise > 0)
    assert measured == pytest.approx(published, rel=0.04)


def test_a_smoother_task_than_saturation_is_no_faster_and_noise_makes_it_slower() -> None:
    assert ridge_exponent(1.5, 3.0, noisy=False) == ridge_exponent(1.5, 1.0, noisy=False) == 3.0
    assert ridge_exponent(1.5, 1.0, noisy=True) == 0.75


@pytest.mark.parametrize(("alpha", "source"), [(1.0, 0.5), (float("nan"), 0.5), (1.5, 0.0)])
def test_an_exponent_without_a_limit_is_refused(alpha, source) -> None:
    with pytest.raises(InputError, match="above"):
        ridge_exponent(alpha, source, noisy=True)
