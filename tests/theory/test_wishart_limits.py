"""The exact task stage at its ends: no penalty, all of it, no samples (theory/README.md 4b, 4f)."""

import numpy as np
import pytest

from mcbrain.theory.wishart import resolvent, task_moments

WELL_ABOVE = [(6, 2), (7, 3), (16, 12), (205, 200), (300, 200), (2005, 2000), (2500, 2000)]
WELL_ABOVE += [(10**4, 2000), (10**7, 2000), (10**7, 2)]


@pytest.mark.parametrize(("n", "q"), WELL_ABOVE)
def test_without_penalty_come_the_inverse_wishart_moments(n, q):
    """E tr S^-1, E tr S^-2 and E (tr S^-1)^2 (von Rosen 1988; Matsumoto 2012) as z -> 0."""
    nu, z = n - q, 1e-140
    third = nu * (nu - 1.0) * (nu - 3.0)
    g, g_prime = resolvent(n, q, 0.0)
    assert g == pytest.approx(q / (nu - 1.0), rel=1e-11)
    assert g_prime == pytest.approx(-q * (n - 1.0) / third, rel=1e-11)
    moments = task_moments(n, 0, q, z / n)
    assert moments.noise == pytest.approx(1.0 / (nu - 1.0), rel=1e-11)
    assert moments.mean_f / z == pytest.approx(1.0 / (nu - 1.0), rel=1e-11)
    assert moments.c2 / z**2 == pytest.approx(1.0 / third, rel=1e-10)
    assert moments.c1 / z**2 == pytest.approx((nu - 1.0) / third, rel=1e-10)


@pytest.mark.parametrize("p", [2, 3, 50, 199, 2000])
def test_a_spectrum_that_touches_zero_has_the_right_edge(p):
    """n - q = 1: E tr S^-1 (n-q-1) -> q makes the density at zero q/2, so E sum r^2 -> q/(2z)."""
    for z in (1e-22, 1e-40, 1e-120):
        assert -resolvent(p + 1, p, z)[1] * z == pytest.approx(0.5 * p, rel=1e-9)


@pytest.mark.parametrize("nu", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("p", [2, 5, 200])
def test_the_leading_power_takes_over_without_a_seam_as_z_falls(nu, p):
    """Below z = 1e-24/p, where it is used, it continues what the table gives above."""
    seam = 1e-24 / p
    below, above = (
        np.array(
            [*resolvent(p + nu, p, z), *vars(task_moments(p + nu, 0, p, z / (p + nu))).values()]
        )
        for z in (seam * (1 - 1e-7), seam * (1 + 1e-7))
    )
    np.testing.assert_allclose(below, above, rtol=1e-6)
    far = np.array([resolvent(p + nu, p, z)[1] for z in (1e-40, 1e-42)])
    power = {0: 1e3, 1: 1e2, 2: 10.0, 4: 1.0}
    if nu in power:
        assert far[1] / far[0] == pytest.approx(power[nu], rel=1e-9)


@pytest.mark.parametrize(("n", "q"), [(3, 9), (7, 9), (1, 2), (150, 200), (10, 2000), (1, 3)])
def test_without_penalty_and_few_samples_come_the_minimum_norm_moments(n, q):
    """f is then the projection on the q - n directions without data, uniformly oriented."""
    moments = task_moments(n, 0, q, 0.0)
    free = q - n
    c2 = (q * free - free**2) / (q * (q + 2) * (q - 1))
    assert moments.c2 == pytest.approx(c2, rel=1e-11)
    assert moments.c1 == pytest.approx((free**2 + 2 * free) / (q * (q + 2)) - c2, rel=1e-11)
    assert moments.mean_f == pytest.approx(free / q, rel=1e-12)
    expected = n / q / (free - 1) if free > 1 else np.inf
    assert moments.noise == pytest.approx(expected, rel=1e-11)


def test_the_noise_without_penalty_is_infinite_exactly_where_its_mean_is():
    n = np.arange(12, 29)
    noise = task_moments(n, 0, 20, 0.0).noise
    np.testing.assert_array_equal(np.isinf(noise), np.abs(n - 20) <= 1)
    assert np.all(np.isfinite(task_moments(n, 0, 20, 1e-300).noise))


def test_limits_of_the_penalty_and_of_the_sizes():
    projection = task_moments([5, 20, 60], 2, 12, np.inf)
    for field, value in (("noise", 0.0), ("c1", 1.0), ("c2", 0.0), ("mean_f", 1.0)):
        np.testing.assert_array_equal(getattr(projection, field), value)
    nothing_fitted = task_moments([0, 1, 2], 2, 12, [0.0, 0.5, np.inf])
    for field, value in (("noise", 0.0), ("c1", 1.0), ("c2", 0.0), ("mean_f", 1.0)):
        np.testing.assert_array_equal(getattr(nothing_fitted, field), value)
    no_outside = task_moments(30, 12, 12, [0.0, 0.5, np.inf])
    for field in ("noise", "c1", "c2", "mean_f"):
        np.testing.assert_array_equal(getattr(no_outside, field), 0.0)
    assert resolvent(4, 7, np.inf) == (0.0, 0.0)
    assert resolvent(4, 7, 0.0) == (np.inf, -np.inf)
    assert resolvent(0, 7, 2.0) == (3.5, -1.75)
