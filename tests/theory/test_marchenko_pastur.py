"""The expansion of the task stage in 1/n against the exact law (theory/README.md 5c)."""

import numpy as np
import pytest

from mcbrain.errors import InputError
from mcbrain.theory.marchenko_pastur import asymptotic_resolvent, asymptotic_task_moments
from mcbrain.theory.wishart import resolvent, task_moments

FIELDS = ("noise", "c1", "c2", "mean_f")
RATIOS = (0.3, 0.5, 1.0, 1.5, 4.0)
PENALTIES = np.array([0.1, 0.3, 1.0, 3.0, 10.0])


def _errors(q: int, order: int) -> np.ndarray:
    """Largest relative error over ratios and penalties of noise, c1, c2, mean_f, g and g'."""
    n = np.array([round(ratio * q) for ratio in RATIOS])[:, None]
    exact, law = (
        task_moments(n, 0, q, PENALTIES),
        asymptotic_task_moments(n, 0, q, PENALTIES, order),
    )
    pairs = [(getattr(law, field), getattr(exact, field)) for field in FIELDS]
    z = n * PENALTIES
    pairs += zip(asymptotic_resolvent(n, q, z, order), resolvent(n, q, z), strict=True)
    return np.array([np.max(np.abs(a / b - 1.0)) for a, b in pairs])


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_error_falls_like_one_over_n_to_the_order_plus_one(order):
    """Each order is right to its last term, and certifies the exact law to 2e-9 at q = 2,000."""
    coarse, fine = _errors(200, order), _errors(2000, order)
    slopes = np.log10(coarse / fine)
    np.testing.assert_allclose(slopes, order + 1, atol=0.06)


def test_the_stated_accuracy_by_dimension_holds():
    """Table of README 5c: worst relative error, n'/q in [0.3, 4], penalty in [0.1, 10]."""
    table = {40: (0.06, 0.0031, 2e-4), 200: (0.014, 1.4e-4, 1.6e-6), 2000: (0.0014, 1.4e-6, 1.6e-9)}
    for q, bounds in table.items():
        for order, bound in enumerate(bounds):
            worst = np.max(_errors(q, order))
            assert 0.4 * bound < worst < bound


def test_order_zero_is_the_marchenko_pastur_equation():
    """gam l mu^2 + (1 - gam + l) mu - 1 = 0 with mu = n' g / q, l = z / n', gam = q / n'."""
    n, q = np.array([30.0, 100.0, 250.0])[:, None], 100.0
    z = np.geomspace(1e-3, 1e4, 8)
    g, g_prime = asymptotic_resolvent(n, q, z, order=0)
    gamma, scaled, mu = q / n, z / n, n * g / q
    residual = gamma * scaled * mu**2 + (1 - gamma + scaled) * mu - 1
    largest = mu + gamma * scaled * mu**2 + 1
    assert np.max(np.abs(residual) / largest) < 1e-15
    slope = -(gamma * mu**2 + mu) / (2 * gamma * scaled * mu + 1 - gamma + scaled)
    np.testing.assert_allclose(g_prime, slope * q / n**2, rtol=1e-10)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_the_derivative_and_the_noise_are_those_of_the_same_expansion(order):
    n, q = np.array([40.0, 90.0, 300.0])[:, None], 90.0
    z, step = np.array([3.0, 60.0, 900.0]), 1e-4
    _, g_prime = asymptotic_resolvent(n, q, z, order)
    above, _ = asymptotic_resolvent(n, q, z * (1 + step), order)
    below, _ = asymptotic_resolvent(n, q, z * (1 - step), order)
    np.testing.assert_allclose((above - below) / (2 * step * z), g_prime, rtol=1e-6)
    g, _ = asymptotic_resolvent(n, q, z, order)
    noise = asymptotic_task_moments(n, 0, q, z / n, order).noise
    np.testing.assert_allclose(noise, (g + z * g_prime) / q, rtol=1e-10)


def test_limits_and_domain():
    projection = asymptotic_task_moments(50, 5, 40, np.inf)
    assert (projection.noise, projection.c1, projection.c2, projection.mean_f) == (0, 1, 0, 1)
    for outside in ((5, 5, 40, 1.0), (50, 39, 40, 1.0), (5, 5, 40, np.inf)):
        moments = asymptotic_task_moments(*outside)
        assert all(np.isnan(getattr(moments, field)) for field in FIELDS)
    with pytest.raises(InputError, match="order must be 0, 1 or 2, got 3"):
        asymptotic_task_moments(50, 5, 40, 1.0, order=3)


def test_few_samples_and_a_tiny_penalty_lose_no_digits():
    """n' < q as z -> 0: c1 -> that of the minimum norm, the noise to its high-dimensional value."""
    tiny = asymptotic_task_moments(300, 0, 1000, 1e-12, order=0)
    assert tiny.mean_f == pytest.approx(0.7, rel=1e-9)
    assert tiny.noise == pytest.approx(0.3 / 700, rel=1e-9)
    exact = task_moments(300, 0, 1000, 1e-12)
    second = asymptotic_task_moments(300, 0, 1000, 1e-12, order=2)
    for field in FIELDS:
        assert getattr(second, field) == pytest.approx(getattr(exact, field), rel=1e-6)
