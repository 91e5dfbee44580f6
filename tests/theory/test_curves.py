"""Curves over penalties and samples are the law of one penalty and sample size at a time.

What they are held against, `equivalents` and `any_covariance`, is held against simulation.
"""

import numpy as np
import pytest

from mcbrain.theory.any_covariance import TaskSetting, excess_risk, generalised_excess_risk
from mcbrain.theory.equivalents import Equivalent
from mcbrain.theory.ridge_curves import RidgeCurves
from mcbrain.theory.ridge_population import partialled
from mcbrain.theory.structured import Structured
from mcbrain.theory.task_curves import banded_curves, spared_curves

PENALTIES = np.logspace(-6, 6, 13)


def powers(d, alpha):
    spectrum = np.arange(1.0, d + 1.0) ** -alpha
    return spectrum * d / spectrum.sum()


def world(d, alpha, rank, seed):
    """A spectrum, two second moments, one of them dense, two signals, and a subspace."""
    rng = np.random.default_rng(seed)
    spectrum = powers(d, alpha)
    factor = rng.standard_normal((d, d + 3))
    moments = [Structured.of_diagonal(spectrum), factor @ factor.T / d]
    signals = rng.standard_normal((d, 2)) * spectrum[:, None] ** 0.3
    return spectrum, moments, signals, np.linalg.qr(rng.standard_normal((d, rank)))[0]


@pytest.mark.parametrize(("d", "alpha"), [(12, 0.0), (40, 1.0), (120, 2.0)])
def test_every_pair_of_signals_and_every_form_is_that_of_one_penalty(d, alpha):
    spectrum, (plain, dense), signals, _ = world(d, alpha, 0, 1)
    forms = (plain, dense)
    rows = np.array([2, d // 2, d, d + 1, 3 * d])[:, None]
    found = RidgeCurves(spectrum, forms, signals).at(rows, rows * PENALTIES)
    a, b = signals.T
    for i, n in enumerate(rows[:, 0]):
        for j, penalty in enumerate(PENALTIES):
            one = Equivalent(partialled(spectrum), int(n), float(n * penalty))
            for k, form in enumerate(forms):
                own = one.bias(form, a), one.bias(form, b)
                both = 0.5 * (one.bias(form, a + b) - sum(own))
                # Where a moment is a difference of larger ones, it is right to their digits.
                scale = np.abs(own).max() + np.sqrt(np.abs(own[0] * own[1]))
                assert found.bias[k, :, i, j] == pytest.approx(
                    [own[0], both, own[1]], abs=1e-5 * scale
                )
                assert found.noise[k, i, j] == pytest.approx(one.noise(form), rel=1e-5)
            freedom = n - one.population.freedoms(one.kappa)[1]
            assert found.free_rows[i, j] == pytest.approx(freedom, rel=1e-5)


@pytest.mark.parametrize(("alpha", "rank"), [(0.0, 1), (1.0, 0), (1.0, 4), (1.7, 10)])
def test_the_risk_given_a_subspace_is_that_of_one_penalty(alpha, rank):
    d, noise = 40, 0.7
    spectrum, moments, signals, V = world(d, alpha, rank, 2)
    n_task = np.array([rank + 3, d, 90])[:, None]
    found = spared_curves(spectrum, moments, signals[:, :1], V).excess(n_task, PENALTIES, noise)
    for m, moment in enumerate(moments):
        for i, n in enumerate(n_task[:, 0]):
            setting = TaskSetting(spectrum, signals[:, 0], moment, noise, int(n))
            expected = [excess_risk(setting, float(p), V) for p in PENALTIES]
            assert found[m, i] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("eta", [0.01, 0.5, 3.0])
def test_the_risk_of_two_penalties_is_that_of_one_pair(eta):
    spectrum, moments, signals, V = world(30, 1.0, 3, 3)
    curves = banded_curves(spectrum, moments, signals[:, :1], V, eta)
    weights = Structured(np.ones(30), (eta - 1.0) * V, V)
    found = curves.excess(45, PENALTIES, 0.7)
    for m, moment in enumerate(moments):
        setting = TaskSetting(spectrum, signals[:, 0], moment, 0.7, 45)
        expected = [generalised_excess_risk(setting, float(p), weights) for p in PENALTIES]
        assert found[m] == pytest.approx(expected, rel=1e-5)


def test_a_sum_of_signals_has_the_risk_that_its_coefficients_say():
    spectrum, moments, signals, V = world(30, 1.0, 3, 4)
    bias, noise, _ = spared_curves(spectrum, moments, signals, V).coefficients(45, PENALTIES)
    x, y = 0.8, -0.6
    together = x**2 * bias[:, 0] + 2.0 * x * y * bias[:, 1] + y**2 * bias[:, 2] + 0.49 * noise
    mixed = spared_curves(spectrum, moments, (signals @ [x, y])[:, None], V)
    assert together == pytest.approx(mixed.excess(45, PENALTIES, 0.7), rel=1e-5)


def test_directions_without_variance_are_no_obstacle():
    spectrum = np.concatenate([powers(20, 1.0), np.zeros(5)])
    signal = np.ones((25, 1))
    signal[20:] = 0.0
    setting = TaskSetting(spectrum, signal[:, 0], Structured.of_diagonal(spectrum), 0.5, 12)
    curves = spared_curves(spectrum, [setting.second_moment], signal, np.zeros((25, 0)))
    expected = [excess_risk(setting, float(p)) for p in PENALTIES]
    assert curves.excess(12, PENALTIES, 0.5)[0] == pytest.approx(expected, rel=1e-5)
