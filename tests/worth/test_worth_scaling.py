"""Fits of scaling laws: they find what is there, with honest intervals, and say when they fail."""

from __future__ import annotations

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.worth.scaling import fit, fit_two_resources, local_exponent
from mcbrain.worth.surface import Surface

MODEL = mb.Model(
    input_dim=60, latent_dim=5, n_channels=40, misalignment=0.05, task_noise=0.7, neural_noise=1.0
)
N = np.geomspace(100, 10_000, 12)


def test_intervals_of_a_power_law_cover_its_exponent() -> None:
    """200 seeded fits at 95 %: fewer than 180 or more than 199 with probability below 1e-3."""
    rng = np.random.default_rng(7)
    truth = 0.02 + 5.0 * N**-0.7
    covered = 0
    for _ in range(200):
        found = fit(N, truth * (1 + 0.01 * rng.standard_normal(12)), 0.01 * truth, "power-floor")
        covered += found.low[2] <= 0.7 <= found.high[2]
    assert 180 <= covered <= 199


def test_the_brain_law_is_exact_to_first_order_and_the_fit_says_so() -> None:
    surface = Surface(MODEL)
    n = np.geomspace(20_000, 500_000, 8)
    risk = surface.risk(500, n)
    found = fit(n, risk, 0.002 * risk, "brain-law", 60)
    assert found.values[0] == pytest.approx(float(surface.risk(500, np.inf)), rel=2e-3)
    assert found.p_value > 0.5


def test_a_power_law_that_does_not_hold_is_rejected() -> None:
    surface = Surface(MODEL)
    n = np.geomspace(20, 20_000, 20)
    risk = surface.ridge(n)
    found = fit(n, risk, 0.002 * risk, "power-floor")
    assert found.p_value < 1e-3
    assert found.freedom == 17


def test_two_resources_are_told_apart() -> None:
    t, b = (x.ravel() for x in np.meshgrid(np.geomspace(50, 5000, 5), np.geomspace(50, 5000, 5)))
    risk = 0.01 + 3.0 * t**-0.9 + 2.0 * b**-0.5
    found = fit_two_resources(t, b, risk, 0.01 * risk)
    assert found.values == pytest.approx([0.01, np.log(3), 0.9, np.log(2), 0.5], rel=1e-3)
    assert found.curve(t, b) == pytest.approx(risk, rel=1e-6)


def test_local_exponents_of_the_law_tend_to_one() -> None:
    surface = Surface(MODEL)
    assert local_exponent(surface, 1e6, 400, "n_task") == pytest.approx(1.0, abs=1e-3)
    floor = surface.risk(500, np.inf)
    assert local_exponent(surface, 500, 1e5, "n_brain", floor) == pytest.approx(1.0, abs=0.01)
    assert local_exponent(surface, 30, 0, "n_task") < 0.5


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((N, N, N, "cubic"), "form"),
        ((N[:3], N[:3], N[:3], "power-floor"), "points"),
        ((N, N, 0 * N, "power-floor"), "standard errors"),
        ((N, N, N[:4], "power-floor"), "values"),
        ((N, N, N, "brain-law", 500), "d \\+ 1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(arguments: tuple, word: str) -> None:
    with pytest.raises(mb.InputError, match=word):
        fit(*arguments)


def test_one_value_of_a_resource_is_not_two_resources() -> None:
    with pytest.raises(mb.InputError, match="n_brain"):
        fit_two_resources(N, np.full(12, 5.0), N, N)


@pytest.mark.parametrize("seed", range(6))
def test_odd_data_is_fitted_without_a_warning(seed: int) -> None:
    """Rising, jumping and huge means with tiny errors: whatever is found, no number overflows."""
    rng = np.random.default_rng(seed)
    n = np.array([10, 11, 12, 300, 301, 4000, 5000])
    risk = np.exp(rng.normal(0.0, 30.0, n.size))
    fit(n, risk, 1e-6 * risk, "power-floor")
    fit_two_resources(
        np.tile(n, 2), np.repeat([5, 900], n.size), np.tile(risk, 2), np.tile(risk, 2)
    )
